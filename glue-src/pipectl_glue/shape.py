"""Cleaned batches, also those that an older document made, to the table's columns as they are declared now."""

from pyspark.sql import DataFrame

from pipectl_glue import cells, rows
from pipectl_glue.document import Column, Table
from pipectl_glue.sql import identifier, literal

# The batch that a file belongs to.
_OF_FILE = f"regexp_extract(_metadata.file_path, {literal('/batch=([^/]+)/')}, 1)"


def shape(frame: DataFrame, table: Table, batch: str = _OF_FILE) -> DataFrame:
    """Selects the declared columns in order. One that the batch lacks is null, one of another type is cast again."""
    held = {field.name: field.dataType for field in frame.schema.fields}

    def text(column: Column) -> str:
        return f"CAST({identifier(column.name)} AS STRING)" if column.name in held else "CAST(NULL AS STRING)"

    def value(column: Column) -> str:
        if held.get(column.name) == column.type.spark:
            return identifier(column.name)
        return cells.value(column, text(column))

    faults = [
        cells.fault(column, text(column), value(column), table.is_required(column))
        for column in table.columns
        if column.name not in held
        or held[column.name] != column.type.spark
        or table.is_required(column)
        # The length of a varchar is not part of Spark's type.
        or column.type.kind == "varchar"
    ]
    fault = cells.together(faults)
    technical = []
    if table.deletes:
        position = rows.POSITION if rows.POSITION in held else "CAST(NULL AS STRING)"
        deleted = f"coalesce({rows.DELETED}, false)" if rows.DELETED in held else "false"
        technical = [f"{position} AS {rows.POSITION}", f"{deleted} AS {rows.DELETED}"]
        fault = f"CASE WHEN NOT {deleted} THEN {fault} ELSE '' END"
    names = [identifier(column.name) for column in table.columns]
    shaped = frame.selectExpr(
        *[f"{value(column)} AS {identifier(column.name)}" for column in table.columns],
        *technical,
        f"{batch} AS {rows.BATCH}",
        f"{fault} AS {rows.FAULT}",
    )
    return shaped.selectExpr(
        *names, *rows.technical(table), rows.BATCH, f"{cells.none_if_empty(rows.FAULT)} AS {rows.FAULT}"
    )
