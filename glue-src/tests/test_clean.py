"""The job `clean` on files: what comes in, what comes out, and why the rest does not."""

import bz2
import codecs
import gzip
import json
import random
from decimal import Decimal

import pytest
from conftest import BUCKETS, Lake
from pyspark.sql import SparkSession
from tables import table

from pipectl_glue.failure import Failure

ORDERS = "id bigint!, total decimal(12,2) < totalPriceSet.shopMoney.amount, name varchar(8)"


def lines(*records: object) -> str:
    return "".join(f"{record if isinstance(record, str) else json.dumps(record)}\n" for record in records)


def reasons(lake: Lake, entry: dict, name: str) -> list[str]:
    return sorted(row["reason"] for row in lake.quarantine("cleaned", entry, name))


def test_shopify_lines(lake: Lake):
    lake.document(
        orders=table(ORDERS, key=["id"], load="upsert"), order_lines=table("id bigint!, order_id bigint! < __parentId")
    )
    lake.drop(
        "orders/a.jsonl",
        lines(
            r'{"id":"gid:\/\/shopify\/Order\/1","totalPriceSet":{"shopMoney":{"amount":"10.50"}},"name":" #1"}',
            {"id": "gid://shopify/Order/2", "totalPriceSet": None, "colour": "red", "__typename": "Order"},
        ),
    )
    lake.drop(
        "order_lines/a.jsonl", lines(r'{"id":"gid:\/\/shopify\/LineItem\/9","__parentId":"gid:\/\/shopify\/Order\/1"}')
    )
    entry = lake.clean()
    assert lake.rows(entry, "orders") == [(1, Decimal("10.50"), " #1"), (2, None, None)]
    assert lake.rows(entry, "order_lines") == [(9, 1)]
    assert entry["tables"]["orders"]["unknown_columns"] == ["colour"]
    assert entry["tables"]["orders"]["path"] == f"s3://{BUCKETS['cleaned']}/orders/batch={entry['batch']}/"
    assert [(found["key"], found["table"]) for found in entry["inputs"]] == [
        ("landing/order_lines/a.jsonl", "order_lines"),
        ("landing/orders/a.jsonl", "orders"),
    ]


BAD_LINES = [
    ('{"id": 1, "name": "cut', "the line is not one JSON object"),
    ('{"id": 2} {"id": 3}', "the line is not one JSON object"),
    ('{"id": 4},{"id": 5}', "the line is not one JSON object"),
    ('[{"id": 6}]', "the line is not one JSON object"),
    ("{'id': 7}", "an object"),
    ('{"id": 8, "totalPriceSet": "9.99"}', "a value stands where the columns expect an object"),
    ('{"name": "no id"}', "`id` is missing"),
    ('{"id": null}', "`id` is missing"),
    ('{"id": "abc", "name": "much too long"}', '`id`: "abc" is not a bigint; `name`: 13 bytes do not fit varchar(8)'),
    ('{"id": 9, "totalPriceSet": {"shopMoney": {"amount": "12345678901.00"}}}', "is not a decimal(12,2)"),
    ('{"id": 99999999999999999999}', "is not a bigint"),
]


def test_bad_lines_are_kept_with_their_reason(lake: Lake):
    lake.document(orders=table(ORDERS))
    lake.drop("orders/a.jsonl", "\ufeff" + lines({"id": 100}, *[line for line, _ in BAD_LINES], "", "   ", {"id": 101}))
    lake.drop("orders/b.jsonl", b'{"id": 102, "name": "\xe9t\xe9"}\r\n{"id": 103}')
    entry = lake.clean()
    assert [row[0] for row in lake.rows(entry, "orders")] == [100, 101, 103]
    found = {row["row"]: row for row in lake.quarantine("cleaned", entry, "orders")}
    for line, reason in BAD_LINES:
        assert reason in found[line]["reason"], line
    latin = found['{"id": 102, "name": "\ufffdt\ufffd"}']
    assert latin["reason"] == "the line is not valid UTF-8"
    assert latin["source"] == f"s3://{BUCKETS['raw']}/landing/orders/b.jsonl"
    assert entry["tables"]["orders"]["rows_in"] == len(BAD_LINES) + 4


