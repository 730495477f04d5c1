"""Databases read by watermark: real servers, real drivers, and runs that break off anywhere."""

import json
import re
from typing import Any

import pytest
from shop import ORDERS, Shop
from tables import table

from pipectl_glue.failure import Failure


def test_what_is_new_is_taken_once(shop: Shop):
    shop.orders()
    shop.server.run("INSERT INTO orders VALUES (1, 'paid', 9.99, '2026-01-01 10:00:00.5'), (2, NULL, -0.01, NULL)")
    first = shop.ingest()
    assert [row[0] for row in shop.taken(first)] == ["1", "2"]
    assert first["state"]["orders"]["watermark"] == "2026-01-01 10:00:00.500000"
    assert "1 rows have no usable `updated_at`" in " ".join(shop.lake.said)
    assert shop.ingest() is None
    assert "ingest orders: 2 read = 0 taken + 2 unchanged" in shop.lake.said

    # Late: with the very time of the watermark, with one before it, and one that had no time and has another value.
    shop.server.run(
        "INSERT INTO orders VALUES (3, 'late', 1, '2026-01-01 10:00:00.5'), (4, 'later', 1, '2026-01-01 09:55:00')",
        "UPDATE orders SET status = 'void' WHERE id = 2",
    )
    assert [row[:2] for row in shop.taken(shop.ingest())] == [("2", "void"), ("3", "late"), ("4", "later")]
    # A row that changes without its time, and back again.
    for status in ("changed", "late"):
        shop.server.run(f"UPDATE orders SET status = '{status}' WHERE id = 3")
        assert [row[:2] for row in shop.taken(shop.ingest())] == [("3", status)]
    assert shop.ingest() is None
    # A time in the future is taken, and does not move the watermark there.
    shop.server.run("INSERT INTO orders VALUES (5, 'tomorrow', 1, '2099-01-01 00:00:00')")
    entry = shop.ingest()
    assert entry["state"]["orders"]["watermark"] == "2026-01-01 10:00:00.500000"
    shop.server.run("INSERT INTO orders VALUES (6, 'today', 1, '2026-01-02 00:00:00')")
    assert [row[0] for row in shop.taken(shop.ingest())] == ["6"]
    assert shop.ingest() is None
    # Clean takes what entries name, and nothing else.
    shop.lake.drop("crm/orders/20200101T000000Z-000000000000/orphan.parquet", b"PAR1")
    assert len(shop.taken(shop.ingest("orders"))) == 6
    assert not list(shop.lake.path("raw").glob("landing/crm/orders/20200101*/*"))


def test_a_run_that_breaks_off_anywhere_loses_nothing_and_doubles_nothing(shop: Shop):
    if shop.server.engine == "mysql":
        pytest.skip("the calls that it breaks off are the same for both")
    shop.orders()
    shop.server.run("INSERT INTO orders VALUES (1, 'a', 1, '2026-01-01 10:00:00'), (2, 'b', 2, '2026-01-01 10:00:00')")
    store, rows = shop.lake.store, 2
    whole = {name: getattr(store, name) for name in ("objects", "get", "put", "delete")}
    for count in range(1, 100):
        left = count

        def breaking(name: str) -> Any:
            def call(*arguments: Any, **options: Any) -> Any:
                nonlocal left
                left -= 1
                if left == 0:
                    raise KeyboardInterrupt
                return whole[name](*arguments, **options)

            return call

        for name in whole:
            setattr(store, name, breaking(name))
        try:
            shop.ingest()
        except KeyboardInterrupt:
            pass
        else:
            break
        finally:
            for name, method in whole.items():
                setattr(store, name, method)
        # What the dead run left is finished; then a new row comes, so that there is something to break off again.
        shop.ingest()
        assert [row[0] for row in shop.everything()] == sorted(map(str, range(1, rows + 1)))
        marker = json.loads((shop.lake.path("raw") / "landing/crm/_ingest.json").read_text())
        batches = sorted(path.stem for path in shop.lake.path("raw").glob("_ledger/ingest/crm/*.json"))
        assert marker["batch"] == batches[-1]
        landed = {path.parent.name for path in shop.lake.path("raw").glob("landing/crm/orders/*/*.parquet")}
        assert landed <= set(batches)
        rows += 1
        shop.server.run(f"INSERT INTO orders VALUES ({rows}, 'c', 3, '2026-01-01 10:00:00')")
    assert count > 8, "the run was broken off at each of its calls"


