"""What surrounds the rows: checks of a whole batch, reports, landing zones that empty, and what is taken again."""

import datetime
import json
from collections import Counter

import pytest
from conftest import BUCKETS, Lake
from tables import table

from pipectl_glue.failure import Failure


def lines(*records: object) -> str:
    return "".join(f"{json.dumps(record)}\n" for record in records)


def report(lake: Lake, entry: dict) -> dict:
    return json.loads((lake.path("transformed") / f"reports/{entry['batch']}.json").read_text())


CHECKS = {
    "between": {"total": {"min": "0", "max": "99.5"}, "day": {"min": "2026-01-01", "max": None}},
    "matches": {"mail": "[^@]+@[^@]+"},
    "references": {"customer_id": {"table": "customers", "column": "id"}},
}
ORDERS = "id bigint!, customer_id integer, total decimal(8,2), day date, mail varchar(20)"


def test_checks_that_hold_rows_back_and_checks_that_warn(lake: Lake):
    strict = table(ORDERS, key=["id"], load="upsert", checks=CHECKS)
    warn = ["between", "matches", "references", "rows", "fresh_within"]
    more = {"rows": {"min": 99}, "fresh_within_hours": {"day": 48}, "warn": warn}
    lake.document(
        customers=table("id bigint!, name varchar(9)", key=["id"], load="upsert"),
        strict=strict,
        mild=table(ORDERS, key=["id"], load="upsert", checks={**CHECKS, **more}),
    )
    lake.drop("customers/a.jsonl", lines({"id": 1}, {"id": 2}))
    good = {"customer_id": 1, "total": 5, "day": "2026-01-01", "mail": "a@b"}
    rows = [
        {**good, "id": 1},
        {**good, "id": 2, "total": 99.51, "day": "2025-12-31"},
        {**good, "id": 3, "mail": "x a@b@c"},
        {**good, "id": 4, "customer_id": 3},
        {"id": 5},
    ]
    for name in ("strict", "mild"):
        lake.drop(f"{name}/a.jsonl", lines(*rows))
    lake.clean()
    entry = lake.transform()
    assert [row[0] for row in lake.rows(entry, "strict")] == [1, 5], "as in SQL, nulls break nothing"
    assert sorted(row["reason"] for row in lake.quarantine("transformed", entry, "strict")) == [
        '`customer_id`: "3" is not in customers.id',
        '`mail`: "x a@b@c" does not match [^@]+@[^@]+',
        '`total`: "99.51" is not at least 0 and at most 99.5; `day`: "2025-12-31" is not at least 2026-01-01',
    ]
    assert len(lake.rows(entry, "mild")) == 5
    found = report(lake, entry)["tables"]["mild"]["findings"]
    assert [finding["text"] for finding in found if finding["kind"] != "fresh_within"] == [
        "1 rows: `total` breaks `between`",
        "1 rows: `day` breaks `between`",
        "1 rows: `mail` breaks `matches`",
        "1 rows: `customer_id` is not in customers.id",
        "table `mild` has 5 rows, and its check wants at least 99",
    ]
    assert any("newest `day` is 2026-01-01" in finding["text"] for finding in found)


def test_a_table_that_breaks_a_rule_waits_and_the_others_go_on(lake: Lake):
    fresh = {"fresh_within_hours": {"at": 24}}
    tables = {"good": table("id bigint"), "stale": table("id bigint, at timestamp", checks=fresh)}
    lake.document(**tables, few=table("id bigint", checks={"rows": {"min": 2}}))
    for name in ("good", "stale", "few"):
        lake.drop(f"{name}/a.jsonl", lines({"id": 1, "at": "2020-01-01"}))
    first = lake.clean()
    with pytest.raises(Failure, match=r"few.*at least 2.*stale.*more than 24 hours ago.*committed in batch"):
        lake.transform()
    (entry,) = lake.entries("transformed")
    assert entry["inputs"] == [{"batch": first["batch"], "tables": ["good"]}]
    assert (report(lake, entry)["state"], list(entry["stopped"])) == ("failed", ["few", "stale"])
    now = datetime.datetime.now(datetime.UTC).isoformat()
    lake.drop("few/b.jsonl", lines({"id": 2}))
    lake.drop("stale/b.jsonl", lines({"id": 2, "at": now}))
    second = lake.clean()
    last = lake.transform()
    assert [given["batch"] for given in last["inputs"]] == [first["batch"], second["batch"]]
    assert (lake.rows(last, "few"), len(lake.rows(last, "stale"))) == ([(1,), (2,)], 2)
    assert "good" not in last["tables"]
    assert lake.transform() is None


