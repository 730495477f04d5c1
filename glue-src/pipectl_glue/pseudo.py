"""Columns whose `from` is `_file` or `_line`: where a row stands, for the keys of files that have none.

They are the same however Spark splits the file, and for a copy that a replay reads.
"""

from dataclasses import replace

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from pipectl_glue import contract, rows
from pipectl_glue.document import Column, Table

FILE, LINE = "_file", "_line"
# What stands before the name of a file that lands, or of its copy for a replay.
_BEFORE = f"^.*?/{contract.LANDING}"


def is_pseudo(column: Column) -> bool:
    """Whether a column's values come from where the row stands, and not from the file."""
    return column.source in (FILE, LINE)


def without(table: Table) -> Table:
    """The table as its reader sees it."""
    columns = tuple(column for column in table.columns if not is_pseudo(column))
    names = {column.name for column in columns}
    # The reader takes a key's columns for required ones.
    return replace(table, columns=columns, key=tuple(name for name in table.key if name in names))


def added(frame: DataFrame, table: Table) -> DataFrame:
    """Gives the rows that a reader of `without(table)` has read the cells of all columns of the table."""
    if not any(map(is_pseudo, table.columns)):
        return frame
    if any(column.source == LINE for column in table.columns):
        # Rows of a file that are read by different tasks are numbered together.
        order = Window.partitionBy(rows.FILE).orderBy(rows.BLOCK, rows.PLACE)
        frame = frame.withColumn(LINE, F.row_number().over(order))
    read = 0
    cells = []
    for index, column in enumerate(table.columns):
        if column.source == FILE:
            value = F.regexp_replace(rows.FILE, _BEFORE, "")
        elif column.source == LINE:
            value = F.col(LINE).cast("string")
        else:
            value, read = F.col(rows.cell(read)), read + 1
        cells.append(value.alias(rows.cell(index)))
    return frame.select(*rows.beside(table), *cells)
