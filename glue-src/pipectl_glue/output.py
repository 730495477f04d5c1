"""What both stages do with a table's rows at the end: write them, keep the bad ones, and account for all."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from pipectl_glue import rows
from pipectl_glue.cells import identifier
from pipectl_glue.document import Table
from pipectl_glue.failure import Failure
from pipectl_glue.ledger import Counts
from pipectl_glue.session import WRITE_OPTIONS

# Enough to keep two cores busy while one table's driver work waits; on Glue the cluster shares itself out.
_AT_ONCE = 4
_REASONS_SHOWN = 3


def write_rows(frame: DataFrame, table: Table, path: str) -> None:
    """Writes the table's columns, in the document's order, as Parquet."""
    columns = [identifier(column.name) for column in table.columns]
    frame.selectExpr(*columns).write.mode("error").options(**WRITE_OPTIONS).parquet(path)


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
    again = Observation()
    counted = record.observe(again, F.count("reason").alias("bad"))
    counted.filter("reason IS NOT NULL").write.mode("error").options(**options).json(path)
    if again.get["bad"] != counts.quarantined:
        raise Failure(
            f"table `{table.name}`: {counts.quarantined} bad rows were counted, and {again.get['bad']} when they were "
            "written; the source changed meanwhile; nothing is committed, run it again"
        )
    fault = _too_many(frame.sparkSession.read.schema("reason string").json(path), table, counts, path)
    if fault:
        raise Failure(fault)


def _too_many(bad: DataFrame, table: Table, counts: Counts, path: str) -> str | None:
    """Why the share of bad rows is too large, with the first reasons; None when it is not."""
    if counts.quarantined <= counts.rows_in * table.quarantine_limit:
        return None
    # A row may hold several faults: the first of them says enough here.
    first = bad.select(F.substring_index("reason", "; ", 1).alias("reason")).groupBy("reason").count()
    worst = first.orderBy(F.desc("count"), "reason").limit(_REASONS_SHOWN).collect()
    share = counts.quarantined / counts.rows_in
    reasons = "; ".join(f"{row['reason']} ({row['count']} rows)" for row in worst)
    return (
        f"table `{table.name}`: {counts.quarantined} of {counts.rows_in} rows ({share:.1%}) are bad, and "
        f"`quarantine_limit` allows {table.quarantine_limit:.1%}. {reasons}. The rows are under {path}; "
        "correct the source, or raise the limit"
    )


def verify(table: Table, counts: Counts) -> None:
    """Refuses to commit a batch whose rows do not add up."""
    accounted = counts.rows_out + counts.quarantined + counts.duplicates
    if counts.rows_in != accounted:
        raise Failure(
            f"table `{table.name}`: {counts.rows_in} rows came in, and {accounted} are accounted for ({counts}); "
            "nothing is committed, run it again"
        )


def summary(stage: str, name: str, counts: Counts) -> str:
    """One line of the books."""
    return (
        f"{stage} {name}: {counts.rows_in} in = {counts.rows_out} out + {counts.quarantined} quarantined "
        f"+ {counts.duplicates} duplicates"
    )


def each_table(tables: Iterable[str], work: Callable[[str], Counts]) -> dict[str, Counts]:
    """Works on several tables at once, and reports what is wrong with any of them together."""
    names = sorted(tables)
    with ThreadPoolExecutor(_AT_ONCE) as workers:
        running = {name: workers.submit(work, name) for name in names}
    failures = [(name, running[name].exception()) for name in names if running[name].exception()]
    for _, failure in failures:
        if not isinstance(failure, Failure):
            raise failure
    if failures:
        raise Failure("; ".join(str(failure) for _, failure in failures))
    return {name: running[name].result() for name in names}
