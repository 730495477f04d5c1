"""The footers of Parquet files: what columns each has, or why it cannot be read at all."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession
from pyspark.sql import types as T

from pipectl_glue.readers import Given

# The metadata of a column that is a time of day: its unit, `MILLIS` or `MICROS`.
TIME = "time"
_AT_ONCE = 8


def schemas(given: Given, times: bool = False) -> list[T.StructType | str]:
    """The schema of each object, in their order, or why it has none. Spark itself would start a job for each.

    Spark has no type for a time of day and refuses a file with one; with `times` it is a number, marked by `TIME`.
    """
    with ThreadPoolExecutor(_AT_ONCE) as workers:
        return list(workers.map(lambda entry: _schema(given.spark, given.path(entry), times), given.inputs))


def _schema(spark: SparkSession, path: str, times: bool) -> T.StructType | str:
    session = spark._jsparkSession.sessionState()
    try:
        message = _message(spark, session, path)
        units = {}
        if times:
            message, units = _without_times(spark, message)
        parquet = spark._jvm.org.apache.spark.sql.execution.datasources.parquet
        converted = parquet.ParquetToSparkSchemaConverter(session.conf()).convert(message)
    except Py4JJavaError as error:
        return str(error.java_exception.getMessage() or error.java_exception.getClass().getSimpleName())
    schema = T.StructType.fromJson(json.loads(converted.json()))
    for name, unit in units.items():
        number = T.IntegerType() if unit == "MILLIS" else T.LongType()
        schema = schema.add(T.StructField(name, number, metadata={TIME: unit}))
    return schema


def _message(spark: SparkSession, session: Any, path: str) -> Any:
    """The schema as Parquet has it."""
    hadoop = spark._jvm.org.apache.parquet.hadoop
    address = spark._jvm.org.apache.hadoop.fs.Path(path)
    reader = hadoop.ParquetFileReader.open(hadoop.util.HadoopInputFile.fromPath(address, session.newHadoopConf()))
    try:
        return reader.getFooter().getFileMetaData().getSchema()
    finally:
        reader.close()


def _without_times(spark: SparkSession, message: Any) -> tuple[Any, dict[str, str]]:
    """The schema without its times of day, and the unit of each of these."""
    others, units = spark._jvm.java.util.ArrayList(), {}
    for field in message.getFields():
        annotation = str(field.getLogicalTypeAnnotation() or "")
        if annotation.startswith("TIME("):
            units[field.getName()] = annotation[len("TIME(") :].split(",")[0]
        else:
            others.add(field)
    return spark._jvm.org.apache.parquet.schema.MessageType("schema", others), units
