"""Which of several rows of one key stays."""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from pipectl_glue import rows
from pipectl_glue.document import Table


def ranked(frame: DataFrame, table: Table, ties: tuple[str, ...], apart: Column | None = None) -> DataFrame:
    """Numbers the rows of each key, the latest first; without a key every row is its own latest.

    Rows that are equally late are told apart by `ties`, the later place winning, so that a run repeated gives the same
    rows. Rows that differ in `apart` do not compete.
    """
    if not table.key:
        return frame.withColumn(rows.RANK, F.lit(1))
    columns = [rows.named(name) for name in table.key]
    window = Window.partitionBy(*columns, *([] if apart is None else [apart])).orderBy(*latest_first(table, ties))
    return frame.withColumn(rows.RANK, F.row_number().over(window))


def latest_first(table: Table, ties: tuple[str, ...]) -> list[Column]:
    """The order in which the first row is the one to keep; a row without a time is the oldest."""
    times = [rows.named(table.order_by).desc_nulls_last()] if table.order_by else []
    return [*times, *[F.col(name).desc() for name in ties]]
