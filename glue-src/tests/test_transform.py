"""The job `transform`: checks, the warehouse's exact columns, and batches that count once."""

import json
from decimal import Decimal

import pytest
from conftest import BUCKETS, Lake
from tables import table

from pipectl_glue import output
from pipectl_glue.failure import Failure


def lines(*records: dict) -> str:
    return "".join(f"{json.dumps(record)}\n" for record in records)


def reasons(lake: Lake, entry: dict, name: str) -> list[str]:
    return sorted(row["reason"] for row in lake.quarantine("transformed", entry, name))


def parquet_schema(lake: Lake, path: str) -> str:
    jvm = lake.spark._jvm
    (file,) = (lake.s3.root / path.removeprefix("s3://")).glob("*.parquet")
    hadoop = jvm.org.apache.hadoop.conf.Configuration()
    source = jvm.org.apache.parquet.hadoop.util.HadoopInputFile.fromPath(
        jvm.org.apache.hadoop.fs.Path(f"file://{file}"), hadoop
    )
    reader = jvm.org.apache.parquet.hadoop.ParquetFileReader.open(source)
    try:
        return reader.getFooter().getFileMetaData().getSchema().toString()
    finally:
        reader.close()


def test_the_columns_are_those_that_copy_expects(lake: Lake):
    columns = (
        "z bigint!, y smallint, x integer, w decimal(12,2), v double, u boolean, t varchar(5), s date, r timestamp"
    )
    lake.document(t=table(f"{columns}, q super"))
    record = {"z": 1, "y": 2, "x": 3, "w": "4.5", "v": 5, "u": True, "t": "six", "q": {"nine": 9}}
    record |= {"s": "0001-01-07", "r": "1900-01-08T00:00:00Z"}
    lake.drop("t/a.jsonl", lines(record))
    lake.clean()
    counts = lake.transform()["tables"]["t"]
    assert parquet_schema(lake, counts["path"]).split("\n") == [
        "message spark_schema {",
        "  optional int64 z;",
        "  optional int32 y (INTEGER(16,true));",
        "  optional int32 x;",
        "  optional int64 w (DECIMAL(12,2));",
        "  optional double v;",
        "  optional boolean u;",
        "  optional binary t (STRING);",
        "  optional int32 s (DATE);",
        "  optional int64 r (TIMESTAMP(MICROS,true));",
        "  optional binary q (STRING);",
        "}",
        "",
    ]
    files = [path.name for path in (lake.path("transformed") / "t").rglob("*") if path.is_file()]
    assert len(files) == 1, "no _SUCCESS and no .crc for COPY to stumble on"
    size = next((lake.path("transformed") / "t").rglob("*.parquet")).stat().st_size
    folder = counts["path"].removeprefix(f"s3://{BUCKETS['transformed']}/")
    assert counts["files"] == [{"key": f"{folder}{files[0]}", "size": size}]


def test_only_files_of_rows_are_listed(lake: Lake):
    lake.document(t=table("id bigint"))
    store = lake.store
    for name in ("part-1.snappy.parquet", "_SUCCESS", "_temporary/0/part-2.parquet", ".part-1.crc", "x_$folder$"):
        store.put(BUCKETS["transformed"], f"t/batch=b/{name}", b"rows")
    assert output.files(store, BUCKETS["transformed"], "t/batch=b/") == [
        {"key": "t/batch=b/part-1.snappy.parquet", "size": 4}
    ]
    with pytest.raises(Failure, match="holds no file"):
        output.files(store, BUCKETS["transformed"], "t/batch=c/")


def test_batches_are_united_and_the_latest_row_stays(lake: Lake):
    lake.document(t=table("id bigint!, at timestamp, v varchar(9)", key=["id"], order_by="at", load="upsert"))
    early, late = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
    lake.drop("t/a.jsonl", lines({"id": 1, "at": late, "v": "late"}, {"id": 2, "at": early, "v": "old"}))
    first = lake.clean()
    lake.drop("t/b.jsonl", lines({"id": 1, "at": early, "v": "early"}, {"id": 2, "at": early, "v": "new"}))
    second = lake.clean()
    entry = lake.transform()
    assert entry["inputs"] == [{"batch": first["batch"]}, {"batch": second["batch"]}]
    assert [(row[0], row[2]) for row in lake.rows(entry, "t")] == [(1, "late"), (2, "new")]
    assert entry["tables"]["t"]["duplicates"] == 2
    assert lake.transform() is None
    assert lake.said == [f"nothing new in s3://{BUCKETS['cleaned']}/_ledger/clean/"]


