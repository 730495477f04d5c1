"""One cell at a time: what is a value of a type, and what is not."""

import datetime
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pipectl_glue import cells
from pipectl_glue.document import Column, Csv
from pipectl_glue.schema import parse_type
from pipectl_glue.sql import identifier, literal

CASES = json.loads((Path(__file__).parents[2] / "lambda-src/contract/cases/cells.json").read_text())


def _expected(case: dict[str, Any]) -> Any:
    kind, value = case["type"].partition("(")[0], case["value"]
    if kind == "decimal":
        return Decimal(value)
    if kind == "date":
        return datetime.date.fromisoformat(value)
    if kind == "timestamp":
        return round(datetime.datetime.fromisoformat(value).timestamp() * 1_000_000)
    return value


def test_every_cell(spark: SparkSession):
    """`pipectl upload` is held to the same cases (`src/operations/upload/value.rs`)."""
    fields = []
    for number, case in enumerate(CASES):
        column = Column(f"c{number}", parse_type(case["type"]), "x")
        # Without its way of writing null: an empty text is a text here.
        style = Csv(null=(), **case["csv"]) if "csv" in case else None
        read = cells.trimmed(column, literal(case["text"]), style)
        found = cells.value(column, read)
        shown = f"unix_micros({found})" if column.type.kind == "timestamp" else found
        fields += [f"{shown} AS v{number}", f"{cells.fault(column, read, found, False)} AS f{number}"]
    row = spark.range(1).selectExpr(*fields).collect()[0]
    wrong = []
    for number, case in enumerate(CASES):
        fault, value = row[f"f{number}"], row[f"v{number}"]
        good = (value, fault) == (_expected(case), None) if case["accepted"] else f"`c{number}`" in (fault or "")
        if not good:
            wrong.append(f"{case}: value {value!r}, fault {fault!r}")
    assert not wrong, "\n".join(wrong)


def test_a_reason_names_column_value_and_type(spark: SparkSession):
    column = Column("total", parse_type("decimal(12,2)"), "total")
    text = literal("x" * 100)
    fault = cells.fault(column, text, cells.value(column, text), False)
    assert spark.range(1).selectExpr(fault).collect()[0][0] == f'`total`: "{"x" * 40}…" is not a decimal(12,2)'


LITERALS = ["plain", "it's", "back\\slash", "'\\'", "line\nbreak", "\\0", "nul\x0012", "%_é😀", "\\u0041", "`tick`"]


@pytest.mark.parametrize("text", LITERALS)
def test_a_literal_is_the_text(spark: SparkSession, text: str):
    assert spark.range(1).selectExpr(literal(text)).collect()[0][0] == text


def test_a_name_is_any_text(spark: SparkSession):
    assert spark.range(1).selectExpr(f"1 AS {identifier('a`b c')}").columns == ["a`b c"]