def test_values_as_the_database_writes_them(shop: Shop):
    mysql = shop.server.engine == "mysql"
    columns = "id bigint!, big varchar(40), flag boolean, body super, seen timestamp, day date, name varchar(20)"
    columns += ", updated_at timestamp"
    if mysql:
        shop.server.run(
            "CREATE TABLE odd (id int unsigned PRIMARY KEY, big bigint unsigned, flag tinyint(1), body json, "
            "seen datetime, day date, name varchar(20), bits bit(1), raw blob, updated_at timestamp(3) NULL)",
            "INSERT INTO odd VALUES (4294967295, 18446744073709551615, 1, '{\"a\": [1]}', '0000-00-00', '0000-00-00', "
            "'käse\\n🧀', b'1', x'00ff', '2026-03-29 01:30:00.123'), (2, NULL, 0, NULL, '2026-02-28 12:00:00', "
            "'9999-12-31', '', NULL, NULL, '2026-01-01 00:00:00')",
        )
    else:
        shop.server.run(
            "CREATE TABLE odd (id bigint PRIMARY KEY, big numeric, flag boolean, body jsonb, seen timestamptz, "
            "day date, name varchar(20), list int[], updated_at timestamptz)",
            "INSERT INTO odd VALUES (4294967295, 18446744073709551615, true, '{\"a\": [1]}', 'infinity', '-infinity', "
            "E'käse\\n🧀', '{1,2}', '2026-03-29 03:30:00.123+02'), (2, NULL, false, NULL, '2026-02-28 13:00:00+01', "
            "'9999-12-31', '', NULL, '2026-01-01 00:00:00+00')",
        )
    shop.document(odd=table(columns, quarantine_limit=1.0))
    entry = shop.ingest()
    assert entry["state"]["odd"]["watermark"] == "2026-03-29 01:30:00.123000"
    never = ("0000-00-00 00:00:00", "0000-00-00") if mysql else ("infinity", "-infinity")
    yes, no = ("1", "0") if mysql else ("true", "false")
    fraction = ("2026-03-29 01:30:00.123", "2026-01-01 00:00:00.000" if mysql else "2026-01-01 00:00:00")
    assert shop.taken(entry, "odd") == [
        ("2", None, no, None, "2026-02-28 12:00:00", "9999-12-31", "", fraction[1]),
        ("4294967295", "18446744073709551615", yes, '{"a": [1]}', *never, "käse\n🧀", fraction[0]),
    ]
    unknown = "bits, raw" if mysql else "list"
    assert f"ingest odd: columns that the pipeline does not take: {unknown}" in shop.lake.said
    # And what the pipeline makes of them: the dates that are none are told, and the other row is in.
    cleaned = shop.lake.clean()
    assert cleaned["tables"]["odd"]["rows_out"] == 1
    [bad] = shop.lake.quarantine("cleaned", cleaned, "odd")
    assert f'`seen`: "{never[0]}" is not a timestamp' in bad["reason"]