def test_json_values_keep_their_exactness(lake: Lake):
    columns = (
        "id bigint, amount decimal(20,2), extra super, inner super < a.b, whole varchar(99) < a, part bigint < a.c"
    )
    lake.document(t=table(columns))
    lake.drop(
        "t/a.jsonl",
        lines(
            '{"id":1,"amount":123456789012345678.91,"extra":"12","a":{"b":[1,"2"],"c":3}}',
            '{"id":2.0,"amount":12000000.0,"extra":12,"a":{"b":null}}',
            '{"id":3,"amount":1e-9,"extra":{"é":"\\u00e9"}}',
        ),
    )
    entry = lake.clean()
    assert lake.rows(entry, "t") == [
        (1, Decimal("123456789012345678.91"), '"12"', '[1,"2"]', '{"b":[1,"2"],"c":3}', 3),
        (2, Decimal("12000000.00"), "12", None, '{"b":null}', None),
    ]
    assert "`amount`" in reasons(lake, entry, "t")[0]


CSV = {"delimiter": ",", "encoding": "utf-8", "header": True, "null": ["", "NULL"]}


def test_csv_by_header_in_any_order(lake: Lake):
    lake.document(t=table("id bigint!, name varchar(40), price decimal(8,2)", csv=CSV))
    lake.drop("t/a.csv", "id,name,price\n1, plain ,2.50\n")
    lake.drop("t/b.csv", '\ufeffprice,extra,id\r\n3.00,x,2\r\n\r\nNULL,"y, z",3\r\n')
    lake.drop("t/c.csv.gz", gzip.compress(b'name,id\n"two\nlines ""quoted""",4\n'))
    lake.drop("t/only header.csv", "id,name,price\n")
    lake.drop("t/empty.csv", "")
    lake.drop("t/sp ace+[1]%20:é.csv", "id,name\n5,odd key")
    entry = lake.clean()
    assert lake.rows(entry, "t") == [
        (1, " plain ", Decimal("2.50")),
        (2, None, Decimal("3.00")),
        (3, None, None),
        (4, 'two\nlines "quoted"', None),
        (5, "odd key", None),
    ]
    assert entry["tables"]["t"]["unknown_columns"] == ["extra"]
    assert len(entry["inputs"]) == 6


def test_bad_csv(lake: Lake):
    lake.document(
        t=table("id bigint!, name varchar(40)", csv=CSV),
        latin=table("id bigint, name varchar(40)", csv={**CSV, "encoding": "windows-1252", "delimiter": ";"}),
    )
    lake.drop("t/a.csv", "id,name\n1,a\n2,b,c\n3\n4,d\nx,e\n,f\n")
    lake.drop("t/lacks.csv", "number,name\n10,a\n11,b\n")
    lake.drop("t/twice.csv", "id,id,name\n12,13,a\n")
    lake.drop("t/latin.csv", "id,name\n14,é\n".encode("latin-1"))
    lake.drop("t/open.csv", 'id,name\n15,ok\n16,"never closed\n17,swallowed\n')
    lake.drop("latin/a.csv", "id;name\n1;10 €\n".encode("windows-1252"))
    entry = lake.clean()
    assert lake.rows(entry, "t") == [(1, "a"), (15, "ok"), (17, "swallowed"), (4, "d")]
    assert lake.rows(entry, "latin") == [(1, "10 €")]
    assert reasons(lake, entry, "t") == [
        "`id` is missing, and it is required",
        '`id`: "x" is not a bigint',
        "the file has a quote that is never closed, so each line is read by itself; this one has an odd quote",
        "the header lacks the required column `id` (it has: number, name)",
        "the header lacks the required column `id` (it has: number, name)",
        "the header names `id` twice (it has: id, id, name)",
        "the row has more or fewer fields than it should: the header has 2",
        "the row has more or fewer fields than it should: the header has 2",
        "the row holds bytes that are not utf-8",
    ]
    raw = [row["row"] for row in lake.quarantine("cleaned", entry, "t")]
    assert "2,b,c" in raw
    assert '{"number":"10","name":"a"}' in raw


