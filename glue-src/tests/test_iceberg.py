"""Iceberg tables: what the warehouse would have, batch after batch, whatever dies in between."""

import json
import shutil
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from conftest import BUCKETS, Lake
from pyspark.sql import SparkSession
from skipping import cannot_run
from tables import table

import local_spark
from pipectl_glue import iceberg
from pipectl_glue.document import parse_document
from pipectl_glue.failure import Failure

DAY = "2026-01-0{}T00:00:00Z"


@pytest.fixture(scope="module", autouse=True)
def catalog(spark: SparkSession) -> None:
    """A catalog of files in place of Glue's; a rehearsal has Glue's own."""
    if not local_spark.iceberg():
        cannot_run("iceberg", "the wheels with Iceberg are not installed", "make setup")
    for name, value in {
        ".type": "hadoop",
        ".warehouse": f"s3://{BUCKETS['transformed']}/iceberg",
        ".cache-enabled": "false",
        "": "org.apache.iceberg.spark.SparkCatalog",
    }.items():
        spark.conf.set(f"spark.sql.catalog.lake{name}", value)


@pytest.fixture
def lake(lake: Lake) -> Lake:
    lake.document_options = {"iceberg": {"database": "shop", "snapshot_days": 7}}
    return lake


def lines(*records: dict) -> str:
    return "".join(f"{json.dumps(record)}\n" for record in records)


def run(lake: Lake, name: str, *records: dict) -> None:
    lake.drop(name, lines(*records))
    lake.clean()
    lake.transform()


def rows(lake: Lake, name: str) -> list[tuple[Any, ...]]:
    return sorted((tuple(row) for row in lake.spark.table(f"lake.shop.{name}").collect()), key=str)


def snapshots(lake: Lake, name: str) -> int:
    return lake.spark.table(f"lake.shop.{name}.snapshots").count()


def dies_at(lake: Lake, key: str) -> None:
    """Whatever is put at `key` is refused: as if the run had died before."""
    lake.s3.fails = lambda method, found: method == "PUT" and found.startswith(key)


def test_rows_are_those_of_the_warehouse(lake: Lake):
    columns = "id bigint!, n smallint, total decimal(12,2), at timestamp!, extra super"
    keyed = table(columns, key=["id"], order_by="at", load="upsert")
    once = table("id bigint!, v varchar(9)", key=["id"], load="append")
    lake.document(t=keyed, once=once, log=table("id bigint!"))
    first = {"n": 1, "total": "1.50", "at": DAY.format(2), "extra": {"a": 1}}
    lake.drop("once/a.jsonl", lines({"id": 1, "v": "first"}))
    lake.drop("log/a.jsonl", lines({"id": 1}, {"id": 1}))
    run(lake, "t/a.jsonl", {"id": 1, **first}, {"id": 2, **first})
    assert "iceberg t: 2 rows after 1 batches" in lake.said
    lake.drop("once/b.jsonl", lines({"id": 1, "v": "later"}, {"id": 2, "v": "new"}))
    lake.drop("log/b.jsonl", lines({"id": 1}))
    # The first comes late, the second is newer, the third is new.
    late, newer = {**first, "n": 9, "at": DAY.format(1)}, {**first, "n": 2, "at": DAY.format(3)}
    run(lake, "t/b.jsonl", {"id": 1, **late}, {"id": 2, **newer}, {"id": 3, **late})
    total, extra = Decimal("1.50"), '{"a":1}'
    assert rows(lake, "t") == [
        (1, 1, total, datetime(2026, 1, 2), extra),
        (2, 2, total, datetime(2026, 1, 3), extra),
        (3, 9, total, datetime(2026, 1, 1), extra),
    ]
    assert rows(lake, "once") == [(1, "first"), (2, "new")]
    assert rows(lake, "log") == [(1,), (1,), (1,)]
    schema = lake.spark.table("lake.shop.t").schema.simpleString()
    assert schema == "struct<id:bigint,n:int,total:decimal(12,2),at:timestamp_ntz,extra:string>"
    before = snapshots(lake, "t")
    lake.transform()
    assert snapshots(lake, "t") == before, "nothing new is no commit"


def test_what_is_deleted_stays_deleted(lake: Lake):
    """As in the warehouse: a row that comes late finds that it was deleted later."""
    options = {"key": ["id"], "order_by": "at", "load": "upsert", "deletes": True, "format": "cdc"}
    lake.document(t=table("id bigint!, v varchar(9), at timestamp", **options))
    path = f"s3://{BUCKETS['transformed']}/t/batch="
    spark, made = lake.spark, []

    def batch(*records: tuple) -> None:
        number = f"b{len(made)}"
        frame = spark.createDataFrame(records, "id bigint, v string, at string, _deleted boolean")
        frame = frame.selectExpr("id", "v", "cast(at as timestamp) as at", "_deleted")
        frame.write.parquet(f"{path}{number}/")
        made.append({"batch": number, "tables": {"t": {"path": f"{path}{number}/", "rows_out": len(records)}}})
        text = lake.store.get(BUCKETS["raw"], "config/pipeline.json").decode()
        assert iceberg.catch_up(spark, lake.store, parse_document(text), made, lake.said.append) == {}

    batch((1, "a", DAY.format(2), False), (2, "b", DAY.format(2), False), (3, "c", DAY.format(2), False))
    batch((1, None, DAY.format(4), True), (2, None, DAY.format(1), True), (3, None, None, True))
    assert rows(lake, "t") == [(2, "b", datetime(2026, 1, 2))], "a deletion that is older than the row does nothing"
    assert rows(lake, "t__deleted") == [(1, datetime(2026, 1, 4))]
    batch((1, "late", DAY.format(3), False), (3, "back", DAY.format(2), False))
    assert rows(lake, "t") == [(2, "b", datetime(2026, 1, 2)), (3, "back", datetime(2026, 1, 2))]
    batch((1, "again", DAY.format(5), False))
    assert rows(lake, "t")[0] == (1, "again", datetime(2026, 1, 5))
    assert rows(lake, "t__deleted") == []


