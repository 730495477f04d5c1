"""Converts text cells to a table's typed columns, or returns why a row is quarantined."""

from pyspark.sql import DataFrame

from pipectl_glue import cells, rows
from pipectl_glue.document import Table
from pipectl_glue.sql import identifier


def clean(frame: DataFrame, table: Table) -> DataFrame:
    """Casts every cell. A row's reason names all that is wrong with it, not only the first thing."""
    beside = rows.beside(table)
    columns = [(column, rows.cell(index)) for index, column in enumerate(table.columns)]
    names = [identifier(column.name) for column in table.columns]
    # Several projections, so that each text, value and reason is computed once and then used more than once.
    texts = frame.selectExpr(
        *beside, *[f"{cells.trimmed(column, cell, table.csv)} AS {cell}" for column, cell in columns]
    )
    values = texts.selectExpr(
        *beside,
        *[cell for _, cell in columns],
        *[f"{cells.value(column, cell)} AS {identifier(column.name)}" for column, cell in columns],
    )
    faults = {
        column.name: cells.fault(column, cell, identifier(column.name), table.is_required(column))
        for column, cell in columns
    }
    whole = cells.row_fault(columns)
    found = cells.together([*faults.values(), *([whole] if whole else [])])
    if table.deletes:
        # Of a row that is gone only its key matters.
        of_key = cells.together([faults[name] for name in table.key])
        found = f"CASE WHEN {rows.DELETED} THEN {of_key} ELSE {found} END"
    judged = values.selectExpr(*beside, f"{found} AS {rows.REASON}", *names)
    reason = f"coalesce({rows.FAULT}, {cells.none_if_empty(rows.REASON)}) AS {rows.REASON}"
    return judged.selectExpr(*beside, reason, *names)
