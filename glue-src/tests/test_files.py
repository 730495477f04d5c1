"""Files as people make them: spreadsheets' CSV, Parquet, whole tables, and what changes from one to the next."""

import datetime
import json
from decimal import Decimal

import pytest
from conftest import BUCKETS, Lake
from tables import table

from pipectl_glue.failure import Failure

CSV = {"delimiter": ",", "encoding": "utf-8", "header": True, "null": ["", "NULL"]}


def lines(*records: object) -> str:
    return "".join(f"{json.dumps(record)}\n" for record in records)


def findings(entry: dict, name: str) -> list[str]:
    return [found["text"] for found in entry["tables"][name]["findings"]]


def test_what_spreadsheets_export(lake: Lake):
    german = {**CSV, "delimiter": ";", "encoding": "auto", "decimal": ",", "thousands": ".", "date_format": "d.M.yyyy"}
    columns = "article_number bigint!, name varchar(40), price decimal(10,2), sold integer, day date, at timestamp"
    american = {**CSV, "thousands": ",", "date_format": "M/d/yyyy"}
    lake.document(t=table(columns, csv=german), us=table("id bigint!, day date, total decimal(8,2)", csv=american))
    header = "Article-Number;NAME;Price ;Sold;day;at;;\r\n"
    tabs = header.replace(";", "\t")
    # A line that says its delimiter, quotes over lines, and rows that are only formatted cells.
    quoted = '1;"Öl, ""extra""\r\nfine";1.234,50;1.000;31.12.2026;31.12.2026 14:05;;\r\n'
    lake.drop("t/a.csv", f"sep=;\r\n{header}{quoted};;;;;;;\r\n;;\r\n\r\n")
    lake.drop("t/b.csv", f"\ufeff{header}2;Käse;,5;7;2026-01-02;01.02.2026 03:04:05;;\r\n")
    lake.drop("t/c.csv", (header + "3;Grün €;12;1;1.2.2026;;;\r\n").encode("windows-1252"))
    lake.drop("t/d.csv", f"{tabs}4\tΩ\t1,5\t\t\t\t\t\r\n".encode("utf-16"))
    lake.drop("t/e.csv", f"sep=\t\r\n{tabs}5\ttabs\t-1.000.000,25\t\t\t\t\t\t\t\t\t\r\n")
    lake.drop("t/f.csv", f"{header}6;unclear;12.5;1.5;30.2.2026;;;\r\n7;more;1;1;;;;;x\r\n8;fewer;1\r\n")
    lake.drop("us/a.csv", 'id,day,total\n1,2/1/2026,"1,234.5"\n2,12/31/2026,"12,34"\n')
    entry = lake.clean()
    rows = lake.rows(entry, "t")
    assert [row[:5] for row in rows] == [
        (1, 'Öl, "extra"\nfine', Decimal("1234.50"), 1000, datetime.date(2026, 12, 31)),
        (2, "Käse", Decimal("0.50"), 7, datetime.date(2026, 1, 2)),
        (3, "Grün €", Decimal("12.00"), 1, datetime.date(2026, 2, 1)),
        (4, "Ω", Decimal("1.50"), None, None),
        (5, "tabs", Decimal("-1000000.25"), None, None),
    ]
    frame = lake.frame(entry["tables"]["t"]).selectExpr("article_number", "CAST(at AS STRING)")
    assert sorted(map(tuple, frame.filter("at IS NOT NULL").collect())) == [
        (1, "2026-12-31 14:05:00"),
        (2, "2026-02-01 03:04:05"),
    ]
    assert lake.rows(entry, "us") == [(1, datetime.date(2026, 2, 1), Decimal("1234.50"))]
    assert sorted(row["reason"] for row in lake.quarantine("cleaned", entry, "t")) == [
        '`price`: "12.5 (decimal comma)" is not a decimal(10,2); '
        '`sold`: "1.5 (decimal comma)" is not an integer; `day`: "30.2.2026" is not a date',
        "the row has more or fewer fields than it should: the header has 8",
        "the row has more or fewer fields than it should: the header has 8",
    ]
    assert findings(entry, "t") == [
        "the header `Article-Number` is read as `article_number`",
        "the header `NAME` is read as `name`",
        "the header `Price` is read as `price`",
        "the header `Sold` is read as `sold`",
        "the delimiter of landing/t/d.csv is '\\t', not ';'",
    ]


def write_parquet(lake: Lake, key: str, select: str) -> None:
    lake.spark.range(1).selectExpr(f"inline(array({select}))").coalesce(1).write.mode("overwrite").parquet(
        f"s3://{BUCKETS['raw']}/work/"
    )
    (file,) = (lake.path("raw") / "work").glob("*.parquet")
    lake.drop(key, file.read_bytes())


