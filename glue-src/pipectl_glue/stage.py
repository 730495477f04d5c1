"""How a run of `transform` makes one table: reads cleaned batches, checks and ranks rows, writes the good ones."""

import json
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipectl_glue import checks, contract, output, references, rows
from pipectl_glue.deduplicate import ranked
from pipectl_glue.document import Document, Table
from pipectl_glue.failure import Failure
from pipectl_glue.ledger import Counts
from pipectl_glue.observed import Observed
from pipectl_glue.shape import shape
from pipectl_glue.sql import identifier, literal
from pipectl_glue.store import Store

# Rows of one run that are equally late: the later batch wins, then, for want of anything better, the content decides.
_DIGEST = "__digest"
_TIES = (rows.BATCH, _DIGEST)


class Stage:
    """One run's session, buckets, batch, and the cleaned batches that it takes."""

    def __init__(
        self,
        spark: SparkSession,
        store: Store,
        document: Document,
        batch: str,
        pending: list[tuple[dict[str, Any], list[str]]],
    ) -> None:
        self.spark = spark
        self.store = store
        self.document = document
        self.batch = batch
        self._pending = pending

    def table(self, table: Table) -> Counts:
        """Transforms one table in a single pass over its cleaned files; a second one only for bad rows."""
        parts = [entry["tables"][table.name] for entry, names in self._pending if table.name in names]
        cleaned = [part for part in parts if part["rows_out"]]
        # Loaders read a text here, also where there is nothing to load.
        counts = Counts(self._path(table))
        if cleaned:
            promised = sum(part["rows_out"] for part in cleaned)
            # A batch that was cleaned under another key is no better than several.
            batches = len(cleaned) if cleaned[0].get("key") == list(table.key) else 2
            counts = self.write(self.checked(self.read(cleaned, table), table, batches), table, promised)
        fault = checks.row_count_fault(table, counts.rows_out)
        if fault and "rows" in table.checks.warn:
            counts.findings.append({"kind": "rows", "text": fault})
        elif fault:
            self.store.delete(self.document.transformed, self._directory(table))
            batches = ", ".join(entry["batch"] for entry, names in self._pending if table.name in names)
            raise Failure(f"{fault}; batch of {batches}")
        return counts

    def _directory(self, table: Table) -> str:
        return contract.rows_folder(table.name, self.batch)

    def _path(self, table: Table) -> str:
        return f"s3://{self.document.transformed}/{self._directory(table)}"

    def read(self, parts: list[dict[str, Any]], table: Table) -> DataFrame:
        """Opens the cleaned batches: those that were written with the same columns in one go."""
        groups: dict[str, list[str]] = defaultdict(list)
        for part in parts:
            groups[json.dumps(part.get("columns") or {})].append(part["path"])
        frames = []
        for columns, paths in groups.items():
            reader = self.spark.read.option("recursiveFileLookup", "true").option("__globPaths__", "false")
            known = json.loads(columns)
            if known:
                # Else Spark would open a file to learn them.
                reader = reader.schema(", ".join(f"{identifier(name)} {kind}" for name, kind in known.items()))
            # Of an older batch nothing is known, and each may have other columns.
            frames += [reader.parquet(*paths)] if known else [reader.parquet(path) for path in paths]
        return rows.union([shape(frame, table) for frame in frames])

    def checked(self, shaped: DataFrame, table: Table, batches: int) -> DataFrame:
        """Ranks the rows of each key, then checks those that stay: a row that another replaces may break any check."""
        values = [rows.named(column.name) for column in table.columns]
        sound, faulty = F.col(rows.FAULT).isNull(), F.col(rows.FAULT).isNotNull()
        if batches == 1 and not table.checks.unique:
            # `clean` has left one row a key.
            frame = shaped.withColumn(rows.RANK, F.lit(1))
        else:
            # Only a document that changed a type makes faulty rows here; they must not push out the sound ones.
            frame = ranked(shaped.withColumn(_DIGEST, F.xxhash64(*values)), table, _TIES, apart=faulty)
        stays = sound & (F.col(rows.RANK) == 1)
        if table.deletes:
            stays = stays & ~F.col(rows.DELETED)
        frame = frame.withColumn(rows.REASON, F.expr(checks.row_fault(table)))
        fault = F.when(F.col(rows.REASON) != "", F.col(rows.REASON))
        frame = frame.withColumn(rows.REASON, F.when(stays, fault).otherwise(F.col(rows.FAULT)))
        for index, (column, (other, name)) in enumerate(table.checks.references.items()):
            frame = self._referred(frame, table, index, column, other, name)
        return checks.check_unique(frame, table, _TIES)

    def _referred(self, frame: DataFrame, table: Table, index: int, column: str, other: str, name: str) -> DataFrame:
        target = next((found for found in self.document.tables[other].columns if found.name == name), None)
        if target is None:
            raise Failure(f"table `{table.name}`: `references` names `{other}.{name}`, which is not in the pipeline")
        is_there = (
            next(iter(self.store.objects(self.document.cleaned, contract.batches_prefix(other))), None) is not None
        )
        path = f"s3://{self.document.cleaned}/{other}/"
        known = references.read_known(self.spark, path, target) if is_there else None
        frame = references.flagged(frame, index, column, known, target)
        if "references" in table.checks.warn:
            return frame
        begin, end = literal(f"`{column}`: "), literal(f" is not in {other}.{name}")
        text = F.expr(f"concat({begin}, '\"', CAST({identifier(column)} AS STRING), '\"', {end})")
        stays = F.col(rows.REASON).isNull() & (F.col(rows.RANK) == 1) & F.col(references.flag(index))
        if table.deletes:
            stays = stays & ~F.col(rows.DELETED)
        return frame.withColumn(rows.REASON, F.when(stays, text).otherwise(F.col(rows.REASON)))

    def write(self, checked: DataFrame, table: Table, promised: int | None = None) -> Counts:
        """Writes the good rows and accounts for all; `promised` is how many there must be, where that is known."""
        good = F.col(rows.REASON).isNull() & (F.col(rows.RANK) == 1)
        deleted = good & F.col(rows.DELETED) if table.deletes else F.lit(False)
        warnings = _warnings(table)
        sums = Observed(
            checked,
            F.count(F.lit(1)).alias("rows"),
            F.count_if(good).alias("good"),
            F.count(rows.REASON).alias("bad"),
            F.count_if(F.col(rows.REASON).isNull() & (F.col(rows.RANK) > 1)).alias("later"),
            F.count_if(deleted).alias("deleted"),
            *[
                F.count_if(good & ~deleted & F.expr(f"({broken})")).alias(f"warning{index}")
                for index, (_, _, broken) in enumerate(warnings)
            ],
            *[
                F.max(F.when(good, F.unix_seconds(rows.named(column).cast("timestamp")))).alias(f"newest{index}")
                for index, column in enumerate(table.checks.fresh_within)
            ],
            *output.watermark(table, good),
        )
        directory, path = self._directory(table), self._path(table)
        marks = [rows.DELETED] if table.deletes else []
        columns = output.write_rows(sums.frame.filter(good), table, path, marks)
        found = sums.values()
        counts = Counts(
            path,
            rows_in=found["rows"],
            rows_out=found["good"],
            quarantined=found["bad"],
            duplicates=found["later"],
            deleted=found["deleted"],
            columns=columns,
            watermark=output.watermark_of(table, found),
        )
        if promised is not None and counts.rows_in != promised:
            raise Failure(
                f"table `{table.name}`: the cleaned files hold {counts.rows_in} rows, their ledger says {promised}; "
                "files were added or removed by hand under the cleaned zone"
            )
        output.verify(table, counts)
        for index, (kind, text, _) in enumerate(warnings):
            number = found[f"warning{index}"]
            if number:
                counts.findings.append({"kind": kind, "text": f"{number} rows: {text}"})
        for index, column in enumerate(table.checks.fresh_within):
            fault = checks.age_fault(table, column, found[f"newest{index}"], datetime.now(UTC))
            if fault and "fresh_within" not in table.checks.warn:
                raise Failure(fault)
            if fault:
                counts.findings.append({"kind": "fresh_within", "text": fault})
        if counts.quarantined:
            path = f"s3://{self.document.transformed}/{contract.quarantine_folder(table.name, self.batch)}"
            output.quarantine(_with_text(checked, table), table, counts, path)
        if counts.rows_out:
            counts.files = output.files(self.store, self.document.transformed, directory)
        else:
            self.store.delete(self.document.transformed, directory)
        return counts


def _warnings(table: Table) -> list[tuple[str, str, str]]:
    """The checks of rows that only warn: the name, what to say, and whether a row breaks it, as Spark SQL."""
    found = [
        (check.name, f"`{check.column}` breaks `{check.name}`", f"({check.fault}) IS NOT NULL")
        for check in checks.row_checks(table)
        if check.name in table.checks.warn
    ]
    if "references" in table.checks.warn:
        found += [
            ("references", f"`{column}` is not in {other}.{name}", references.flag(index))
            for index, (column, (other, name)) in enumerate(table.checks.references.items())
        ]
    return found


def _with_text(frame: DataFrame, table: Table) -> DataFrame:
    values = F.struct(*[rows.named(column.name).alias(column.name) for column in table.columns])
    return frame.withColumn(rows.RAW, F.to_json(values, {"ignoreNullFields": "false"})).withColumn(
        rows.FILE, F.col(rows.BATCH)
    )