def test_csv_without_header_and_utf_16(lake: Lake):
    lake.document(
        plain=table("id bigint, name varchar(9)", csv={**CSV, "header": False, "delimiter": "\t"}),
        wide=table("id bigint, name varchar(9)", csv={**CSV, "encoding": "utf-16"}),
    )
    lake.drop("plain/a.tsv", "1\ta\n2\tb\n")
    lake.drop("wide/a.csv", codecs.BOM_UTF16_LE + "name,id\né,1\n".encode("utf-16-le"))
    entry = lake.clean()
    assert lake.rows(entry, "plain") == [(1, "a"), (2, "b")]
    assert lake.rows(entry, "wide") == [(1, "é")]


def test_many_columns(lake: Lake):
    names = [f"c{number}" for number in range(100)]
    lake.document(t=table("id bigint!," + ",".join(f"{name} integer" for name in names)))
    lake.drop("t/a.jsonl", lines({"id": 1, **dict.fromkeys(names, 5)}, {"id": 2, **dict.fromkeys(names, "x")}))
    entry = lake.clean()
    assert lake.rows(entry, "t") == [(1, *[5] * 100)]
    assert reasons(lake, entry, "t")[0].count("is not an integer") == 100


def test_the_latest_row_of_a_key_stays(lake: Lake):
    lake.document(t=table("id bigint!, at timestamp, v varchar(9)", key=["id"], order_by="at", load="upsert"))
    early, late = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
    lake.drop(
        "t/a.jsonl",
        lines(
            {"id": 1, "at": late, "v": "stays"},
            {"id": 1, "at": early, "v": "older"},
            {"id": 2, "at": early, "v": "first"},
            {"id": 2, "at": early, "v": "second"},
            {"id": 3, "at": late, "v": "in a"},
            {"id": 4, "v": "no time"},
            {"id": 4, "at": early, "v": "a time"},
        ),
    )
    lake.drop("t/b.jsonl", lines({"id": 3, "at": late, "v": "in b"}))
    entry = lake.clean()
    assert [(row[0], row[2]) for row in lake.rows(entry, "t")] == [
        (1, "stays"),
        (2, "second"),
        (3, "in b"),
        (4, "a time"),
    ]
    assert entry["tables"]["t"]["duplicates"] == 4


def test_an_object_counts_once(lake: Lake):
    lake.document(log=table("v varchar(9)"), keyed=table("id bigint!", key=["id"], load="upsert"))
    assert lake.clean() is None
    assert lake.said == [f"nothing new under s3://{BUCKETS['raw']}/landing/"]
    lake.drop("log/a.jsonl", lines({"v": "one"}))
    first = lake.clean()
    lake.drop("log/a.jsonl", lines({"v": "one"}))
    assert lake.clean() is None, "the same object again"
    lake.drop("log/b.jsonl", lines({"v": "one"}))
    lake.drop("log/c.jsonl", lines({"v": "two"}))
    lake.drop("log/d.jsonl", lines({"v": "two"}))
    lake.drop("log/_SUCCESS", "")
    lake.drop("log/.hidden/x.jsonl", lines({"v": "hidden"}))
    lake.drop("stranger/x.jsonl", lines({"v": "no table"}))
    second = lake.clean()
    assert any("ignored s3://raw-bucket/landing/stranger/x.jsonl" in line for line in lake.said)
    assert lake.rows(first, "log") == [("one",)]
    assert lake.rows(second, "log") == [("two",)]
    assert {found["key"]: found.get("duplicate_of") for found in second["inputs"]} == {
        "landing/log/b.jsonl": "landing/log/a.jsonl",
        "landing/log/c.jsonl": None,
        "landing/log/d.jsonl": "landing/log/c.jsonl",
    }
    assert first["batch"] < second["batch"]
    lake.drop("log/a.jsonl", lines({"v": "changed"}))
    assert lake.rows(lake.clean(), "log") == [("changed",)], "the same key with other content is another object"
    assert lake.clean() is None


def test_only_bad_rows(lake: Lake):
    lake.document(t=table("id bigint!", key=["id"], load="upsert"), u=table("id bigint!"))
    lake.drop("t/a.jsonl", "{\n")
    lake.drop("u/empty.jsonl", "")
    entry = lake.clean()
    assert entry["tables"]["t"]["path"] is None
    assert not list((lake.path("cleaned") / "t").rglob("*.parquet"))
    nothing = {"path": None, "rows_in": 0, "rows_out": 0, "quarantined": 0, "duplicates": 0, "unknown_columns": []}
    assert entry["tables"]["u"].items() >= nothing.items()
    assert lake.transform()["tables"]["t"]["rows_in"] == 0
    assert lake.transform() is None


