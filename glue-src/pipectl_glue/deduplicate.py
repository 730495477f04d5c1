"""Keeps one of several rows of a key."""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from pipectl_glue import rows
from pipectl_glue.document import Table

# The time by which a row is older or newer than others of its key.
_TIME = "__time"


def ranked(frame: DataFrame, table: Table, ties: tuple[str, ...], apart: Column | None = None) -> DataFrame:
    """Numbers the rows of each key, the latest first; without a key every row is its own latest.

    Rows with equal times are ordered by the source's own order, then by `ties`; the later row wins, so that a repeated
    run gives the same rows. Rows that differ in `apart` do not compete.
    """
    if not table.key:
        return frame.withColumn(rows.RANK, F.lit(1))
    keys = [rows.named(name) for name in table.key]
    alike = Window.partitionBy(*keys, *([] if apart is None else [apart]))
    if table.order_by:
        frame = frame.withColumn(_TIME, _time(table, alike, ties))
    return frame.withColumn(rows.RANK, F.row_number().over(alike.orderBy(*latest_first(table, ties)))).drop(_TIME)


def _time(table: Table, alike: Window, ties: tuple[str, ...]) -> Column:
    """A row's time. A deletion may come without one: then it is as late as what the source wrote just before it."""
    time = rows.named(table.order_by)
    if not table.deletes:
        return time
    before = alike.orderBy(F.col(rows.POSITION).asc_nulls_first(), *[F.col(name).asc() for name in ties])
    last = F.last(time, ignorenulls=True).over(before.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    return F.when(F.col(rows.DELETED) & time.isNull(), last).otherwise(time)


def latest_first(table: Table, ties: tuple[str, ...], time: str | None = _TIME) -> list[Column]:
    """The order in which the first row is the one to keep; a row without a time is the oldest."""
    times = [rows.named(time or table.order_by).desc_nulls_last()] if table.order_by else []
    places = [F.col(rows.POSITION).desc_nulls_last()] if table.deletes else []
    return [*times, *places, *[F.col(name).desc_nulls_last() for name in ties]]
