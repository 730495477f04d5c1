"""Cells of text to a table's typed columns, and why a row goes to quarantine instead."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipectl_glue import cells, rows
from pipectl_glue.document import Table


def clean(frame: DataFrame, table: Table) -> DataFrame:
    """Trims and casts every cell. A row's reason names all that is wrong with it, not only the first thing."""
    beside = [*rows.PROVENANCE, rows.RAW, rows.FAULT, rows.UNKNOWN]
    null = table.csv.null if table.csv else ()
    columns = list(enumerate(table.columns))
    # Several projections, so that each text, value and reason is computed once and then used more than once.
    texts = frame.select(
        *beside,
        *[cells.trimmed(column, F.col(rows.cell(index)), null).alias(rows.cell(index)) for index, column in columns],
    )
    values = texts.select(
        *beside,
        *[rows.cell(index) for index, _ in columns],
        *[cells.value(column, F.col(rows.cell(index))).alias(column.name) for index, column in columns],
    )
    faults = [
        cells.fault(column, F.col(rows.cell(index)), rows.named(column.name), table.is_required(column))
        for index, column in columns
    ]
    names = [rows.named(column.name).alias(column.name) for _, column in columns]
    judged = values.select(*beside, F.concat_ws("; ", *faults).alias(rows.REASON), *names)
    reason = F.coalesce(rows.FAULT, rows.none_if_empty(F.col(rows.REASON)))
    return judged.withColumn(rows.REASON, reason)