def test_too_many_bad_rows_stop_the_table(lake: Lake):
    lake.document(t=table("id bigint!", quarantine_limit=0.25), good=table("id bigint"))
    lake.drop("t/a.jsonl", lines({"id": 1}, {"id": 2}, {"id": "x"}))
    lake.drop("good/a.jsonl", lines({"id": 1}))
    with pytest.raises(Failure, match=r"table `t`: 1 of 3 rows \(33.3%\) are bad.*allows 25.0%.*\"x\" is not a bigint"):
        lake.clean()
    (entry,) = lake.entries("cleaned")
    assert lake.rows(entry, "good") == [(1,)], "the other table is committed"
    assert [found["table"] for found in entry["inputs"]] == ["good"]
    assert list(entry["stopped"]) == ["t"]
    lake.drop("t/b.jsonl", lines({"id": 4}))
    assert lake.rows(lake.clean(), "t") == [(1,), (2,), (4,)]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "the pipeline document is not JSON"),
        ('{"version": 2}', "the pipeline document has version 2, these jobs read version 1"),
        ('{"version": 1}', "the pipeline document lacks 'pipeline'"),
    ],
)
def test_a_document_that_cannot_be_used(lake: Lake, document: str, message: str):
    lake.store.put(BUCKETS["raw"], "config/pipeline.json", document.encode())
    with pytest.raises(Failure, match=message):
        lake.clean()


def test_what_cannot_be_read_at_all_does_not_stand_in_the_way(lake: Lake, spark: SparkSession):
    lake.document(
        lines=table("id bigint"), sheets=table("id bigint", csv=CSV), parquet=table("id bigint", format="parquet")
    )
    many = lines(*[{"id": number} for number in range(5000)]).encode()
    lake.drop("lines/cut.jsonl.gz", gzip.compress(many)[:-20])
    lake.drop("lines/good.jsonl", lines({"id": 1}))
    lake.drop("lines/book.xlsx", b"PK\x03\x04 and so on")
    noise = random.Random(1).randbytes(400_000).hex()
    lake.drop("sheets/cut.csv.gz", gzip.compress(f"id,noise\n1,{noise}\n".encode())[:-20])
    lake.drop("sheets/short.csv.gz", gzip.compress(b"id\n1\n")[:-4])
    lake.drop("sheets/bomb.csv.gz", gzip.compress(b"id\n" + b"1\n" * (40 << 20)))
    lake.drop("sheets/book.csv", b"PK\x03\x04 and so on")
    lake.drop("sheets/good.csv.bz2", bz2.compress(b"id\n2\n"))
    spark.range(3, 5).write.parquet(f"s3://{BUCKETS['raw']}/work/")
    (written, *_) = (lake.path("raw") / "work").glob("*.parquet")
    lake.drop("parquet/good.parquet", written.read_bytes())
    lake.drop("parquet/cut.parquet", written.read_bytes()[:-30])
    damaged = bytearray(written.read_bytes())
    damaged[4:40] = bytes(36)
    lake.drop("parquet/damaged.parquet", bytes(damaged))
    entry = lake.clean()
    assert (lake.rows(entry, "lines"), lake.rows(entry, "sheets")) == ([(1,)], [(2,)])
    assert len(lake.rows(entry, "parquet")) >= 1
    refused = {given["key"].removeprefix("landing/"): given.get("refused", "") for given in entry["inputs"]}
    assert {key: reason.partition(":")[0].partition(";")[0] for key, reason in refused.items() if reason} == {
        "lines/cut.jsonl.gz": "it is not a whole gzip file",
        "lines/book.xlsx": "it is not JSON lines but an archive or a workbook",
        "sheets/cut.csv.gz": "it is not a whole gzip file",
        "sheets/short.csv.gz": "it is not a whole gzip file",
        "sheets/bomb.csv.gz": "it holds more than 200 times as much as its size",
        "sheets/book.csv": "it is an Excel workbook or a zip archive and not CSV",
        "parquet/cut.parquet": "it is not a whole Parquet file",
        "parquet/damaged.parquet": "it is not a whole Parquet file",
    }
    assert lake.clean() is None, "what is refused is not tried again"