def test_parquet_of_any_types(lake: Lake):
    columns = "id bigint!, total decimal(8,2), at timestamp, open boolean, city varchar(9) < address.city, tags super"
    lake.document(t=table(f"{columns}, address super", format="parquet"))
    write_parquet(
        lake,
        "t/a.parquet",
        "struct(1 AS id, 2.5D AS total, TIMESTAMP_NTZ '2026-01-02 03:04:05' AS at, true AS open, "
        "struct('Ulm' AS city) AS address, array(1, 2) AS tags, 'x' AS colour)",
    )
    write_parquet(
        lake,
        "t/b.parquet",
        "struct('2' AS id, 1.005BD AS total), struct('two' AS id, 1BD AS total), struct('3' AS id, 0BD AS total)",
    )
    write_parquet(lake, "t/c.parquet", "struct(4L AS id, CAST('NaN' AS DOUBLE) AS total, DATE '2026-01-02' AS at)")
    lake.drop("t/other.parquet", b"")
    write_parquet(lake, "t/d.parquet", "struct(4L AS number)")
    entry = lake.clean()
    frame = lake.frame(entry["tables"]["t"]).selectExpr(
        "id", "total", "CAST(at AS STRING)", "open", "city", "tags", "address"
    )
    assert sorted(map(tuple, frame.collect())) == [
        (1, Decimal("2.50"), "2026-01-02 03:04:05", True, "Ulm", "[1,2]", '{"city":"Ulm"}'),
        (3, Decimal("0.00"), None, None, None, None, None),
        (4, None, "2026-01-02 00:00:00", None, None, None, None),
    ]
    assert [row["reason"] for row in lake.quarantine("cleaned", entry, "t")] == [
        '`total`: "1.005" is not a decimal(8,2)',
        '`id`: "two" is not a bigint',
    ]
    assert entry["tables"]["t"]["unknown_columns"] == ["colour"]
    assert "has none of the table's columns (it has: number)" in findings(entry, "t")[-1]


SHOP = "id bigint!, name varchar(9), price decimal(8,2)"


def states(lake: Lake) -> set[str]:
    """The batches whose snapshots are kept."""
    folder = lake.path("cleaned") / "_state"
    return {path.relative_to(folder).parts[1] for path in folder.rglob("*.parquet")}


def test_each_file_is_the_whole_table(lake: Lake):
    lake.document(t=table(SHOP, csv=CSV, key=["id"], load="upsert", snapshot=True, deletes=True))
    lake.drop("t/1.csv", "id,name,price\n1,a,1\n2,b,2\n3,c,3\n4,d,4\n")
    first = lake.clean()
    assert [row[0] for row in lake.rows(first, "t")] == [1, 2, 3, 4]
    assert lake.frame(first["tables"]["t"]).columns == ["id", "name", "price", "_position", "_deleted"]
    lake.transform()
    # The older of two is passed over; 1 is as it was, 2 changed, 3 is bad and stays, 4 is gone, 5 is new.
    lake.drop("t/2.csv", "id,name,price\n9,older,1\n")
    lake.drop("t/3.csv", "id,name,price\n1,a,1\n2,b,2.50\n3,c,dear\n5,e,5\n")
    second = lake.clean()
    assert [(row[0], row[4]) for row in lake.rows(second, "t")] == [(2, False), (4, True), (5, False)]
    counts = second["tables"]["t"]
    books = {name: counts[name] for name in ("rows_in", "rows_out", "unchanged", "quarantined", "deleted")}
    assert books == {"rows_in": 5, "rows_out": 3, "unchanged": 1, "quarantined": 1, "deleted": 1}
    assert second["inputs"][0]["superseded_by"] == "landing/t/3.csv"
    transformed = lake.transform()
    assert lake.frame(transformed["tables"]["t"]).columns == ["id", "name", "price", "_deleted"]
    assert [(row[0], row[3]) for row in lake.rows(transformed, "t")] == [(2, False), (4, True), (5, False)]
    # 3 is still there, as it was; a row without a key hides what else is gone.
    lake.drop("t/4.csv", "id,name,price\n3,c,3\n,nameless,1\n")
    third = lake.clean()
    assert lake.rows(third, "t") == []
    assert third["tables"]["t"]["unchanged"] == 1
    assert findings(third, "t") == [
        "rows without a readable key are in the snapshot, so nothing is taken for gone this time"
    ]
    lake.drop("t/5.csv", "id,name,price\n3,c,3\n")
    assert [(row[0], row[4]) for row in lake.rows(lake.clean(), "t")] == [(1, True), (2, True), (5, True)]
    assert len(states(lake)) == 2
    lake.drop("t/6.csv", "id,name,price\n")
    last = lake.clean()
    assert last["tables"]["t"]["rows_out"] == 0
    assert "a snapshot without rows would delete the whole table" in last["inputs"][0]["refused"]
    assert len(states(lake)) == 1, "only the last one is kept"


