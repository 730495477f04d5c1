"""Runs that die between their data and their ledger entry, objects that change meanwhile, and the law of the books."""

import json
import random
from collections import Counter

import pytest
from conftest import BUCKETS, Lake
from tables import table

from pipectl_glue import ledger
from pipectl_glue.failure import Failure


def lines(*records: dict) -> str:
    return "".join(f"{json.dumps(record)}\n" for record in records)


def everything(lake: Lake, bucket: str, name: str) -> list[tuple]:
    entries = [entry for entry in lake.entries(bucket) if name in entry["tables"]]
    return sorted(row for entry in entries for row in lake.rows(entry, name))


def test_a_crash_before_the_ledger_leaves_nothing_that_counts(lake: Lake):
    lake.document(t=table("id bigint!", quarantine_limit=1.0))
    lake.drop("t/a.jsonl", lines({"id": 1}, {"id": "x"}))
    for stage, bucket in ((lake.clean, "cleaned"), (lake.transform, "transformed")):
        lake.s3.fails = lambda method, key: method == "PUT" and key.startswith("_ledger/")
        with pytest.raises(Failure, match=r"cannot write s3://.*/_ledger/.*nothing is committed, run it again"):
            stage()
        assert lake.entries(bucket) == []
        assert list((lake.path(bucket) / "t").rglob("*.parquet")), "the data of the dead run is there, and an orphan"
        lake.s3.fails = lambda method, key: False
        entry = stage()
        assert lake.rows(entry, "t") == [(1,)]
        assert everything(lake, bucket, "t") == [(1,)]
        assert stage() is None


def test_files_that_arrive_after_a_crash_join_the_next_run(lake: Lake):
    lake.document(t=table("id bigint!", key=["id"], load="upsert"))
    lake.drop("t/a.jsonl", lines({"id": 1}))
    lake.s3.fails = lambda method, key: method == "PUT" and key.startswith("_ledger/")
    with pytest.raises(Failure):
        lake.clean()
    lake.s3.fails = lambda method, key: False
    lake.drop("t/b.jsonl", lines({"id": 2}))
    assert lake.rows(lake.clean(), "t") == [(1,), (2,)]
    assert lake.rows(lake.transform(), "t") == [(1,), (2,)]


def test_an_object_that_changes_while_it_is_read(lake: Lake):
    lake.document(t=table("id bigint"))
    lake.drop("t/a.jsonl", lines({"id": 1}))
    listed = lake.store.objects

    def changing(bucket: str, prefix: str, *splits: list[str]):
        found = list(listed(bucket, prefix, *splits))
        if prefix == "landing/":
            lake.drop("t/a.jsonl", lines({"id": 2}))
        return found

    lake.store.objects = changing
    with pytest.raises(Failure, match=r"landing/t/a\.jsonl changed or went away while it was read"):
        lake.clean()
    lake.store.objects = listed
    assert lake.rows(lake.clean(), "t") == [(2,)]


def test_no_access(lake: Lake):
    lake.document(t=table("id bigint"))
    lake.s3.fails = lambda method, key: key == "config/pipeline.json"
    with pytest.raises(Failure, match=r"cannot read s3://raw-bucket/config/pipeline.json: .*AccessDenied"):
        lake.clean()


@pytest.mark.parametrize("seed", [1, 2])
def test_the_books_balance(lake: Lake, seed: int):
    """Random files in random portions: each good row counts once, each bad one is in quarantine."""
    dice = random.Random(seed)
    lake.document(
        keyed=table("id bigint!, at timestamp, v integer", key=["id"], order_by="at", load="upsert"),
        log=table("id bigint!, v integer"),
    )
    wanted: dict[int, tuple] = {}
    logged: Counter = Counter()
    contents: set[str] = set()
    totals = Counter()
    for number in range(4):
        for part in range(dice.randint(0, 3)):
            written = []
            for _ in range(dice.randint(0, 30)):
                bad = dice.random() < 0.15
                record = {
                    "id": dice.randint(1, 20),
                    "at": f"2026-01-{dice.randint(10, 15)}",
                    "v": dice.randint(0, 9999),
                }
                written.append({**record, "v": "bad"} if bad else record)
                totals["bad" if bad else "good"] += 1
                if not bad:
                    # Later files and lines win among equal times: this loop writes them in that order.
                    known = wanted.get(record["id"])
                    if known is None or known[0] <= record["at"]:
                        wanted[record["id"]] = (record["at"], record["v"])
            content = lines(*written)
            lake.drop(f"keyed/{number}-{part}.jsonl", content)
            lake.drop(f"log/{number}-{part}.jsonl", content)
            if content and content not in contents:
                contents.add(content)
                logged.update((record["id"], record["v"]) for record in written if record["v"] != "bad")
        lake.clean()
        if dice.random() < 0.6:
            lake.transform()
    lake.transform()

    latest: dict[int, tuple] = {}
    for entry in lake.entries("transformed"):
        for row in lake.rows(entry, "keyed") if "keyed" in entry["tables"] else []:
            at = row[1].strftime("%Y-%m-%d")
            if row[0] not in latest or latest[row[0]][0] <= at:
                latest[row[0]] = (at, row[2])
    assert latest == wanted
    assert Counter(everything(lake, "transformed", "log")) == logged
    cleaned = [entry["tables"]["keyed"] for entry in lake.entries("cleaned") if "keyed" in entry["tables"]]
    assert sum(counts["rows_in"] for counts in cleaned) == totals["good"] + totals["bad"]
    assert sum(counts["quarantined"] for counts in cleaned) == totals["bad"]
    for entry in lake.entries("cleaned"):
        for name in entry["tables"]:
            lake.quarantine("cleaned", entry, name)
    assert BUCKETS["raw"] not in str(cleaned)


def test_a_long_ledger_is_read_from_one_object(lake: Lake, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ledger, "_INDEX_FROM", 3)

    def write(number: int, note: str) -> None:
        body = json.dumps({"batch": f"b{number}", "inputs": [], "tables": {}, "note": note})
        lake.store.put(BUCKETS["cleaned"], f"_ledger/transform/b{number}.json", body.encode())

    def notes() -> list[str]:
        return [entry["note"] for entry in ledger.entries(lake.store, BUCKETS["cleaned"], "transform")]

    for number in range(3):
        write(number, "first")
    lake.s3.fails = lambda method, key: method == "PUT" and "index" in key
    assert notes() == ["first"] * 3, "it is as well without"
    lake.s3.fails = lambda method, key: False
    assert notes() == ["first"] * 3
    write(1, "second")
    write(3, "new")
    read: list[str] = []
    lake.s3.fails = lambda method, key: bool(read.append(key)) if method == "GET" and key else False
    assert notes() == ["first", "second", "first", "new"]
    assert sorted(read) == ["_ledger/index/transform.json.gz", "_ledger/transform/b1.json", "_ledger/transform/b3.json"]
    lake.store.put(BUCKETS["cleaned"], "_ledger/index/transform.json.gz", b"no archive")
    assert notes() == ["first", "second", "first", "new"]