def test_the_report_of_a_run(lake: Lake):
    checks = {"accepted_values": {"v": ["a", "b"]}}
    lake.document(t=table("id bigint!, at date, v varchar(9)", key=["id"], order_by="at", load="upsert", checks=checks))
    bad = [{"id": f"x{number}", "v": "a"} for number in range(3)]
    good = [{"id": 1, "at": "2026-01-02", "v": "a"}, {"id": 1, "at": "2026-01-01", "v": "b"}, {"id": 2, "v": "z"}]
    lake.drop("t/a.jsonl", lines(*good, *bad, {"id": 3, "v": "b", "colour": 1}))
    first = lake.clean()
    lake.drop("t/b.jsonl.zip", "PK")
    second = lake.clean()
    entry = lake.transform()
    found = report(lake, entry)
    assert found["cleaned_batches"] == [first["batch"], second["batch"]]
    (books,) = found["tables"].values()
    seconds = books.pop("seconds")
    assert set(seconds) == {"clean", "transform"}
    assert books == {
        "objects": 2,
        "in": 7,
        "loaded": 2,
        "deleted": 0,
        "quarantined": 4,
        "duplicates": 1,
        "unchanged": 0,
        "reasons": [
            {"stage": "clean", "reason": '`id`: "x0" is not a bigint', "rows": 3},
            {"stage": "transform", "reason": '`v`: "z" is not one of a, b', "rows": 1},
        ],
        "refused": [
            {
                "key": "landing/t/b.jsonl.zip",
                "reason": "it is not JSON lines but an archive or a workbook; write one JSON object a line, "
                "plain or as .gz",
            }
        ],
        "findings": [
            {"stage": "clean", "kind": "new_column", "text": "columns that the table does not have: colour"},
            {
                "stage": "clean",
                "kind": "refused_object",
                "text": "landing/t/b.jsonl.zip is not read: it is not JSON lines but an archive or a workbook; "
                "write one JSON object a line, plain or as .gz",
            },
        ],
        "watermark": {"column": "at", "min": "2026-01-02", "max": "2026-01-02"},
        "stopped": None,
    }


def landed(lake: Lake) -> list[str]:
    return sorted(path.name for path in (lake.path("raw") / "landing").rglob("*") if path.is_file())


def loaded(lake: Lake, entry: dict) -> None:
    lake.store.put(BUCKETS["transformed"], f"_ledger/loaded/{entry['batch']}.json", b"{}")


def test_landing_empties_itself_of_what_is_loaded_and_archived(lake: Lake):
    lake.document(t=table("id bigint"), few=table("id bigint", checks={"rows": {"min": 2}}))
    for name in ("t/a", "t/b", "t/c", "few/d"):
        lake.drop(f"{name}.jsonl", lines({"id": 1, "n": name}))
    lake.drop("t/e.zip", "PK")
    lake.drop("stranger/x.jsonl", "{}")
    lake.clean()
    with pytest.raises(Failure):
        lake.transform()
    (entry,) = lake.entries("transformed")
    everything = landed(lake)
    lake.document_options = {"empty_after_load": True}
    lake.document(t=table("id bigint"), few=table("id bigint"))
    lake.archive()
    lake.clean()
    assert landed(lake) == everything, "nothing is loaded yet"
    loaded(lake, entry)
    # One copy is missing, one is of other content.
    (lake.path("raw_archive") / "landing/t/b.jsonl").unlink()
    (lake.path("raw_archive") / "landing/t/c.jsonl").write_text("other")
    lake.s3.fails = lambda method, key: method == "DELETE" and key.endswith("a.jsonl")
    with pytest.raises(Failure, match=r"cannot delete s3://raw-bucket/landing/t/a\.jsonl"):
        lake.clean()
    lake.s3.fails = lambda method, key: False
    assert lake.clean() is None
    assert "removed 1 loaded objects from s3://raw-bucket/landing/" in lake.said
    # `d` waits for its table, `e` could not be read, `x` belongs to nobody.
    assert landed(lake) == ["b.jsonl", "c.jsonl", "d.jsonl", "e.zip", "x.jsonl"]
    # What is dropped again is known, although it left; what came new under the name is not.
    lake.drop("t/a.jsonl", lines({"id": 1, "n": "t/a"}))
    assert lake.clean() is None
    lake.drop("t/b.jsonl", lines({"id": 2}))
    assert lake.rows(lake.clean(), "t") == [(2,)]
    lake.archive()
    lake.clean()
    assert "b.jsonl" in landed(lake), "the new object is not loaded yet"


def request(lake: Lake, name: str, source: str, batches: list[dict], tables: list[str], **more: object) -> None:
    """Asks for batches as `pipectl replay` does: copies first, the request last."""
    inputs = []
    for batch in batches if source == "raw" else []:
        for given in batch["inputs"]:
            if given["table"] in tables:
                key = f"replay/{name}/{batch['batch']}/{given['key']}"
                body = lake.store.get(BUCKETS["raw"], given["key"])
                lake.store.put(BUCKETS["raw"], key, body)
                inputs.append({**given, "batch": batch["batch"], "key": key, "of": given["key"], "etag": given["etag"]})
    body = {"version": 1, "id": name, "from": source, "tables": tables, "inputs": inputs}
    body["batches"] = [batch["batch"] for batch in batches]
    lake.store.put(BUCKETS["raw"], f"landing/_replay/{name}.json", json.dumps({**body, **more}).encode())


