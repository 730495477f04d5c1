"""Values that must be there in another table: which of a batch's are not."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipectl_glue import rows
from pipectl_glue.document import Column
from pipectl_glue.sql import identifier

# So few values are looked for by name, which lets Spark skip most of the other table's files.
_BY_NAME = 1000
_ORPHAN = "__orphan"


def flag(index: int) -> str:
    """The column that says whether a row breaks the reference number `index`."""
    return f"{_ORPHAN}_{index}"


def flagged(frame: DataFrame, index: int, column: str, known: DataFrame | None, target: Column) -> DataFrame:
    """Says of each row whether its value is missing in `known`, the rows of the other table (None: it has none)."""
    value = rows.named(column).cast("string")
    if known is None:
        return frame.withColumn(flag(index), value.isNotNull())
    values = frame.select(value.alias("value")).filter("value IS NOT NULL").distinct()
    few = [row["value"] for row in values.limit(_BY_NAME + 1).collect()]
    there = known
    if len(few) <= _BY_NAME:
        there = there.filter(rows.named(target.name).isin([F.lit(text).cast(target.type.spark) for text in few]))
    there = there.select(F.expr(f"CAST({identifier(target.name)} AS STRING)").alias("value")).distinct()
    missing = values.join(there, "value", "left_anti").select(F.col("value").alias("__missing"))
    joined = frame.join(missing, value == F.col("__missing"), "left")
    return joined.withColumn(flag(index), F.col("__missing").isNotNull()).drop("__missing")


def read_known(spark: SparkSession, path: str, target: Column) -> DataFrame:
    """One column of all cleaned rows of a table, of all batches."""
    return spark.read.schema(f"{identifier(target.name)} {target.type.spark.simpleString()}").parquet(path)