def test_checks_send_rows_to_quarantine(lake: Lake):
    checks = {"not_null": ["name"], "unique": [["id"], ["mail"]], "accepted_values": {"status": ["PAID", "PENDING"]}}
    columns = "id bigint!, name varchar(9), mail varchar(9), status varchar(9)"
    lake.document(t=table(columns, key=["id"], load="upsert", checks=checks))
    good = {"name": "n", "status": "PAID"}
    lake.drop(
        "t/a.jsonl",
        lines(
            {**good, "id": 1, "mail": "a@x"},
            {**good, "id": 2, "mail": "a@x"},
            {**good, "id": 3},
            {**good, "id": 4, "status": None},
            {"id": 5, "status": "LOST"},
        ),
    )
    lake.clean()
    entry = lake.transform()
    kept = [row[0] for row in lake.rows(entry, "t")]
    assert kept[-2:] == [3, 4]
    assert len(kept) == 3, "one of the two rows with one mail stays"
    assert reasons(lake, entry, "t") == [
        '`name` is null, and `not_null` forbids it; `status`: "LOST" is not one of PAID, PENDING',
        "another row has the same `mail`, which `unique` forbids",
    ]


@pytest.mark.parametrize(
    ("rows", "message"), [({"min": 3}, "has 2 rows, and its check wants at least 3"), ({"max": 1}, "at most 1")]
)
def test_row_counts_fail_the_run(lake: Lake, rows: dict, message: str):
    lake.document(t=table("id bigint", checks={"rows": rows}))
    lake.drop("t/a.jsonl", lines({"id": 1}, {"id": 2}))
    lake.clean()
    with pytest.raises(Failure, match=message):
        lake.transform()
    assert len(lake.entries("transformed")) == 0


def test_too_many_bad_rows_fail_the_run(lake: Lake):
    lake.document(t=table("id bigint", checks={"accepted_values": {"id": [1]}}, quarantine_limit=0.1))
    lake.drop("t/a.jsonl", lines({"id": 1}, {"id": 2}))
    lake.clean()
    with pytest.raises(Failure, match=r"1 of 2 rows \(50.0%\) are bad"):
        lake.transform()


def test_batches_of_an_older_document(lake: Lake):
    lake.document(t=table("id bigint!, amount varchar(9), gone varchar(9)"), dropped=table("id bigint"))
    lake.drop("t/a.jsonl", lines({"id": 1, "amount": "2.50", "gone": "x"}, {"id": 2, "amount": "many"}))
    lake.drop("dropped/a.jsonl", lines({"id": 1}))
    lake.clean()
    lake.document(t=table("added date, amount decimal(8,2), id bigint!"))
    entry = lake.transform()
    assert lake.rows(entry, "t") == [(None, Decimal("2.50"), 1)]
    assert reasons(lake, entry, "t") == ['`amount`: "many" is not a decimal(8,2)']
    assert "left out dropped: it is not in the pipeline any more" in lake.said


def test_files_that_the_ledger_does_not_count_are_noticed(lake: Lake):
    lake.document(t=table("id bigint"))
    lake.drop("t/a.jsonl", lines({"id": 1}))
    path = lake.clean()["tables"]["t"]["path"]
    (file,) = (lake.s3.root / path.removeprefix("s3://")).glob("*.parquet")
    file.with_name("part-00009-copy.snappy.parquet").write_bytes(file.read_bytes())
    with pytest.raises(Failure, match="the cleaned files hold 2 rows, their ledger says 1"):
        lake.transform()


def test_a_batch_of_another_key(lake: Lake):
    lake.document(t=table("id bigint!, sku varchar(9)!", key=["id"], load="upsert"))
    lake.drop("t/a.jsonl", lines({"id": 1, "sku": "a"}, {"id": 2, "sku": "a"}))
    lake.clean()
    lake.document(t=table("id bigint!, sku varchar(9)!", key=["sku"], load="upsert"))
    assert len(lake.rows(lake.transform(), "t")) == 1
