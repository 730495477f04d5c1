"""The column types of a pipeline document and what they are in Spark."""

import re
from dataclasses import dataclass

from pyspark.sql import types as spark

from pipectl_glue.contract import DECIMAL_DIGITS, VARCHAR_BYTES
from pipectl_glue.failure import Failure

_PLAIN: dict[str, spark.DataType] = {
    "smallint": spark.ShortType(),
    "integer": spark.IntegerType(),
    "bigint": spark.LongType(),
    "double": spark.DoubleType(),
    "boolean": spark.BooleanType(),
    "date": spark.DateType(),
    "timestamp": spark.TimestampType(),
    "super": spark.StringType(),
}
_DECIMAL = re.compile(r"decimal\(([0-9]+), ?([0-9]+)\)")
_VARCHAR = re.compile(r"varchar\(([0-9]+)\)")


@dataclass(frozen=True)
class Type:
    """A column type as Redshift spells it, for example `decimal(12,2)`."""

    text: str
    kind: str
    spark: spark.DataType
    precision: int = 0
    scale: int = 0
    size: int = 0


def parse_type(text: str) -> Type:
    """Reads `bigint`, `decimal(12,2)`, `varchar(64)` and their like."""
    if text in _PLAIN:
        return Type(text, text, _PLAIN[text])
    if (match := _VARCHAR.fullmatch(text)) and 1 <= int(match[1]) <= VARCHAR_BYTES:
        return Type(text, "varchar", spark.StringType(), size=int(match[1]))
    if match := _DECIMAL.fullmatch(text):
        precision, scale = int(match[1]), int(match[2])
        if 1 <= precision <= DECIMAL_DIGITS and scale <= precision:
            return Type(text, "decimal", spark.DecimalType(precision, scale), precision=precision, scale=scale)
    known = ", ".join([*_PLAIN, "decimal(p,s)", "varchar(n)"])
    raise Failure(f"unknown type `{text}`; the types are {known}")
