"""What both stages do with a table's rows at the end: write them, keep the bad ones, and account for all."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pipectl_glue import rows, spark_errors
from pipectl_glue.document import Table
from pipectl_glue.failure import Failure
from pipectl_glue.ledger import Counts
from pipectl_glue.observed import Observed
from pipectl_glue.session import WRITE_OPTIONS
from pipectl_glue.sql import identifier, literal
from pipectl_glue.store import Store

# Enough to keep two cores busy while one table's driver work waits; on Glue the cluster shares itself out.
_AT_ONCE = 4
_REASONS_SHOWN = 3
_REASONS_KEPT = 20
_VALUE = '"[^"]*"'


def write_rows(frame: DataFrame, table: Table, path: str, behind: list[str]) -> dict[str, str]:
    """Writes the table's columns, in the document's order, and others behind them as Parquet; gives their types."""
    columns = [identifier(column.name) for column in table.columns]
    lean = frame.selectExpr(*columns, *behind)
    lean.write.mode("overwrite").options(**WRITE_OPTIONS).parquet(path)
    return {field.name: field.dataType.simpleString() for field in lean.schema.fields}


def files(store: Store, bucket: str, folder: str) -> list[dict[str, Any]]:
    """The files of rows that Spark has just written, in the order of their keys.

    COPY reads these and no others: not `_SUCCESS`, nor what a task that broke off has left in `_temporary`.
    """
    found = [entry for entry in store.objects(bucket, folder) if _is_rows(entry.key.removeprefix(folder))]
    if not found:
        raise Failure(f"s3://{bucket}/{folder} holds no file, although rows were written; run it again")
    return [{"key": entry.key, "size": entry.size} for entry in found]


def _is_rows(name: str) -> bool:
    return "/" not in name and not name.startswith(("_", ".")) and name.endswith(".parquet")


def watermark(table: Table, which: Column) -> list[Column]:
    """What to observe for `watermark_of`: the least and the most of `order_by` in the rows that stay."""
    if not table.order_by:
        return []
    value = F.when(which, rows.named(table.order_by))
    return [F.min(value).cast("string").alias("least"), F.max(value).cast("string").alias("most")]


def watermark_of(table: Table, found: dict[str, Any]) -> dict[str, str] | None:
    """The least and the most of `order_by`."""
    if not table.order_by or found["most"] is None:
        return None
    return {"column": table.order_by, "min": found["least"], "max": found["most"]}


def quarantine(frame: DataFrame, table: Table, counts: Counts, path: str) -> None:
    """Writes the bad ones of all rows as JSON lines: where each came from, why it is here, and what it was.

    Fails the run when they are too many. The rows stay readable then, although no ledger entry names them.
    """
    options = {name: value for name, value in WRITE_OPTIONS.items() if name != "compression"}
    record = frame.select(
        F.col(rows.FILE).alias("source"), F.col(rows.REASON).alias("reason"), F.col(rows.RAW).alias("row")
    )
    # Counting does two things. It proves that the second reading saw what the first saw; and it keeps the filter above
    # the projections, where Spark would otherwise copy each column's whole expression into it.
    again = Observed(record, F.count("reason").alias("bad"))
    again.frame.filter("reason IS NOT NULL").write.mode("overwrite").options(**options).json(path)
    written = again.values()["bad"]
    if written != counts.quarantined:
        raise Failure(
            f"table `{table.name}`: {counts.quarantined} bad rows were counted, and {written} when they were "
            "written; the source changed meanwhile; nothing is committed, run it again"
        )
    counts.reasons = _reasons(frame.sparkSession.read.schema("reason string").json(path))
    fault = _too_many(table, counts, path)
    if fault:
        raise Failure(fault)


def _reasons(bad: DataFrame) -> list[dict[str, Any]]:
    """The most frequent reasons, each with a value that it was given for."""
    # A row may hold several faults: the first of them says enough here. What stands in quotes differs from row to row.
    first = bad.select(F.substring_index("reason", "; ", 1).alias("reason"))
    alike = first.groupBy(F.expr(f"regexp_replace(reason, {literal(_VALUE)}, '')").alias("alike"))
    worst = alike.agg(F.count("reason").alias("rows"), F.min("reason").alias("reason"))
    found = worst.orderBy(F.desc("rows"), "reason").limit(_REASONS_KEPT).collect()
    return [{"reason": row["reason"], "rows": row["rows"]} for row in found]


def _too_many(table: Table, counts: Counts, path: str) -> str | None:
    """Why the share of bad rows is too large, with the first reasons; None when it is not."""
    if counts.quarantined <= counts.rows_in * table.quarantine_limit:
        return None
    share = counts.quarantined / counts.rows_in
    reasons = "; ".join(
        f"{found['reason']} ({counted(found['rows'], 'row')})" for found in counts.reasons[:_REASONS_SHOWN]
    )
    return (
        f"table `{table.name}`: {counts.quarantined} of {counts.rows_in} rows ({share:.1%}) are bad, and "
        f"`quarantine_limit` allows {table.quarantine_limit:.1%}. {reasons}. The rows are under {path}; "
        "correct the source, or raise the limit"
    )


def verify(table: Table, counts: Counts) -> None:
    """Refuses to commit a batch whose rows do not add up."""
    accounted = counts.rows_out + counts.quarantined + counts.duplicates + counts.unchanged
    if counts.rows_in != accounted:
        raise Failure(
            f"table `{table.name}`: {counts.rows_in} rows came in, and {accounted} are accounted for ({counts}); "
            "nothing is committed, run it again"
        )


def counted(count: int, noun: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def summary(stage: str, name: str, counts: Counts) -> str:
    """One line of the books."""
    more = f" + {counts.unchanged} unchanged" if counts.unchanged else ""
    gone = f" ({counts.deleted} of them deletions)" if counts.deleted else ""
    return (
        f"{stage} {name}: {counts.rows_in} in = {counts.rows_out} out{gone} + {counts.quarantined} quarantined "
        f"+ {counts.duplicates} duplicates{more}"
    )


def each_table(tables: Iterable[str], work: Callable[[str], Counts]) -> tuple[dict[str, Counts], dict[str, Exception]]:
    """Works on several tables at once; gives what came of each, and what stopped the others."""

    def timed(name: str) -> Counts:
        began = time.monotonic()
        try:
            counts = work(name)
        except Failure:
            raise
        except Exception as error:
            raise spark_errors.failure(error, name) from error
        counts.seconds = round(time.monotonic() - began, 3)
        return counts

    names = sorted(tables)
    with ThreadPoolExecutor(_AT_ONCE) as workers:
        running = {name: workers.submit(timed, name) for name in names}
    stopped = {name: running[name].exception() for name in names if running[name].exception()}
    return {name: running[name].result() for name in names if name not in stopped}, stopped


def end(stage: str, batch: str | None, stopped: dict[str, Exception]) -> None:
    """Fails the run when a table was stopped, after the others are safe."""
    if stopped:
        others = f"; the other tables are committed in batch {batch}" if batch else "; nothing is committed"
        raise Failure("; ".join(told(failure) for failure in stopped.values()) + others)


def told(failure: Exception) -> str:
    """What stopped a table, in a line."""
    text = str(failure) if isinstance(failure, Failure) else f"{type(failure).__name__}: {failure}"
    return text.partition("\n")[0]