def test_deletions_travel_as_rows(lake: Lake):
    columns = "id bigint!, at timestamp, v varchar(9)"
    lake.document(t=table(columns, key=["id"], order_by="at", load="upsert", deletes=True, checks={"not_null": ["v"]}))
    lake.drop(
        "t/a.jsonl",
        lines(
            {"id": 1, "at": "2026-01-01", "v": "goes", "_position": "1"},
            {"id": 1, "_deleted": True, "_position": "2"},
            {"id": 2, "at": "2026-01-01", "v": "goes", "_position": "1"},
            {"id": 2, "_deleted": True, "_position": "2"},
            {"id": 2, "at": "2026-01-01", "v": "comes", "_position": "3"},
            {"id": 3, "at": "2026-01-02", "v": "newer", "_position": "1"},
            {"id": 3, "at": "2026-01-01", "v": "older", "_position": "2"},
            {"id": "x", "_deleted": True},
            {"id": 4, "at": "2026-01-01", "v": "first"},
        ),
    )
    entry = lake.clean()
    assert [(row[0], row[2], row[4]) for row in lake.rows(entry, "t")] == [
        (1, None, True),
        (2, "comes", False),
        (3, "newer", False),
        (4, "first", False),
    ]
    assert [row["reason"] for row in lake.quarantine("cleaned", entry, "t")] == ['`id`: "x" is not a bigint']
    lake.drop("t/b.jsonl", lines({"id": 4, "_deleted": True, "_position": "1"}))
    lake.clean()
    transformed = lake.transform()
    rows = lake.rows(transformed, "t")
    assert [(row[0], row[3]) for row in rows] == [(1, True), (2, False), (3, False), (4, True)]
    assert transformed["tables"]["t"]["deleted"] == 2
    assert transformed["tables"]["t"]["quarantined"] == 0, "no check speaks of what is gone"


def test_columns_come_and_go(lake: Lake):
    tables = {
        "sheet": table(SHOP, csv=CSV),
        "typed": table(SHOP, format="parquet"),
        "lax": table(SHOP, csv=CSV, schema_changes="accept"),
        "other": table("id bigint"),
    }
    lake.document(**tables)
    for name in ("sheet", "lax"):
        lake.drop(f"{name}/1.csv", "id,name,price\n1,a,1\n")
    write_parquet(lake, "typed/1.parquet", "struct(1 AS id, 'a' AS name, 1 AS price)")
    lake.clean()
    # A new column is told; a lost one and another type stop their tables, and nobody else.
    for name in ("sheet", "lax"):
        lake.drop(f"{name}/2.csv", "id,price,colour\n2,2,red\n")
    write_parquet(lake, "typed/2.parquet", "struct(2 AS id, 'b' AS name, 'cheap' AS price)")
    lake.drop("other/1.jsonl", lines({"id": 1}))
    with pytest.raises(Failure) as failure:
        lake.clean()
    (*_, entry) = lake.entries("cleaned")
    assert str(failure.value) == (
        "table `sheet`: the columns of landing/sheet/2.csv are not those of the files before it: `name` is missing. "
        "Correct the file, or say `schema_changes: accept` for the table if it is meant; "
        "table `typed`: the columns of landing/typed/2.parquet are not those of the files before it: "
        "`price` was number and is text. Correct the file, or say `schema_changes: accept` for the table if it is "
        f"meant; the other tables are committed in batch {entry['batch']}"
    )
    assert sorted(entry["tables"]) == ["lax", "other"]
    assert lake.rows(entry, "lax") == [(2, None, Decimal("2.00"))]
    assert findings(entry, "lax") == [
        "the columns of landing/lax/2.csv are not those of the files before it: `name` is missing",
        "columns that the table does not have: colour",
    ]
    report = json.loads((lake.path("transformed") / f"reports/{entry['batch']}.json").read_text())
    assert (report["stage"], report["state"]) == ("clean", "failed")
    assert "`name` is missing" in report["tables"]["sheet"]["stopped"]
    assert report["tables"]["lax"]["stopped"] is None
    # What waits is taken once the table says that it is meant, or the file is right.
    tables["sheet"]["schema_changes"] = "accept"
    lake.document(**tables)
    write_parquet(lake, "typed/2.parquet", "struct(2L AS id, 'b' AS name, 2BD AS price)")
    entry = lake.clean()
    assert lake.rows(entry, "sheet") == [(2, None, Decimal("2.00"))]
    assert lake.rows(entry, "typed") == [(2, "b", Decimal("2.00"))]
    assert lake.clean() is None
