"""Cleaned batches, also those that an older document made, to the table's columns as they are declared now."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipectl_glue import cells, rows
from pipectl_glue.document import Table


def shape(frame: DataFrame, table: Table, batch: str) -> DataFrame:
    """Selects the declared columns in order. One that the batch lacks is null, one of another type is cast again."""
    held = {field.name: field.dataType for field in frame.schema.fields}
    values, faults = [], []
    for column in table.columns:
        if column.name not in held:
            values.append(F.lit(None).cast(column.type.spark).alias(column.name))
            text = found = F.lit(None).cast("string")
        elif held[column.name] == column.type.spark:
            found = rows.named(column.name)
            text = found.cast("string")
            values.append(found.alias(column.name))
        else:
            text = rows.named(column.name).cast("string")
            found = cells.value(column, text)
            values.append(found.alias(column.name))
        faults.append(cells.fault(column, text, found, table.is_required(column)))
    reason = rows.none_if_empty(F.concat_ws("; ", *faults))
    return frame.select(*values, F.lit(batch).alias(rows.BATCH), reason.alias(rows.FAULT))
