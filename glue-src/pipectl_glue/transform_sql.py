"""Tables that are made by Spark SQL from others, after those others.

The SQL reads a table by its name: the latest row of each key, of all batches that the cleaned zone still has. As
`changed_<table>` it reads the rows that this run brings. What it makes is checked, ranked and written as every table.
"""

from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.utils import AnalysisException

from pipectl_glue import checks, contract, output, rows
from pipectl_glue.deduplicate import ranked
from pipectl_glue.document import Table
from pipectl_glue.failure import Failure
from pipectl_glue.ledger import Counts
from pipectl_glue.shape import shape
from pipectl_glue.sql import identifier, literal
from pipectl_glue.stage import Stage

_CHANGED = "changed_"


def each_table(
    stage: Stage, counts: dict[str, Counts], cleaned: list[dict[str, Any]], done: list[dict[str, Any]]
) -> tuple[dict[str, Counts], dict[str, Exception]]:
    """Makes the tables whose sources have changed; gives what came of each, and what stopped the others."""
    missed = {name: _missed(name, done) for name in stage.document.transforms}
    due = []
    for name, transform in stage.document.transforms.items():
        read = {*transform["reads"], *transform["reads_changed"]}
        if missed[name] or any(counts[table].rows_out for table in read & counts.keys()):
            due.append(name)
    if not due:
        return {}, {}
    spark = stage.spark
    # SQL that people write does not tell `ID` from `id`.
    spark.conf.set("spark.sql.caseSensitive", "false")
    views = []
    try:
        state = _State(stage, cleaned)
        for table in sorted({table for name in due for table in stage.document.transforms[name]["reads"]}):
            state.frame(stage.document.tables[table]).createOrReplaceTempView(table)
            views.append(table)
        # One after the other: what a table missed is its own, and the views are the session's.
        made: dict[str, Counts] = {}
        stopped: dict[str, Exception] = {}
        for name in due:
            changed = stage.document.transforms[name]["reads_changed"]
            for table in changed:
                parts = [entry["tables"].get(table) for entry in missed[name]]
                paths = [part["path"] for part in parts if part and part["rows_out"]]
                paths += [counts[table].path] if table in counts and counts[table].rows_out else []
                view = f"{_CHANGED}{table}"
                _changed(stage, stage.document.tables[table], paths).createOrReplaceTempView(view)
                views.append(view)
            one, failed = output.each_table([name], lambda name: _make(stage, stage.document.tables[name]))
            made.update(one)
            stopped.update(failed)
        return made, stopped
    finally:
        for view in views:
            spark.catalog.dropTempView(view)
        spark.conf.set("spark.sql.caseSensitive", "true")


def _missed(name: str, done: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The batches since the last good one in which the table was stopped: what they changed, it has not seen."""
    missed: list[dict[str, Any]] = []
    for entry in done:
        if name in entry.get("stopped", {}):
            missed.append(entry)
        elif name in entry["tables"]:
            missed = []
    return missed


class _State:
    """The tables as a whole."""

    def __init__(self, stage: Stage, cleaned: list[dict[str, Any]]) -> None:
        self._stage = stage
        self._cleaned = cleaned

    def frame(self, table: Table) -> DataFrame:
        """The latest row of each key that breaks no check and is not deleted: what the warehouse has."""
        bucket, start = self._stage.document.cleaned, contract.batches_prefix(table.name)
        # Batches expire; the ledger does not.
        there = {found.key[len(start) :].partition("/")[0] for found in self._stage.store.objects(bucket, start)}
        parts = [
            entry["tables"][table.name]
            for entry in self._cleaned
            if entry["batch"] in there and entry["tables"].get(table.name, {}).get("rows_out")
        ]
        names = [identifier(column.name) for column in table.columns]
        if not parts:
            return _empty(self._stage, table)
        frame = self._stage.read(parts, table).withColumn(rows.REASON, F.expr(checks.row_fault(table)))
        sound = F.col(rows.FAULT).isNull()
        kept = F.col(rows.REASON) == ""
        frame = frame.filter(sound & (kept | F.col(rows.DELETED) if table.deletes else kept))
        frame = ranked(frame, table, (rows.BATCH,)).filter(F.col(rows.RANK) == 1)
        if table.deletes:
            frame = frame.filter(~F.col(rows.DELETED))
        return frame.selectExpr(*names)


def _changed(stage: Stage, table: Table, paths: list[str]) -> DataFrame:
    """The rows that were written for the warehouse, without the deleted: of those, only the key need be there."""
    if not paths:
        return _empty(stage, table)
    frame = rows.union([shape(stage.spark.read.parquet(path), table) for path in paths])
    if len(paths) > 1:
        frame = ranked(frame, table, (rows.BATCH,)).filter(F.col(rows.RANK) == 1)
    if table.deletes:
        frame = frame.filter(~F.col(rows.DELETED))
    return frame.selectExpr(*[identifier(column.name) for column in table.columns])


def _empty(stage: Stage, table: Table) -> DataFrame:
    columns = ", ".join(f"{identifier(column.name)} {column.type.spark.simpleString()}" for column in table.columns)
    return stage.spark.createDataFrame([], columns)


def _make(stage: Stage, table: Table) -> Counts:
    transform = stage.document.transforms[table.name]
    try:
        made = stage.spark.sql(transform["sql"])
    except AnalysisException as error:
        text = str(error).partition("\n")[0]
        raise Failure(
            f"table `{table.name}`: Spark does not take its SQL: {text}; correct its file and deploy"
        ) from error
    names = [name.lower() for name in made.columns]
    wanted = [column.name for column in table.columns]
    lacking = [name for name in wanted if names.count(name) != 1]
    if lacking:
        raise Failure(
            f"table `{table.name}`: its SQL makes the columns {', '.join(names)}, and not just one `{lacking[0]}`; "
            "correct its file and deploy"
        )
    made = made.toDF(*names)
    shaped = shape(made.select(*map(rows.named, wanted)), table, literal(stage.batch))
    counts = stage.write(stage.checked(shaped, table, 2), table)
    fault = checks.row_count_fault(table, counts.rows_out)
    if fault and "rows" not in table.checks.warn:
        stage.store.delete(stage.document.transformed, contract.rows_folder(table.name, stage.batch))
        raise Failure(fault)
    if fault:
        counts.findings.append({"kind": "rows", "text": fault})
    return counts
