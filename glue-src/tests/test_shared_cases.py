"""Inputs that people have, row by row: what they hold is what is loaded, or the reason why not."""

import json
from pathlib import Path

import pytest
from conftest import Lake
from pyspark.sql import SparkSession
from tables import table

from pipectl_glue import cells
from pipectl_glue.document import Column, Csv
from pipectl_glue.schema import parse_type
from pipectl_glue.sql import literal

CSV = {"delimiter": ",", "encoding": "utf-8", "header": True, "null": ["", "NULL"]}
SHARED = Path(__file__).parents[3] / "shared/cases/data"


def reasons(lake: Lake, entry: dict, name: str) -> list[str]:
    return sorted(row["reason"] for row in lake.quarantine("cleaned", entry, name))


DATES = [
    ("M/d/yyyy", "12/1/2010 8:26", "2010-12-01 08:26:00"),
    ("M/d/yyyy", "6/20/2017 1:05:09 PM", "2017-06-20 13:05:09"),
    ("M/d/yyyy", "6/20/2017 1:05:09 pm", "2017-06-20 13:05:09"),
    ("M/d/yyyy", "6/20/2017 12:05 AM", "2017-06-20 00:05:00"),
    ("M/d/yyyy", "6/20/2017 12:05PM", "2017-06-20 12:05:00"),
    ("M/d/yyyy", "6/20/2017 13:05 PM", None),
    ("M/d/yyyy", "6/20/2017 24:05", None),
    ("M/d/yyyy", "6/20/17", None),
    ("M/d/yy", "12/1/10 8:26", "2010-12-01 08:26:00"),
    ("d.M.yyyy", "31.12.2026 14:05", "2026-12-31 14:05:00"),
    ("d.M.yyyy", "31.12.2026", "2026-12-31 00:00:00"),
    ("d.M.yyyy", "30.2.2026 8:00", None),
]


def test_times_under_a_date_format(spark: SparkSession):
    column = Column("at", parse_type("timestamp"), "at")
    fields = []
    for number, (pattern, text, _) in enumerate(DATES):
        read = cells.trimmed(column, literal(text), Csv(date_format=pattern))
        fields.append(f"CAST({cells.value(column, read)} AS STRING) AS v{number}")
    row = spark.range(1).selectExpr(*fields).collect()[0]
    assert [(pattern, text, row[f"v{at}"]) for at, (pattern, text, _) in enumerate(DATES)] == DATES


def test_texts_keep_their_blanks_and_names_may_be_in_camel_case(lake: Lake):
    lake.document(
        t=table("id integer, name varchar(20)", csv=CSV),
        json=table("id integer, name varchar(20)"),
        orders=table("order_id integer!, customer_id integer, ship_name varchar(9)", csv=CSV),
        close=table("id integer!, colour varchar(9)", csv=CSV),
    )
    lake.drop("t/a.csv", 'id,name\n1,"trailing space "\n 2 ,  lead\n3,"   "\n')
    lake.drop("json/a.jsonl", json.dumps({"id": 1, "name": " #1 "}))
    lake.drop("orders/a.csv", "orderID,customerId,ShipName\n1,2,x\n")
    lake.drop("close/a.csv", "id,color\n1,red\n")
    entry = lake.clean()
    assert lake.rows(entry, "t") == [(1, "trailing space "), (2, "  lead"), (3, "   ")]
    assert lake.rows(entry, "json") == [(1, " #1 ")]
    assert lake.rows(entry, "orders") == [(1, 2, "x")]
    (warning,) = [found["text"] for found in entry["tables"]["close"]["findings"] if "lacks" in found["text"]]
    assert warning == (
        "the header of landing/close/a.csv lacks `colour`, which is NULL in its rows; "
        "if `color` is meant, write `from: color` for the column"
    )


def test_json_that_the_warehouse_would_refuse_is_quarantined(lake: Lake):
    lake.document(t=table("id integer, doc super, name varchar(20)"))
    lines = [
        r'{"id":1,"doc":{"k":"ab\u0000cd"}}',
        r'{"id":2,"doc":{"k":"x"}}',
        json.dumps({"id": 3, "doc": {"t": "x" * 70_000}}),
        r'{"id":4,"name":"lone\ud800"}',
        r'{"id":5,"name":"lone\udc00"}',
        r'{"id":6,"name":"\ud83d\ude00"}',
        r'{"id":7,"name":"\\ud800"}',
        json.dumps({"id": 8, "name": "\ufdd0"}),
    ]
    lake.drop("t/a.jsonl", "\n".join(lines) + "\n")
    entry = lake.clean()
    assert lake.rows(entry, "t") == [(2, '{"k":"x"}', None), (6, None, "😀"), (7, None, "\\ud800")]
    found = reasons(lake, entry, "t")
    assert [reason.partition(': "')[0] for reason in found] == [
        "`doc` holds a NUL character",
        "`doc`: 70008 bytes do not fit a super column (65535)",
        "`name` holds a character that is none (U+FDD0 to U+FDEF, U+FFFE, U+FFFF)",
        "the line holds one half of a surrogate pair, which is no character",
        "the line holds one half of a surrogate pair, which is no character",
    ]


def test_a_row_of_more_bytes_than_the_warehouse_takes(spark: SparkSession):
    wide = [(Column(f"c{at}", parse_type("varchar(65535)"), "x"), f"c{at}") for at in range(65)]
    assert cells.row_fault(wide[:64]) is None, "they cannot hold so much"
    fault = cells.row_fault(wide)
    texts = [f"repeat('x', {length}) AS c{at}" for at, length in enumerate([64_527] * 65)]
    row = spark.range(1).selectExpr(*texts).selectExpr(f"{fault} AS fault").collect()[0]
    assert row["fault"] is None
    texts = [f"repeat('x', 65535) AS c{at}" for at in range(65)]
    row = spark.range(1).selectExpr(*texts).selectExpr(f"{fault} AS fault").collect()[0]
    assert row["fault"] == "the row has 4259775 bytes of text, and the warehouse takes 4194304"


