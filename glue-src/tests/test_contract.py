"""What the jobs share with pipectl and its Lambdas, against the cases of the crate that defines it."""

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipectl_glue import arrivals, contract, ledger, replay, report
from pipectl_glue.document import Checks, Column, Csv, Document, Iceberg, Table, parse_document
from pipectl_glue.failure import Failure
from pipectl_glue.ledger import Counts
from pipectl_glue.schema import parse_type
from pipectl_glue.store import Object

CASES = Path(__file__).parents[2] / "lambda-src/contract/cases"


def text(name: str) -> str:
    return (CASES / f"{name}.json").read_text()


def case(name: str) -> Any:
    return json.loads(text(name))


class Memory:
    """A store that keeps its objects in memory."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], bytes] = {}

    def put(self, bucket: str, key: str, body: bytes) -> None:
        self.objects[bucket, key] = body

    def get_all(self, bucket: str, keys: Iterable[str]) -> list[bytes]:
        return [self.objects[bucket, key] for key in keys]


def test_every_constant_is_that_of_the_contract():
    """Each public name of `contract.py` is in a case, and equal to it."""
    keys, names = case("keys"), case("names")
    constants = {**keys["constants"], **names["constants"], **case("limits")}
    own = {name: value for name, value in vars(contract).items() if not name.startswith("_")}
    tested = {"UTC", "datetime", "rfc3339", "stamp", "begun"}
    for name, value in own.items():
        if name in tested:
            continue
        if callable(value):
            function = keys["functions"][name]
            assert value(**function["arguments"]) == function["key"], name
        else:
            assert value == constants[name], name


def test_times():
    for time in case("timestamps"):
        moment = datetime.fromtimestamp(time["seconds"], UTC)
        assert (contract.rfc3339(moment), contract.stamp(moment)) == (time["rfc3339"], time["stamp"])
        assert contract.begun(f"{time['stamp']}-0123456789ab") == moment


def test_column_types():
    types = case("column_types")
    for expected in types["accepted"]:
        kind = parse_type(expected["text"])
        parts = {"precision": kind.precision, "scale": kind.scale, "size": kind.size}
        assert (kind.text, kind.kind) == (expected["text"], expected["kind"])
        assert {name: value for name, value in parts.items() if name in expected or value} == {
            name: expected[name] for name in parts if name in expected
        }
    for refused in types["refused"]:
        with pytest.raises(Failure, match="unknown type"):
            parse_type(refused)


def _column(name: str, kind: str, source: str, required: bool = False) -> Column:
    return Column(name, parse_type(kind), source, required)


def _table(name: str, format: str, **options: Any) -> Table:
    plain = {
        "landing": "landing/plain/",
        "columns": (_column("id", "bigint", "id"),),
        "csv": None,
        "snapshot": False,
        "deletes": False,
        "ingest_ledger": None,
        "key": (),
        "order_by": None,
        "load": "append",
        "stops_on_schema_changes": True,
        "checks": Checks(),
        "quarantine_limit": 0.1,
    }
    return Table(name=name, format=format, **{**plain, **options})


def _bucket(zone: str) -> str:
    return f"shop-dev-{zone}-111111111111-eu-central-1"


ORDERS = _table(
    "orders",
    "csv",
    landing="landing/orders/",
    columns=(
        _column("id", "bigint", "ID", True),
        _column("customer_id", "integer", "customer"),
        _column("total", "decimal(12,2)", "Total"),
        _column("state", "varchar(16)", "state"),
        _column("open", "boolean", "open"),
        _column("day", "date", "day"),
        _column("updated_at", "timestamp", "changed"),
        _column("tags", "super", "tags"),
    ),
    csv=Csv(";", "windows-1252", True, ("", "NULL"), ",", ".", "d.M.yyyy", "\\"),
    snapshot=True,
    deletes=True,
    key=("id",),
    order_by="updated_at",
    load="upsert",
    stops_on_schema_changes=False,
    checks=Checks(
        not_null=("day",),
        unique=(("id",), ("customer_id", "day")),
        accepted_values={"state": ("open", "paid")},
        between={"total": ("0", "1000000"), "day": ("2020-01-01", None)},
        matches={"state": "[a-z]+"},
        references={"customer_id": ("customers", "id")},
        rows_min=1,
        rows_max=1_000_000,
        fresh_within={"updated_at": 36},
        warn=frozenset({"references", "fresh_within"}),
    ),
    quarantine_limit=0.25,
)


def test_the_document():
    expected = Document(
        pipeline="shop",
        environment="dev",
        raw=_bucket("raw"),
        cleaned=_bucket("cleaned"),
        transformed=_bucket("transformed"),
        raw_archive=_bucket("raw-archive"),
        cleaned_archive=_bucket("cleaned-archive"),
        empty_after_load=True,
        tables={
            "customers": _table(
                "customers",
                "parquet",
                landing="landing/db/Customers/",
                ingest_ledger="_ledger/ingest/db/",
                key=("id",),
                load="upsert",
            ),
            "log": _table("log", "changes", deletes=True),
            "orders": ORDERS,
            "plain": _table("plain", "jsonl"),
        },
        transforms={"plain": {"sql": "SELECT id FROM orders", "reads": ["orders"], "reads_changed": ["log"]}},
        iceberg=Iceberg("shop_dev_iceberg", 7),
    )
    assert parse_document(text("document")) == expected


def test_a_document_without_options():
    expected = Document(
        pipeline="shop",
        environment="dev",
        raw=_bucket("raw"),
        cleaned=_bucket("cleaned"),
        transformed=_bucket("transformed"),
        raw_archive=_bucket("raw-archive"),
        cleaned_archive=_bucket("cleaned-archive"),
        empty_after_load=False,
        tables={"plain": _table("plain", "jsonl")},
    )
    assert parse_document(text("document_without_options")) == expected


def test_the_document_names_what_ingest_reads_of_a_database():
    """The job `ingest` reads these by their names."""
    document = case("document")
    database = {"host", "port", "database", "schema", "secret", "tls", "capture", "overlap_seconds"}
    assert document["sources"]["db"].keys() == {"type", *database}
    assert document["tables"]["customers"].keys() >= {"object", "watermark", "columns", "source"}


def _written(store: Memory, bucket: str, key: str) -> Any:
    return json.loads(store.objects[bucket, key])


def _same(found: dict[str, Any], expected: dict[str, Any], time: str) -> None:
    """The same message but for its time, which has the same form."""
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", found[time])
    assert {**found, time: expected[time]} == expected
    # The order of the fields is part of the message: people read it.
    assert list(found) == list(expected)


@pytest.mark.parametrize("stage", ["clean", "transform"])
def test_entries_of_the_jobs(stage: str):
    expected, store = case(f"entry_{stage}"), Memory()
    inputs = expected["inputs"]
    if stage == "clean":
        inputs = arrivals.as_json([arrivals.Input(**given) for given in inputs])
    counts = {name: Counts(**counted) for name, counted in expected["tables"].items()}
    ledger.commit(
        store, "b", stage, expected["batch"], expected["run"], inputs, counts,
        replays=expected["replays"], stopped=expected["stopped"],
    )  # fmt: skip
    _same(_written(store, "b", contract.ledger_entry(stage, expected["batch"])), expected, "committed_at")


def test_the_report_of_a_run():
    expected, store = case("report"), Memory()
    document = parse_document(text("document"))
    report.write(store, document, case("entry_transform"), [case("entry_clean")], expected["seconds"])
    _same(_written(store, document.transformed, contract.report(expected["batch"])), expected, "ended_at")


def test_a_request_to_replay():
    expected, store = case("replay_request"), Memory()
    document = parse_document(text("document"))
    key = f"{contract.REPLAY_REQUESTS}{expected['id']}.json"
    store.put(document.raw, key, text("replay_request").encode())
    [request] = replay.pending(store, document, [Object(key, "", 1, 0.0)], "raw", [])
    assert request == replay.Request(
        expected["id"], expected["from"], expected["tables"], expected["batches"], expected["inputs"]
    )
    [given], left_out = replay.inputs([request], document)
    [asked] = expected["inputs"]
    assert given == arrivals.Input(
        asked["key"], asked["etag"], asked["size"], asked["table"], replay_of=asked["of"], replay=expected["id"]
    )
    assert not left_out
    # A request that an entry names is done.
    assert not replay.pending(store, document, [Object(key, "", 1, 0.0)], "raw", [{"replays": [expected["id"]]}])
