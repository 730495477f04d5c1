"""What was taken is compacted: no run holds all of it, and nothing is lost or taken twice, whatever the index has."""

import json
from pathlib import Path

import pytest
from conftest import BUCKETS, Lake
from tables import table

from pipectl_glue import taken
from pipectl_glue.failure import Failure
from pipectl_glue.store import Object
from pipectl_glue.taken import Record, Taken

CLEANED, RAW = BUCKETS["cleaned"], BUCKETS["raw"]
PER_ENTRY = 10


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "_ENTRIES_FROM": 3,
        "_OBJECTS_FROM": 1000,
        "_OBJECTS_AT_ONCE": 40,
        "_MOST_SEGMENTS": 2,
        "_STRIDE": 7,
    }.items():
        monkeypatch.setattr(taken, name, value)


def write(lake: Lake, number: int, note: str = "") -> list[Record]:
    """An entry; its objects are spread over all keys."""
    batch = f"b{number:03}"
    inputs = [
        {"key": f"landing/t/{at * 100 + number:05}.jsonl", "etag": f"e{number}{note}", "size": 9, "table": "t"}
        for at in range(PER_ENTRY)
    ]
    inputs[0]["refused"] = "broken"
    tables = {"t": {"rows_out": 1, "path": "p", "columns": {"id": "int"}, "quarantined": 0, "reasons": [1, 2, 3]}}
    entry = {"batch": batch, "inputs": inputs, "tables": tables, "replays": [f"r{number}"]}
    lake.store.put(CLEANED, f"_ledger/clean/{batch}.json", json.dumps(entry).encode())
    return [Record(given["key"], given["etag"], 9, "t", batch, bool(given.get("refused"))) for given in inputs]


def index(lake: Lake) -> list[Path]:
    return sorted((lake.path("cleaned") / "_state/_ledger/clean").glob("*.heads.json.gz"))


def gets(lake: Lake) -> list[str]:
    """The keys that are read from now on."""
    read: list[str] = []
    lake.s3.fails = lambda method, key: bool(read.append(key)) if method == "GET" and key else False
    return read


def test_entries_become_segments_and_segments_are_merged(lake: Lake):
    wanted = []
    for number in range(30):
        wanted += write(lake, number)
        found = taken.read(lake.store, CLEANED)
        assert list(found.objects()) == sorted(wanted)
        assert len(found._recent) < 3 * PER_ENTRY, "the rest is in segments"
        assert len(index(lake)) <= 3
    names = [entry["batch"] for entry in found.entries]
    assert names == [f"b{number:03}" for number in range(30)]
    assert all(
        entry
        == {
            "batch": f"b{number:03}",
            "tables": {"t": {"rows_out": 1, "path": "p", "columns": {"id": "int"}}},
            "replays": [f"r{number}"],
        }
        for number, entry in enumerate(found.entries)
    )
    read = gets(lake)
    again = taken.read(lake.store, CLEANED)
    assert not [key for key in read if key.startswith("_ledger/clean/")], "no entry is read again"
    assert not [key for key in read if key.endswith(".objects.gz")], "the objects are read when they are asked for"
    assert list(again.objects()) == sorted(wanted)
    columns = [entry["tables"]["t"]["columns"] for entry in again.entries]
    assert len({id(value) for value in columns}) <= len(index(lake)), "what is alike is held once"


def test_a_long_ledger_without_an_index_is_taken_in_parts(lake: Lake):
    wanted = [record for number in range(30) for record in write(lake, number)]
    lake.s3.fails = lambda method, key: method == "PUT" and "_state/" in key
    assert list(taken.read(lake.store, CLEANED).objects()) == sorted(wanted), "it is as well without"
    lake.s3.fails = lambda method, key: False
    found = taken.read(lake.store, CLEANED)
    assert (list(found.objects()), found._recent) == (sorted(wanted), [])
    splits = found.splits()
    assert splits == sorted(splits)
    assert len(splits) > 10


@pytest.mark.parametrize("fault", ["changed", "deleted", "heads", "objects", "cut", "merged"])
def test_an_index_that_does_not_match_is_not_used(lake: Lake, fault: str):
    wanted = {number: write(lake, number) for number in range(9)}
    taken.read(lake.store, CLEANED)
    if fault == "changed":
        wanted[4] = write(lake, 4, "x")
    elif fault == "deleted":
        del wanted[4]
        (lake.path("cleaned") / "_ledger/clean/b004.json").unlink()
    elif fault == "heads":
        for path in index(lake):
            path.write_bytes(b"nothing")
    elif fault == "merged":
        # What was merged cannot be deleted.
        lake.s3.fails = lambda method, key: method == "DELETE"
        for number in range(9, 30):
            wanted[number] = write(lake, number)
            taken.read(lake.store, CLEANED)
    else:
        for path in (lake.path("cleaned") / "_state/_ledger/clean").glob("*.objects.gz"):
            path.write_bytes(path.read_bytes()[:-5]) if fault == "cut" else path.unlink()
    for _ in range(2):
        found = taken.read(lake.store, CLEANED)
        assert list(found.objects()) == sorted(record for records in wanted.values() for record in records)
        assert [entry["batch"] for entry in found.entries] == [f"b{number:03}" for number in sorted(wanted)]


def test_an_object_is_known_by_its_key_and_content(lake: Lake):
    records = [Record("a", "1", 1, "t", "b1", False), Record("a", "3", 1, "t", "b2", False)]
    records += [Record("c", "1", 1, "t", "b1", True)]
    known = Taken(lake.store, CLEANED, _recent=records)
    listed = [Object(key, etag, 1) for key, etag in [("A", "1"), ("a", "1"), ("b", "1"), ("c", "2"), ("d", "1")]]
    assert [found.key for found, record in known.seen(listed) if record] == ["a"]
    assert [record for _, record in known.seen([Object("a", "3", 1)])] == [records[1]]


def test_a_listing_in_parts_is_the_listing(lake: Lake):
    keys = [f"t/{number:03}.jsonl" for number in range(60)] + ["t/ä ö+%20&<x>.jsonl", "u/a.jsonl"]
    for key in keys:
        lake.drop(key, key)
    whole = list(lake.store.objects(RAW, "landing/"))
    assert [found.key for found in whole] == sorted(f"landing/{key}" for key in keys)
    assert {found.size for found in whole if found.key.startswith("landing/t/0")} == {11}
    for splits in (["landing/t/0305"], ["landing/t/010.jsonl", "landing/t/020.jsonl"], ["landing/a", "landing/z"]):
        assert list(lake.store.objects(RAW, "landing/", splits)) == whole
    lake.s3.fails = lambda method, key: method == "GET" and not key
    with pytest.raises(Failure, match="cannot list s3://raw-bucket/landing/"):
        list(lake.store.objects(RAW, "landing/", ["landing/b"]))


def test_runs_over_a_compacted_ledger_take_each_object_once(lake: Lake):
    lake.document(t=table("id bigint"))
    for number in range(5):
        lake.drop(f"t/{9 - number}.jsonl", json.dumps({"id": number}))
        lake.drop(f"t/same-{number}.jsonl", json.dumps({"id": 0}))
        entry = lake.clean()
        assert lake.rows(entry, "t") == [(number,)], "the content that is there already is not loaded again"
    assert index(lake)
    assert lake.clean() is None
    lake.transform()
    assert lake.transform() is None
