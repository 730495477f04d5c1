"""The second job: cleaned batches become one batch in exactly the warehouse's columns."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from pipectl_glue import checks, ledger, output, rows
from pipectl_glue.document import Document, Table, parse_document
from pipectl_glue.failure import Failure
from pipectl_glue.latest import ranked
from pipectl_glue.ledger import Counts
from pipectl_glue.session import prepare
from pipectl_glue.shape import shape
from pipectl_glue.store import Store, split_uri

_STAGE = "transform"
# Rows of one run that are equally late: the later batch wins, then, for want of anything better, the content decides.
_DIGEST = "__digest"
_TIES = (rows.BATCH, _DIGEST)


def run(
    spark: SparkSession, document_uri: str, run_id: str, store: Store | None = None, tell: Callable[[str], None] = print
) -> str | None:
    """Transforms all cleaned batches that no transform has taken; returns the batch, or None when there is none."""
    store = store or Store()
    document = parse_document(store.get(*split_uri(document_uri)).decode())
    done = ledger.entries(store, document.transformed, _STAGE)
    taken = {entry["batch"] for transformed in done for entry in transformed["inputs"]}
    pending = [entry for entry in ledger.entries(store, document.cleaned, "clean") if entry["batch"] not in taken]
    if not pending:
        tell(f"nothing new in s3://{document.cleaned}/_ledger/clean/")
        return None
    batches = [entry["batch"] for entry in pending]
    batch = ledger.batch_name(datetime.now(UTC), batches, (entry["batch"] for entry in done))
    stage = _Stage(prepare(spark), store, document, batch, pending)
    names = {name for entry in pending for name in entry["tables"]}
    for name in sorted(names.difference(document.tables)):
        tell(f"left out {name}: it is not in the pipeline any more")
    counts = output.each_table(names.intersection(document.tables), lambda name: stage.table(document.tables[name]))
    ledger.commit(
        store, document.transformed, _STAGE, batch, run_id, [{"batch": entry["batch"]} for entry in pending], counts
    )
    for name, table in counts.items():
        tell(output.summary(_STAGE, name, table))
    tell(f"committed batch {batch}: {len(pending)} cleaned batches")
    return batch


class _Stage:
    """One run's session, buckets, batch, and the cleaned batches that it takes."""

    def __init__(
        self, spark: SparkSession, store: Store, document: Document, batch: str, pending: list[dict[str, Any]]
    ) -> None:
        self._spark = spark
        self._store = store
        self._document = document
        self._batch = batch
        self._pending = pending

    def table(self, table: Table) -> Counts:
        """Transforms one table in a single pass over its cleaned files; a second one only for bad rows."""
        parts = [(entry["batch"], entry["tables"].get(table.name)) for entry in self._pending]
        cleaned = [(batch, part) for batch, part in parts if part and part["rows_out"]]
        counts = Counts()
        if cleaned:
            frames = [
                shape(self._spark.read.option("recursiveFileLookup", "true").parquet(part["path"]), table, batch)
                for batch, part in cleaned
            ]
            promised = sum(part["rows_out"] for _, part in cleaned)
            counts = self._write(_checked(rows.union(frames), table), table, promised)
        fault = checks.row_count_fault(table, counts.rows_out)
        if fault:
            raise Failure(f"{fault}; batch of {', '.join(entry['batch'] for entry in self._pending)}")
        return counts

    def _write(self, checked: DataFrame, table: Table, promised: int) -> Counts:
        sums = Observation()
        good = F.col(rows.REASON).isNull() & (F.col(rows.RANK) == 1)
        counted = checked.observe(
            sums,
            F.count(F.lit(1)).alias("rows"),
            F.count_if(good).alias("good"),
            F.count(rows.REASON).alias("bad"),
            F.count_if(F.col(rows.REASON).isNull() & (F.col(rows.RANK) > 1)).alias("later"),
        )
        directory = f"{table.name}/batch={self._batch}/"
        path = f"s3://{self._document.transformed}/{directory}"
        output.write_rows(counted.filter(good), table, path)
        found = sums.get
        counts = Counts(
            path,
            rows_in=found["rows"],
            rows_out=found["good"],
            quarantined=found["bad"],
            duplicates=found["later"],
        )
        if counts.rows_in != promised:
            raise Failure(
                f"table `{table.name}`: the cleaned files hold {counts.rows_in} rows, their ledger says {promised}; "
                "files were added or removed by hand under the cleaned zone"
            )
        output.verify(table, counts)
        if counts.quarantined:
            path = f"s3://{self._document.transformed}/quarantine/{directory}"
            output.quarantine(_with_text(checked, table), table, counts, path)
        if not counts.rows_out:
            self._store.delete(self._document.transformed, directory)
            counts.path = None
        return counts


def _checked(shaped: DataFrame, table: Table) -> DataFrame:
    """Ranks the rows of each key, then checks those that stay: a row that another replaces may break any check."""
    values = [rows.named(column.name) for column in table.columns]
    frame = shaped.withColumn(_DIGEST, F.xxhash64(*values))
    sound, faulty = F.col(rows.FAULT).isNull(), F.col(rows.FAULT).isNotNull()
    # Only a document that changed a type makes faulty rows here; they must not push out the sound ones.
    frame = ranked(frame, table, _TIES, apart=faulty)
    stays = sound & (F.col(rows.RANK) == 1)
    frame = frame.withColumn(rows.REASON, F.expr(checks.row_fault(table)))
    fault = F.when(F.col(rows.REASON) != "", F.col(rows.REASON))
    frame = frame.withColumn(rows.REASON, F.when(stays, fault).otherwise(F.col(rows.FAULT)))
    return checks.check_unique(frame, table, _TIES)


def _with_text(frame: DataFrame, table: Table) -> DataFrame:
    values = F.struct(*[rows.named(column.name).alias(column.name) for column in table.columns])
    return frame.withColumn(rows.RAW, F.to_json(values, {"ignoreNullFields": "false"})).withColumn(
        rows.FILE, F.col(rows.BATCH)
    )
