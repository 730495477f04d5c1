"""Files without names or keys: fields by their order, `_file` and `_line`, and dates in a time zone."""

import datetime
import gzip
import json

import pytest
from conftest import Lake
from tables import table

CSV = {"delimiter": ",", "encoding": "utf-8", "header": True, "null": [""]}
KEYED = {"key": ["file", "line"], "load": "upsert"}
COLUMNS = "file varchar(99)! < _file, name varchar(9), line integer! < _line"


def test_rows_are_known_by_their_file_and_line(lake: Lake):
    lake.document(
        sheet=table(COLUMNS, csv=CSV, **KEYED),
        bare=table("line bigint < _line, id integer, name varchar(9)", csv={**CSV, "header": False}),
        json=table(COLUMNS, **KEYED),
        only=table("file varchar(99) < _file, line integer < _line", csv=CSV),
    )
    lake.drop("sheet/2026/a b.csv", "name\nx\n\nx\n")
    lake.drop("sheet/c.csv.gz", gzip.compress(b"name\ny\n"))
    lake.drop("bare/a.csv", "7,x\n8,y\n9\n")
    lake.drop("json/a.jsonl", '{"name": "x"}\n\nbroken\n{"name": "x"}\n')
    entry = lake.clean()
    assert lake.rows(entry, "sheet") == [
        ("sheet/2026/a b.csv", "x", 1),
        ("sheet/2026/a b.csv", "x", 2),
        ("sheet/c.csv.gz", "y", 1),
    ]
    assert lake.rows(entry, "bare") == [(1, 7, "x"), (2, 8, "y")]
    (short,) = lake.quarantine("cleaned", entry, "bare")
    assert short["reason"] == "the row has more or fewer fields than it should: the table has 2 columns"
    assert lake.rows(entry, "json") == [("json/a.jsonl", "x", 1), ("json/a.jsonl", "x", 3)]
    assert "unknown_columns" not in [found["kind"] for found in entry["tables"]["sheet"]["findings"]]
    assert lake.rows(lake.transform(), "sheet")[0] == ("sheet/2026/a b.csv", "x", 1)


@pytest.mark.parametrize("header", [True, False])
def test_lines_are_numbered_over_the_parts_of_a_file(lake: Lake, header: bool):
    lake.document(t=table("line bigint! < _line, n bigint", csv={**CSV, "header": header}, key=["line"], load="upsert"))
    numbers = range(1, 60_001)
    lake.drop("t/a.csv", ("n\n" if header else "") + "".join(f"{number}\n" for number in numbers))
    size = lake.spark.conf.get("spark.sql.files.maxPartitionBytes")
    lake.spark.conf.set("spark.sql.files.maxPartitionBytes", "50000")
    try:
        entry = lake.clean()
    finally:
        lake.spark.conf.set("spark.sql.files.maxPartitionBytes", size)
    frame = lake.frame(entry["tables"]["t"])
    assert frame.filter("line = n").count() == len(numbers)


def test_the_date_of_a_time_in_a_zone(lake: Lake):
    texts = {
        "2026-06-30T22:30:00Z": datetime.date(2026, 7, 1),
        "2026-06-30T23:30:00-05:00": datetime.date(2026, 7, 1),
        "2026-12-31 22:59:59+00": datetime.date(2026, 12, 31),
        "2026-12-31 23:00Z": datetime.date(2027, 1, 1),
        "2026-06-30 23:30:00": datetime.date(2026, 6, 30),
        "2026-06-30": datetime.date(2026, 6, 30),
    }
    columns = "text varchar(40), day date @Europe/Berlin < text, utc date < text"
    lake.document(t=table(columns))
    rows = [*texts, "2026-06-31T22:30:00Z"]
    lake.drop("t/a.jsonl", "".join(f"{json.dumps({'text': text})}\n" for text in rows))
    entry = lake.clean()
    assert {row[0]: row[1] for row in lake.rows(entry, "t")} == texts
    assert lake.quarantine("cleaned", entry, "t")[0]["reason"].startswith('`day`: "2026-06-31T22:30:00Z" is not a date')
