"""The ledger: one object a batch, written last. What no ledger entry names does not exist.

A run that dies before its entry is written leaves only files that nobody reads. The next run finds its input as new.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pipectl_glue.document import Document
from pipectl_glue.store import Object, Store

_VERSION = 1
_STAMP = "%Y%m%dT%H%M%SZ"
LANDING = "landing/"


@dataclass
class Counts:
    """What became of a table's rows in one batch."""

    path: str | None = None
    rows_in: int = 0
    rows_out: int = 0
    quarantined: int = 0
    duplicates: int = 0
    unknown_columns: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Input:
    """An object of the landing zone that a batch takes in."""

    key: str
    etag: str
    size: int
    table: str
    duplicate_of: str | None = None


@dataclass(frozen=True)
class Arrivals:
    """What the landing zone holds that no ledger entry has seen."""

    inputs: list[Input]
    strangers: list[str]


def entries(store: Store, bucket: str, stage: str) -> list[dict[str, Any]]:
    """Reads all entries of a stage, in batch order."""
    keys = [found.key for found in store.objects(bucket, f"_ledger/{stage}/") if found.key.endswith(".json")]
    return sorted(map(json.loads, store.get_all(bucket, keys)), key=lambda entry: entry["batch"])


def commit(
    store: Store, bucket: str, stage: str, batch: str, run: str, inputs: list[dict[str, Any]], tables: dict[str, Counts]
) -> None:
    """Writes the entry that makes a batch count."""
    entry = {
        "version": _VERSION,
        "stage": stage,
        "batch": batch,
        "run": run,
        "committed_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "inputs": inputs,
        "tables": {name: asdict(counts) for name, counts in sorted(tables.items())},
    }
    store.put(bucket, f"_ledger/{stage}/{batch}.json", json.dumps(entry, indent=1).encode())


def arrivals(objects: Iterable[Object], clean_entries: list[dict[str, Any]], document: Document) -> Arrivals:
    """Picks the objects that are new, and marks those whose content an append table without key already has.

    An object counts once by key and etag. Names that begin with `_` or `.` are not data: Spark does not read them.
    """
    taken = [entry for ledger in clean_entries for entry in ledger["inputs"]]
    seen = {(entry["key"], entry["etag"]) for entry in taken}
    contents = {(entry["table"], entry["etag"], entry["size"]): entry["key"] for entry in taken}
    inputs: list[Input] = []
    strangers: list[str] = []
    for found in sorted(objects, key=lambda found: found.key):
        table, _, name = found.key.removeprefix(LANDING).partition("/")
        parts = [table, *name.split("/")]
        if not parts[-1] or any(part.startswith(("_", ".")) for part in parts) or (found.key, found.etag) in seen:
            continue
        if table not in document.tables:
            strangers.append(found.key)
            continue
        content = (table, found.etag, found.size)
        repeats = document.tables[table].keeps_repeats and found.size > 0
        inputs.append(Input(found.key, found.etag, found.size, table, contents.get(content) if repeats else None))
        contents.setdefault(content, found.key)
    return Arrivals(inputs, strangers)


def as_json(inputs: list[Input]) -> list[dict[str, Any]]:
    """The inputs as an entry records them; `duplicate_of` only where there is one."""
    return [{name: value for name, value in asdict(entry).items() if value is not None} for entry in inputs]


def batch_name(now: datetime, inputs: Iterable[str], earlier: Iterable[str]) -> str:
    """Names a batch by time and content, always after the batches before it, whatever the clock says."""
    stamp = now.astimezone(UTC).replace(microsecond=0, tzinfo=None)
    for batch in earlier:
        stamp = max(stamp, datetime.strptime(batch.partition("-")[0], _STAMP) + timedelta(seconds=1))
    digest = hashlib.sha256("\n".join(sorted(inputs)).encode()).hexdigest()
    return f"{stamp.strftime(_STAMP)}-{digest[:12]}"
