"""One cell at a time: what is a value of a type, and what is not."""

import datetime
from decimal import Decimal

import pytest
from pyspark.sql import SparkSession

from pipectl_glue import cells
from pipectl_glue.document import Column
from pipectl_glue.failure import Failure
from pipectl_glue.schema import parse_type
from pipectl_glue.sql import identifier, literal

BAD = object()
UTC = datetime.UTC

CASES = [
    ("bigint", "12", 12),
    ("bigint", " +7 ", 7),
    ("bigint", "gid://shopify/Order/3838572757198", 3838572757198),
    ("bigint", "gid://shopify/LineItem/5?cart=1", 5),
    ("bigint", "9223372036854775807", 9223372036854775807),
    ("bigint", "9223372036854775808", BAD),
    ("bigint", "1.2E7", 12000000),
    ("bigint", "5.0", 5),
    ("bigint", "5.5", BAD),
    ("bigint", "1e-3", BAD),
    ("bigint", "true", BAD),
    ("bigint", "", BAD),
    ("bigint", "1_000", BAD),
    ("integer", "2147483647", 2147483647),
    ("integer", "2147483648", BAD),
    ("integer", "gid://shopify/Order/1", BAD),
    ("smallint", "-32768", -32768),
    ("smallint", "40000", BAD),
    ("decimal(5,2)", "123.45", Decimal("123.45")),
    ("decimal(5,2)", "123.4500", Decimal("123.45")),
    ("decimal(5,2)", "1234.5", BAD),
    ("decimal(5,2)", "1.005", BAD),
    ("decimal(5,2)", "1.2E2", Decimal("120.00")),
    ("decimal(5,2)", "1.5E-5", BAD),
    ("decimal(5,2)", "12,50", BAD),
    ("decimal(5,2)", ".5", Decimal("0.50")),
    ("decimal(5,2)", ".", BAD),
    ("decimal(38,0)", "9" * 38, Decimal("9" * 38)),
    ("decimal(38,0)", "9" * 39, BAD),
    ("double", "1e3", 1000.0),
    ("double", "1e999", BAD),
    ("double", "NaN", BAD),
    ("double", "1d", BAD),
    ("boolean", "TRUE", True),
    ("boolean", "no", False),
    ("boolean", "2", BAD),
    ("date", "2024-02-29", datetime.date(2024, 2, 29)),
    ("date", "2023-02-29", BAD),
    ("date", "2024-02-30T25:00:00", BAD),
    ("date", "2024-01-31T23:30:00-02:00", datetime.date(2024, 2, 1)),
    ("date", "31/01/2024", BAD),
    ("date", "2024", BAD),
    ("timestamp", "2024-01-01T10:00:00Z", datetime.datetime(2024, 1, 1, 10, tzinfo=UTC)),
    ("timestamp", "2024-01-01T10:00:00.123456+02:00", datetime.datetime(2024, 1, 1, 8, 0, 0, 123456, tzinfo=UTC)),
    ("timestamp", "2024-01-01 10:00:00+0530", datetime.datetime(2024, 1, 1, 4, 30, tzinfo=UTC)),
    ("timestamp", "2024-01-01", datetime.datetime(2024, 1, 1, tzinfo=UTC)),
    ("timestamp", "2024-01-01T24:00:00Z", BAD),
    ("timestamp", "10:00", BAD),
    ("timestamp", "1704103200", BAD),
    ("varchar(4)", "  née ", "née"),
    ("varchar(4)", "néés", BAD),
    ("varchar(4)", "ab\x00", BAD),
    ("super", '{"a":[1]}', '{"a":[1]}'),
    ("super", '"text"', '"text"'),
    ("super", "{broken", BAD),
    ("super", "1,2", BAD),
]


def test_every_cell(spark: SparkSession):
    fields = []
    for number, (kind, text, _) in enumerate(CASES):
        column = Column(f"c{number}", parse_type(kind), "x")
        read = cells.trimmed(column, literal(text))
        found = cells.value(column, read)
        shown = f"unix_micros({found})" if kind == "timestamp" else found
        fields += [f"{shown} AS v{number}", f"{cells.fault(column, read, found, False)} AS f{number}"]
    row = spark.range(1).selectExpr(*fields).collect()[0]
    for number, (kind, text, expected) in enumerate(CASES):
        fault, value = row[f"f{number}"], row[f"v{number}"]
        case = f"{kind} from {text!r}: value {value!r}, fault {fault!r}"
        if expected is BAD:
            assert fault, case
            assert f"`c{number}`" in fault, case
        elif isinstance(expected, datetime.datetime):
            assert (value, fault) == (round(expected.timestamp() * 1_000_000), None), case
        else:
            assert (value, fault) == (expected, None), case


def test_a_reason_names_column_value_and_type(spark: SparkSession):
    column = Column("total", parse_type("decimal(12,2)"), "total")
    text = literal("x" * 100)
    fault = cells.fault(column, text, cells.value(column, text), False)
    assert spark.range(1).selectExpr(fault).collect()[0][0] == f'`total`: "{"x" * 40}…" is not a decimal(12,2)'


@pytest.mark.parametrize(
    "text", ["int", "decimal(39,2)", "decimal(2,3)", "varchar(0)", "varchar(70000)", "varchar", ""]
)
def test_unknown_types(text: str):
    with pytest.raises(Failure, match="unknown type"):
        parse_type(text)


LITERALS = ["plain", "it's", "back\\slash", "'\\'", "line\nbreak", "\\0", "nul\x0012", "%_é😀", "\\u0041", "`tick`"]


@pytest.mark.parametrize("text", LITERALS)
def test_a_literal_is_the_text(spark: SparkSession, text: str):
    assert spark.range(1).selectExpr(literal(text)).collect()[0][0] == text


def test_a_name_is_any_text(spark: SparkSession):
    assert spark.range(1).selectExpr(f"1 AS {identifier('a`b c')}").columns == ["a`b c"]
