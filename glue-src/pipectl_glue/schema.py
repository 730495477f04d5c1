"""The column types of a pipeline document and what they are in Spark."""

import re
from dataclasses import dataclass

from pyspark.sql import types as spark

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
_WITH_SIZE = re.compile(r"^(decimal|varchar)\((\d+)(?:,\s*(\d+))?\)$")

# Redshift's own limits.
_MOST_DIGITS = 38
_MOST_BYTES = 65535


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
    match = _WITH_SIZE.match(text)
    if match and match[1] == "varchar" and match[3] is None and 1 <= int(match[2]) <= _MOST_BYTES:
        return Type(text, "varchar", spark.StringType(), size=int(match[2]))
    if match and match[1] == "decimal":
        precision, scale = int(match[2]), int(match[3] or 0)
        if 1 <= precision <= _MOST_DIGITS and scale <= precision:
            return Type(text, "decimal", spark.DecimalType(precision, scale), precision=precision, scale=scale)
    known = ", ".join([*_PLAIN, "decimal(p,s)", "varchar(n)"])
    raise Failure(f"unknown type `{text}`; the types are {known}")
