"""What both stages do with a table's rows at the end: write them, keep the bad ones, and account for all."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipectl_glue import rows
from pipectl_glue.document import Table
from pipectl_glue.failure import Failure
from pipectl_glue.ledger import Counts
from pipectl_glue.session import WRITE_OPTIONS

# Enough to keep two cores busy while one table's driver work waits; on Glue the cluster shares itself out.
_AT_ONCE = 4
_REASONS_SHOWN = 3


def write_rows(frame: DataFrame, table: Table, path: str) -> None:
    """Writes the table's columns, in the document's order, as Parquet."""
    columns = [rows.named(column.name).alias(column.name) for column in table.columns]
    frame.select(*columns).write.mode("error").options(**WRITE_OPTIONS).parquet(path)


def write_quarantine(bad: DataFrame, path: str) -> None:
    """Writes bad rows as JSON lines: where each came from, why it is here, and what it was."""
    options = {name: value for name, value in WRITE_OPTIONS.items() if name != "compression"}
    record = bad.select(
        F.col(rows.FILE).alias("source"), F.col(rows.REASON).alias("reason"), F.col(rows.RAW).alias("row")
    )
    record.write.mode("error").options(**options).json(path)


def quarantine_fault(bad: DataFrame, table: Table, counts: Counts, path: str) -> str | None:
    """Why the share of bad rows is too large, with the first reasons; null when it is not."""
    if counts.quarantined <= counts.rows_in * table.quarantine_limit:
        return None
    # A row may hold several faults: the first of them says enough here.
    first = bad.select(F.substring_index(rows.REASON, "; ", 1).alias("reason")).groupBy("reason").count()
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