@pytest.mark.parametrize("keyed", [True, False])
def test_a_run_that_dies_neither_loses_nor_repeats(lake: Lake, keyed: bool):
    lake.document(t=table("id bigint!", **({"key": ["id"], "load": "upsert"} if keyed else {})))
    run(lake, "t/a.jsonl", {"id": 1})
    # It dies with the commit made and not marked …
    dies_at(lake, "_ledger/iceberg/")
    with pytest.raises(Failure, match=r"the Iceberg table does not have them; the next run makes up for it: cannot wr"):
        run(lake, "t/b.jsonl", {"id": 2})
    assert rows(lake, "t") == [(1,), (2,)]
    lake.s3.fails = lambda method, key: False
    assert lake.transform() is None
    assert rows(lake, "t") == [(1,), (2,)]
    # … and again, while the next batch is there when it is made up for.
    dies_at(lake, "_ledger/iceberg/")
    with pytest.raises(Failure):
        run(lake, "t/c.jsonl", {"id": 3})
    lake.s3.fails = lambda method, key: False
    run(lake, "t/d.jsonl", {"id": 4})
    assert rows(lake, "t") == [(1,), (2,), (3,), (4,)]


def test_turned_on_later_it_begins_with_all_batches_that_are_there(lake: Lake):
    lake.document_options = {}
    lake.document(t=table("id bigint!, v integer", key=["id"], load="upsert"))
    for number, name in enumerate("abc"):
        run(lake, f"t/{name}.jsonl", {"id": 1, "v": number}, {"id": number + 2, "v": 0})
    gone, *_ = lake.entries("transformed")
    shutil.rmtree(lake.path("transformed") / "t" / f"batch={gone['batch']}")
    lake.document_options = {"iceberg": {"database": "shop", "snapshot_days": 7}}
    lake.document(t=table("id bigint!, v integer", key=["id"], load="upsert"))
    assert lake.transform() is None
    assert lake.said[-1] == "iceberg t: 3 rows after 2 batches, 1 batches have expired"
    assert rows(lake, "t") == [(1, 2), (3, 0), (4, 0)]
    assert snapshots(lake, "t") == 1, "where it comes to the same, many batches are one commit"
    # A dropped table is created again.
    lake.spark.sql("DROP TABLE lake.shop.t PURGE")
    run(lake, "t/d.jsonl", {"id": 9, "v": 9})
    assert rows(lake, "t") == [(1, 2), (3, 0), (4, 0), (9, 9)]


def test_columns_that_come_and_go(lake: Lake):
    keyed = {"key": ["id"], "load": "upsert"}
    lake.document(t=table("id integer!, old varchar(9), total decimal(6,2)", **keyed), log=table("id bigint!, x date"))
    lake.drop("log/a.jsonl", lines({"id": 1, "x": "2026-01-01"}))
    run(lake, "t/a.jsonl", {"id": 1, "old": "o", "total": "1"}, {"id": 2, "old": "o", "total": "2"})
    accept = {"schema_changes": "accept"}
    lake.document(
        t=table("id bigint!, total decimal(8,2), new boolean", **keyed, **accept), log=table("id bigint!", **accept)
    )
    lake.drop("log/b.jsonl", lines({"id": 2}))
    run(lake, "t/b.jsonl", {"id": 2, "total": "123456.78", "new": True}, {"id": 3, "total": "3", "new": False})
    assert lake.spark.table("lake.shop.t").columns == ["id", "old", "total", "new"]
    assert rows(lake, "t") == [
        (1, "o", Decimal("1.00"), None),
        (2, "o", Decimal("123456.78"), True),
        (3, None, Decimal("3.00"), False),
    ]
    assert len(rows(lake, "log")) == 2
    lake.document(t=table("id bigint!, total varchar(9), new boolean", **keyed, **accept))
    fault = r"`total` is decimal\(8,2\) in the Iceberg table and string in the pipeline, .* drop the table shop.t"
    with pytest.raises(Failure, match=fault):
        run(lake, "t/c.jsonl", {"id": 4, "total": "4", "new": False})
    assert len(rows(lake, "t")) == 3


def test_small_files_and_old_states_go(lake: Lake, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(iceberg, "_SMALL_FILES", 3)
    lake.document(t=table("id bigint!"))
    for number in range(3):
        run(lake, f"t/{number}.jsonl", {"id": number})
    assert rows(lake, "t") == [(0,), (1,), (2,)]
    assert lake.spark.table("lake.shop.t.files").count() == 1
    assert snapshots(lake, "t") == 4
    monkeypatch.setattr(iceberg, "_DAY_MS", 0)
    lake.document(t=table("id bigint!"))
    run(lake, "t/3.jsonl", {"id": 3})
    assert snapshots(lake, "t") == 1
    assert len(list((lake.path("transformed") / "iceberg/shop/t/data").glob("*.parquet"))) == 2
    assert rows(lake, "t") == [(0,), (1,), (2,), (3,)]