def test_a_table_that_is_gone_or_altered_stops_alone(shop: Shop):
    shop.orders()
    shop.server.run("CREATE TABLE other (id bigint PRIMARY KEY, updated_at date)")
    shop.server.run("INSERT INTO other VALUES (1, '2026-01-01')", "INSERT INTO orders VALUES (1, 'a', 1, '2026-01-01')")
    both = {"orders": table(ORDERS), "other": table("id bigint!, updated_at date")}
    shop.document(**both)
    assert len(shop.ingest()["objects"]) == 2

    def told(*statements: str) -> str:
        shop.server.run(*statements, "INSERT INTO other SELECT max(id) + 1, '2026-01-01' FROM other")
        with pytest.raises(Failure) as failure:
            shop.ingest()
        last = max(path.stem for path in shop.lake.path("raw").glob("_ledger/ingest/crm/*.json"))
        entry = shop.lake.entry("raw", "ingest/crm", last)
        assert {found["table"] for found in entry["objects"]} == {"other"}
        assert list(entry["failed"]) == ["orders"]
        return str(failure.value)

    change = "ALTER TABLE orders MODIFY total varchar(20)"
    if shop.server.engine == "postgresql":
        change = "ALTER TABLE orders ALTER total TYPE varchar(20)"
    assert "the column `total` was " in told(change)
    assert "`orders` has no column `status`; was it dropped or renamed? It has: id, state," in told(
        "ALTER TABLE orders RENAME COLUMN status TO state"
    )
    assert "there is no table `orders` in" in told("DROP TABLE orders")
    assert len(shop.everything("other")) == 4


def test_the_pipeline_may_change_and_the_table_is_read_anew(shop: Shop):
    shop.orders()
    shop.server.run("INSERT INTO orders VALUES (1, 'a', 1, '2020-01-01'), (2, 'b', 2, '2026-01-01')")
    shop.document(orders=table("id bigint!, updated_at timestamp"))
    assert len(shop.taken(shop.ingest())) == 2
    shop.document(orders=table("id bigint!, status varchar(20), updated_at timestamp"))
    assert shop.taken(shop.ingest())[0] == ("1", "a", shop.everything()[0][-1])
    assert any("new columns in the pipeline: status" in line for line in shop.lake.said)
    assert shop.ingest() is None


def test_a_watermark_that_is_a_number_and_a_key_of_two(shop: Shop):
    shop.server.run("CREATE TABLE log (a bigint, b varchar(9), version bigint, PRIMARY KEY (a, b))")
    shop.server.run("INSERT INTO log VALUES (1, 'x', 5), (1, 'y', NULL), (2, 'x', 9000000000000000000)")
    shop.document(log=table("a bigint!, b varchar(9)!, version bigint", key=["a", "b"], watermark="version"))
    entry = shop.ingest()
    assert entry["state"]["log"]["position"] == "9000000000000000000"
    shop.server.run("UPDATE log SET version = 9000000000000000001 WHERE b = 'y'")
    assert shop.taken(shop.ingest(), "log") == [("1", "y", "9000000000000000001")]
    assert shop.ingest() is None


def test_a_wide_table(shop: Shop):
    names = [f"c{number}" for number in range(300)]
    shop.server.run(
        f"CREATE TABLE wide (id bigint PRIMARY KEY, {', '.join(f'{name} int' for name in names)}, updated_at date)"
    )
    shop.server.run(f"INSERT INTO wide VALUES (1, {', '.join('7' for _ in names)}, '2026-01-01')")
    shop.document(wide=table(f"id bigint!, {', '.join(f'{name} integer' for name in names)}, updated_at date"))
    assert shop.taken(shop.ingest(), "wide") == [("1", *["7"] * 300, "2026-01-01")]
    assert shop.ingest() is None


def test_what_is_wrong_with_the_way_there_is_told(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    shop.orders()

    def told() -> str:
        with pytest.raises(Failure) as failure:
            shop.ingest()
        return str(failure.value)

    monkeypatch.setattr(shop.secrets, "value", {"username": "reader"})
    assert "the secret `s` is not filled in" in told()
    monkeypatch.setattr(shop.secrets, "value", {"username": "reader", "password": "not the one"})
    denied = told()
    assert re.search("Access denied for user|password authentication failed for user", denied)
    assert "not the one" not in denied
    monkeypatch.undo()
    shop.port = 1
    shop.document(orders=table(ORDERS))
    assert re.search("cannot reach the .* security group", told())
