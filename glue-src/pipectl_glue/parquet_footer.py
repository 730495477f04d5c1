"""The footers of Parquet files: what columns each has, or why it cannot be read at all."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import types as T

from pipectl_glue import spark_errors
from pipectl_glue.readers import Given

# The metadata of a column whose numbers are a time of day: its unit, `MILLIS`, `MICROS` or `NANOS`.
TIME = "time"
# The metadata of a column whose numbers are nanoseconds since 1970.
NANOSECONDS = "nanoseconds"
# The metadata of a column that Spark cannot read: why.
UNREADABLE = "unreadable"
_AT_ONCE = 8
# Spark's own exceptions come as Python's, all others of the JVM as they are.
_ERRORS = (Py4JJavaError, PySparkException)
_ANNOTATION = re.compile(r"^(TIME|TIMESTAMP)\((MILLIS|MICROS|NANOS)")


def schemas(given: Given) -> list[T.StructType | str]:
    """The schema of each object, in their order, or why it has none. Spark itself would start a job for each.

    Types that Spark lacks are numbers with metadata (`TIME`, `NANOSECONDS`). A column of any other type that it cannot
    read is a text with `UNREADABLE`, and does not make the file unreadable.
    """
    with ThreadPoolExecutor(_AT_ONCE) as workers:
        return list(workers.map(lambda entry: _schema(given.spark, given.path(entry)), given.inputs))


def readable(schema: T.StructType) -> T.StructType:
    """The schema without the columns that Spark cannot read."""
    return T.StructType([field for field in schema.fields if UNREADABLE not in (field.metadata or {})])


def unreadable(schema: T.StructType, names: set[str]) -> str | None:
    """Why a file cannot be used: a column that the table takes has a type that Spark cannot read."""
    for field in schema.fields:
        why = (field.metadata or {}).get(UNREADABLE)
        if why and field.name in names:
            return f"the column `{field.name}` has a type that the job cannot read ({why}); write it as text or number"
    return None


def _schema(spark: SparkSession, path: str) -> T.StructType | str:
    session = spark._jsparkSession.sessionState()
    try:
        message = _message(spark, session, path)
        parquet = spark._jvm.org.apache.spark.sql.execution.datasources.parquet
        converter = parquet.ParquetToSparkSchemaConverter(session.conf())
        if "(TIME" not in message.toString():
            try:
                return T.StructType.fromJson(json.loads(converter.convert(message).json()))
            except _ERRORS:
                # One of its columns has a type that Spark does not know.
                pass
        return T.StructType([_field(spark, converter, field) for field in message.getFields()])
    except _ERRORS as error:
        return _message_of(error)


def _field(spark: SparkSession, converter: Any, field: Any) -> T.StructField:
    """One column as Spark can read it."""
    name, found = field.getName(), _ANNOTATION.match(str(field.getLogicalTypeAnnotation() or ""))
    if found and found[1] == "TIME":
        number = T.IntegerType() if found[2] == "MILLIS" else T.LongType()
        return T.StructField(name, number, metadata={TIME: found[2]})
    alone = spark._jvm.java.util.ArrayList()
    alone.add(field)
    message = spark._jvm.org.apache.parquet.schema.MessageType("schema", alone)
    try:
        converted = T.StructType.fromJson(json.loads(converter.convert(message).json()))[0]
    except _ERRORS as error:
        return T.StructField(name, T.StringType(), metadata={UNREADABLE: _message_of(error)})
    if found and found[2] == "NANOS":
        return T.StructField(name, T.LongType(), metadata={NANOSECONDS: True})
    return converted


def _message_of(error: Exception) -> str:
    return spark_errors.cause(error)


def _message(spark: SparkSession, session: Any, path: str) -> Any:
    """The schema as Parquet has it."""
    hadoop = spark._jvm.org.apache.parquet.hadoop
    address = spark._jvm.org.apache.hadoop.fs.Path(path)
    reader = hadoop.ParquetFileReader.open(hadoop.util.HadoopInputFile.fromPath(address, session.newHadoopConf()))
    try:
        return reader.getFooter().getFileMetaData().getSchema()
    finally:
        reader.close()