def test_batches_are_taken_again_once(lake: Lake):
    keyed = {"key": ["id"], "load": "upsert"}
    lake.document(t=table("id bigint!, v varchar(9)", **keyed), log=table("v varchar(9)"))
    lake.drop("t/a.jsonl", lines({"id": 1, "v": "old", "w": 1}, {"id": 2, "v": "only", "w": 2}))
    lake.drop("log/a.jsonl", lines({"v": "once"}))
    first = lake.clean()
    lake.drop("t/b.jsonl", lines({"id": 1, "v": "new", "w": 3}))
    second = lake.clean()
    lake.transform()
    # The table has got a column since: what came before is read again for it.
    lake.document(t=table("id bigint!, v varchar(9), w integer", **keyed), log=table("v varchar(9)"))
    lake.drop("t/c.jsonl", lines({"id": 2, "v": "newest", "w": 4}))
    request(lake, "r1", "raw", [first, second], ["t", "log", "gone"])
    lake.s3.fails = lambda method, key: method == "PUT" and key.startswith("_ledger/")
    with pytest.raises(Failure):
        lake.clean()
    lake.s3.fails = lambda method, key: False
    entry = lake.clean()
    assert entry["replays"] == ["r1"]
    assert lake.rows(entry, "t") == [(1, "new", 3), (2, "newest", 4)], "what is taken again is older than what lands"
    assert "log" not in entry["tables"], "without a key its rows would be there twice"
    assert lake.said[:2] == [
        "replay r1: left out log: without a key it would hold its rows twice",
        "replay r1: left out gone: it is not in the pipeline any more",
    ]
    assert {given["replay_of"] for given in entry["inputs"] if "replay" in given} == {
        "landing/t/a.jsonl",
        "landing/t/b.jsonl",
    }
    assert lake.clean() is None
    assert lake.rows(lake.transform(), "t") == [(1, "new", 3), (2, "newest", 4)]
    request(lake, "r2", "cleaned", [first, second], ["t"])
    assert lake.clean() is None
    again = lake.transform()
    assert again["replays"] == ["r2"]
    assert lake.rows(again, "t") == [(1, "new", None), (2, "only", None)]
    assert "log" not in again["tables"]
    assert lake.transform() is None
    request(lake, "r3", "raw", [], [], version=7)
    with pytest.raises(Failure, match=r"landing/_replay/r3\.json has version 7"):
        lake.clean()


def test_rows_of_a_crowd_of_files_count_once_whatever_dies(lake: Lake):
    """Each write of each run fails in turn; between the runs files arrive, late ones, and some that came before."""
    lake.document_options = {"empty_after_load": True}
    keyed = {"key": ["id"], "load": "upsert", "order_by": "at"}
    lake.document(
        t=table("id bigint!, at date", **keyed),
        log=table("id bigint!, name varchar(9)", csv={"null": [""]}),
        whole=table("id bigint!", csv={}, key=["id"], load="upsert", snapshot=True, deletes=True),
    )
    step, died = 0, 0
    dropped: Counter = Counter()
    for round_ in range(3):
        lake.drop(f"t/{9 - round_}.jsonl", lines({"id": round_ % 2, "at": f"2026-01-0{9 - round_}"}, {"id": "bad"}))
        lake.drop(f"log/{round_}.csv", f"id,name\n{round_},n\n{round_},m\n")
        lake.drop("log/again.csv", "id,name\n0,n\n0,m\n")
        dropped.update([(round_, "n"), (round_, "m")])
        lake.drop("whole/all.csv", f"id\n{round_}\n{round_ + 1}\n")
        for stage in (lake.clean, lake.transform):
            for _ in range(99):
                # Every time one write later, until the stage comes through.
                left = [step]

                def fails(method: str, key: str, left: list[int] = left) -> bool:
                    left[0] -= method in ("PUT", "DELETE")
                    return left[0] < 0 and method in ("PUT", "DELETE")

                lake.s3.fails = fails
                try:
                    stage()
                    break
                except Failure:
                    died += 1
                    step += 1
            step = 0
            lake.s3.fails = lambda method, key: False
        for entry in lake.entries("transformed"):
            loaded(lake, entry)
        lake.archive()
    assert died >= 6
    entries = lake.entries("transformed")
    found = Counter(row for entry in entries if "log" in entry["tables"] for row in lake.rows(entry, "log"))
    assert found == dropped
    latest: dict[int, datetime.date] = {}
    for entry in entries:
        for row in lake.rows(entry, "t") if "t" in entry["tables"] else []:
            latest[row[0]] = max(latest.get(row[0], row[1]), row[1])
    assert latest == {0: datetime.date(2026, 1, 9), 1: datetime.date(2026, 1, 8)}
    there: set[int] = set()
    for entry in entries:
        for row in lake.rows(entry, "whole") if "whole" in entry["tables"] else []:
            (there.discard if row[1] else there.add)(row[0])
    assert there == {2, 3}
