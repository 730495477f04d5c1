"""The first job: what landed and was not seen before becomes one cleaned batch."""

import gzip
import zlib
from collections.abc import Callable
from datetime import UTC, datetime

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from pipectl_glue import ledger, output, read_csv, rows
from pipectl_glue.cells import identifier
from pipectl_glue.clean import clean
from pipectl_glue.document import Csv, Document, Table, parse_document
from pipectl_glue.failure import Failure
from pipectl_glue.latest import ranked
from pipectl_glue.ledger import LANDING, Counts, Input
from pipectl_glue.read_jsonl import read_jsonl
from pipectl_glue.session import prepare
from pipectl_glue.store import Store, split_uri

_STAGE = "clean"
_UNKNOWN_SHOWN = 100
# Most headers fit the first; the last bounds what a file that is not CSV at all can cost.
_HEADER_BYTES = (64 * 1024, 16 * 1024 * 1024)


def run(
    spark: SparkSession, document_uri: str, run_id: str, store: Store | None = None, tell: Callable[[str], None] = print
) -> str | None:
    """Cleans all new objects; returns the batch, or None when there is nothing new."""
    store = store or Store()
    document = parse_document(store.get(*split_uri(document_uri)).decode())
    entries = ledger.entries(store, document.cleaned, _STAGE)
    found = ledger.arrivals(store.objects(document.raw, LANDING), entries, document)
    for key in found.strangers:
        tell(f"ignored s3://{document.raw}/{key}: no table has this name; add it to the pipeline or delete the object")
    if not found.inputs:
        tell(f"nothing new under s3://{document.raw}/{LANDING}")
        return None
    marks = [f"{entry.key} {entry.etag}" for entry in found.inputs]
    batch = ledger.batch_name(datetime.now(UTC), marks, (entry["batch"] for entry in entries))
    by_table: dict[str, list[Input]] = {}
    for entry in found.inputs:
        by_table.setdefault(entry.table, []).append(entry)
        if entry.duplicate_of:
            tell(f"not loaded again: {entry.key} has the content of {entry.duplicate_of}")
    stage = _Stage(prepare(spark), store, document, batch)
    try:
        counts = output.each_table(by_table, lambda name: stage.table(document.tables[name], by_table[name]))
    except Failure:
        raise
    except Exception as error:
        _blame_archive(store, document, found.inputs, error)
        raise
    _same_still(store, document, found.inputs)
    ledger.commit(store, document.cleaned, _STAGE, batch, run_id, ledger.as_json(found.inputs), counts)
    for name, table in counts.items():
        tell(output.summary(_STAGE, name, table))
        if table.unknown_columns:
            tell(f"{_STAGE} {name}: columns that the table does not have: {', '.join(table.unknown_columns)}")
    tell(f"committed batch {batch}: {len(found.inputs)} objects")
    return batch


class _Stage:
    """One run's session, buckets and batch."""

    def __init__(self, spark: SparkSession, store: Store, document: Document, batch: str) -> None:
        self._spark = spark
        self._store = store
        self._document = document
        self._batch = batch

    def table(self, table: Table, inputs: list[Input]) -> Counts:
        """Cleans one table's objects in a single pass over them; a second one only for bad rows and unknown names."""
        paths = [f"s3://{self._document.raw}/{entry.key}" for entry in inputs if not entry.duplicate_of and entry.size]
        if not paths:
            return Counts()
        if table.csv:
            groups = self._headers(paths, table, table.csv)
            if not groups:
                return Counts()
            source = read_csv.read_csv(self._spark, groups, table, table.csv)
            unknown = read_csv.unknown_columns(groups, table)
        else:
            source = read_jsonl(self._spark, paths, table)
            unknown = []
        return self._write(clean(source, table), table, unknown)

    def _write(self, cleaned: DataFrame, table: Table, unknown: list[str]) -> Counts:
        seen, kept = Observation(), Observation()
        names = [identifier(column.name) for column in table.columns]
        size = f"size({rows.UNKNOWN}) AS {rows.UNKNOWN}"
        lean = cleaned.selectExpr(*rows.PROVENANCE, rows.REASON, size, *names).observe(
            seen,
            F.count(F.lit(1)).alias("rows"),
            F.count(rows.REASON).alias("bad"),
            F.max(rows.UNKNOWN).alias("unknown"),
        )
        good = ranked(lean.filter(F.col(rows.REASON).isNull()), table, rows.PROVENANCE)
        first = F.col(rows.RANK) == 1
        counted = good.observe(kept, F.count_if(first).alias("first"), F.count_if(~first).alias("later"))
        directory = f"{table.name}/batch={self._batch}/"
        path = f"s3://{self._document.cleaned}/{directory}"
        output.write_rows(counted.filter(first), table, path)

        counts = Counts(
            path,
            rows_in=seen.get["rows"],
            rows_out=kept.get["first"],
            quarantined=seen.get["bad"],
            duplicates=kept.get["later"],
            unknown_columns=unknown or (_unknown(cleaned) if (seen.get["unknown"] or 0) > 0 else []),
        )
        output.verify(table, counts)
        if counts.quarantined:
            output.quarantine(cleaned, table, counts, f"s3://{self._document.cleaned}/quarantine/{directory}")
        if not counts.rows_out:
            self._store.delete(self._document.cleaned, directory)
            counts.path = None
        return counts

    def _headers(self, paths: list[str], table: Table, style: Csv) -> list[read_csv.Headed]:
        if not style.header:
            return [read_csv.Headed(read_csv.positional(table), paths)]
        headers: dict[str, tuple[str, ...]] = {}
        missing = paths
        for most in _HEADER_BYTES:
            keys = [path.removeprefix(f"s3://{self._document.raw}/") for path in missing]
            starts = self._store.get_all(self._document.raw, keys, most)
            for path, start in zip(missing, starts, strict=True):
                header = read_csv.parse_header(start, path, style, whole=len(start) < most)
                if header is not None:
                    headers[path] = header
            missing = [path for path in missing if path not in headers]
        if missing:
            raise Failure(f"{missing[0]}: no end of the header within {_HEADER_BYTES[-1]} bytes; is it a CSV file?")
        return read_csv.group(headers)


def _unknown(cleaned: DataFrame) -> list[str]:
    names = cleaned.select(F.explode(rows.UNKNOWN).alias("name")).distinct().limit(_UNKNOWN_SHOWN).collect()
    return sorted(row["name"] for row in names)


def _blame_archive(store: Store, document: Document, inputs: list[Input], error: Exception) -> None:
    """Names the file when a broken archive is what stopped Spark, which does not say."""
    for entry in inputs:
        if entry.key.endswith(".gz"):
            try:
                gzip.decompress(store.get(document.raw, entry.key))
            except (OSError, EOFError, zlib.error) as broken:
                raise Failure(
                    f"s3://{document.raw}/{entry.key} is not a whole gzip file: {broken}; replace or delete it"
                ) from error


def _same_still(store: Store, document: Document, inputs: list[Input]) -> None:
    """Refuses a batch whose objects changed while they were read: its rows are not those that the ledger would name."""
    now = {(found.key, found.etag) for found in store.objects(document.raw, LANDING)}
    changed = [entry.key for entry in inputs if (entry.key, entry.etag) not in now]
    if changed:
        raise Failure(
            f"s3://{document.raw}/{changed[0]} changed or went away while it was read; nothing is committed, "
            "run it again"
        )