def test_quotes_as_programs_write_them(lake: Lake):
    columns = "id integer!, name varchar(40), after varchar(9)"
    escaped = {**CSV, "escape": "\\"}
    lake.document(
        inch=table(columns, csv=CSV),
        plain=table(columns, csv=CSV),
        escaped=table(columns, csv=escaped),
        lines=table(columns, csv={**escaped, "delimiter": "\t", "header": False}),
    )
    lake.drop("inch/a.csv", 'id,name,after\n1,5" disk,x\n2,"two\nlines",x\n')
    body = 'id,name,after\n1,"a \\"quoted\\" b",x\n2,"c ""d"" e",x\n'
    lake.drop("plain/a.csv", body)
    # Spark and UNLOAD, Hive, MySQL; of a pair that is no escape both characters stay.
    lake.drop(
        "escaped/a.csv", body + '3,unquoted\\, it is,x\n4,"c:\\new\\\\",\\N\n5,"two\nlines",x\n6,escaped \\\nbreak,x\n'
    )
    lake.drop("lines/a.csv", "1\ta\\\tb\tx\n2\t\\N\tx\n3\tnul\\0\tx\n4\tplain\tx\n")
    entry = lake.clean()
    assert lake.rows(entry, "inch") == [(1, '5" disk', "x"), (2, "two\nlines", "x")]
    assert lake.rows(entry, "plain") == [(2, 'c "d" e', "x")]
    (reason,) = reasons(lake, entry, "plain")
    assert reason.startswith("text follows a closing quote; if the file writes quotes with a backslash")
    assert lake.rows(entry, "escaped") == [
        (1, 'a "quoted" b', "x"),
        (2, 'c "d" e', "x"),
        (3, "unquoted, it is", "x"),
        (4, "c:\\new\\", None),
        (5, "two\nlines", "x"),
        (6, "escaped \nbreak", "x"),
    ]
    assert lake.rows(entry, "lines") == [(1, "a\tb", "x"), (2, None, "x"), (4, "plain", "x")]
    assert reasons(lake, entry, "lines") == ["`name` holds a NUL character"]


@pytest.mark.skipif(not SHARED.exists(), reason="shared (the cases are not beside the checkout)")
def test_each_shared_case_as_it_is(lake: Lake):
    keyed = {"csv": CSV, "key": ["id"], "load": "upsert"}
    lake.document(
        ambiguous=table("id integer, user_name varchar(9)", csv=CSV),
        backslash=table("id integer, name varchar(40), after varchar(9)", csv={**CSV, "escape": "\\"}),
        camel=table("order_id integer, customer_id integer, ship_name varchar(9)", csv=CSV),
        dates=table("no integer, at timestamp", csv={**CSV, "date_format": "M/d/yyyy"}),
        inch=table("id integer, name varchar(40), after varchar(9)", csv=CSV),
        items=table("id integer!, name varchar(20)", **keyed),
        good=table("id integer!, name varchar(20)", **keyed),
        none=table("id integer!, name varchar(20)", **keyed),
        trimmed=table("id integer, name varchar(20)", csv=CSV),
        list=table("id integer!, name varchar(20)", snapshot=True, deletes=True, **keyed),
        first=table("id integer, doc super"),
        second=table("id integer, doc super"),
        docs=table("id integer, doc super"),
    )
    for name, file in {
        "ambiguous": "ambiguous-header-null/t.csv",
        "backslash": "backslash-quotes/t.csv",
        "camel": "camelcase-header/orders.csv",
        "dates": "date-format-times/t.csv",
        "inch": "inch-mark/t.csv",
        "items": "hang-header-lacks-required/items.csv",
        "good": "header-only-poisons-load/good.csv",
        "none": "header-only-poisons-load/none.csv",
        "trimmed": "text-trimmed/t.csv",
        "list": "unchanged-snapshot-poisons-load/1/list.csv",
        "first": "super-nul-blocks-load/a_first.jsonl",
        "second": "super-nul-blocks-load/b_second.jsonl",
        "docs": "super-over-64k-blocks-load/docs.jsonl",
    }.items():
        lake.drop(f"{name}/{Path(file).name}", (SHARED / file).read_bytes())
    entry = lake.clean()
    rows = {name: lake.rows(entry, name) for name in entry["tables"] if name != "dates"}
    assert rows == {
        "ambiguous": [],
        "backslash": [(1, 'a "quoted" b', "x")],
        "camel": [(1, 2, "x")],
        "inch": [(1, '5" disk', "x"), (2, "two\nlines", "x")],
        "items": [],
        "good": [(1, "a"), (2, "b")],
        "none": [],
        "trimmed": [(1, "trailing space "), (2, "  lead")],
        "list": [(1, "a", None, False), (2, "b", None, False)],
        "first": [],
        "second": [(1, '{"k":"x"}')],
        "docs": [(2, "{}")],
    }
    times = lake.frame(entry["tables"]["dates"]).selectExpr("no", "CAST(at AS STRING)").collect()
    assert sorted(map(tuple, times)) == [(1, "2010-12-01 08:26:00"), (2, "2017-06-20 13:05:09")]
    first = lake.transform()
    assert all(counts["path"] for counts in first["tables"].values())
    lake.drop("list/again.csv", (SHARED / "unchanged-snapshot-poisons-load/2/list.csv").read_bytes())
    assert lake.clean()["tables"]["list"]["unchanged"] == 2
    again = lake.transform()["tables"]["list"]
    assert (again["rows_out"], again["path"] is None) == (0, False)
