"""The ledger: one object a batch, written last. What no ledger entry names does not exist.

A run that dies before its entry is written leaves only files that nobody reads. The next run finds its input as new.
"""

import contextlib
import gzip
import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pipectl_glue import contract
from pipectl_glue.failure import Failure
from pipectl_glue.store import Store

# So many entries are quicker to read from one object.
_INDEX_FROM = 100


@dataclass
class Counts:
    """What became of a table's rows in one batch."""

    path: str | None = None
    # The files of the rows, where the warehouse loads them: {"key": …, "size": …}.
    files: list[dict[str, Any]] = field(default_factory=list)
    # What was read; of snapshots also the rows that are found to be gone.
    rows_in: int = 0
    rows_out: int = 0
    quarantined: int = 0
    # Good rows that a later one of their key replaces.
    duplicates: int = 0
    # Rows of a snapshot that are as they were.
    unchanged: int = 0
    # Those of `rows_out` that are deletions.
    deleted: int = 0
    unknown_columns: list[str] = field(default_factory=list)
    # The columns of the files and of the Parquet that was written, with their types.
    source_columns: dict[str, str] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    # The columns of which the rows have no two with the same values.
    key: list[str] = field(default_factory=list)
    # Where the last snapshot's rows are kept, to compare the next one with.
    state: str | None = None
    # The most frequent reasons: {"reason": …, "rows": …}.
    reasons: list[dict[str, Any]] = field(default_factory=list)
    # What is worth a word: {"kind": …, "text": …}.
    findings: list[dict[str, str]] = field(default_factory=list)
    # The least and the most of `order_by` in what was written.
    watermark: dict[str, str] | None = None
    seconds: float = 0.0


def entries(store: Store, bucket: str, stage: str) -> list[dict[str, Any]]:
    """Reads all entries of a stage, in batch order.

    After years there are thousands. So what was read is put together in one object, and each of its entries is taken
    only while the listing shows the same ETag. It may be lost at any time: it only saves reading.
    """
    listed = [found for found in store.objects(bucket, contract.ledger_folder(stage)) if found.key.endswith(".json")]
    known = _index(store, bucket, stage) if len(listed) >= _INDEX_FROM else {}
    found = {entry.key: known[entry.key][1] for entry in listed if known.get(entry.key, [None])[0] == entry.etag}
    missing = [entry for entry in listed if entry.key not in found]
    bodies = store.get_all(bucket, [entry.key for entry in missing])
    found |= {entry.key: json.loads(body) for entry, body in zip(missing, bodies, strict=True)}
    if len(missing) >= _INDEX_FROM:
        index = {entry.key: [entry.etag, found[entry.key]] for entry in listed}
        # What cannot be kept is read again.
        with contextlib.suppress(Failure):
            store.put(bucket, contract.ledger_index(stage), gzip.compress(json.dumps(index).encode()))
    return sorted(found.values(), key=lambda entry: entry["batch"])


def _index(store: Store, bucket: str, stage: str) -> dict[str, Any]:
    key = contract.ledger_index(stage)
    if store.find(bucket, key) is None:
        return {}
    try:
        return json.loads(gzip.decompress(store.get(bucket, key)))
    except (OSError, EOFError, ValueError):
        return {}


def commit(
    store: Store,
    bucket: str,
    stage: str,
    batch: str,
    run: str,
    inputs: list[dict[str, Any]],
    tables: dict[str, Counts],
    **more: Any,
) -> dict[str, Any]:
    """Writes the entry that makes a batch count, with what `more` says of it."""
    entry = {
        "version": contract.LEDGER_VERSION,
        "stage": stage,
        "batch": batch,
        "run": run,
        "committed_at": contract.rfc3339(datetime.now(UTC)),
        "inputs": inputs,
        "tables": {name: asdict(counts) for name, counts in sorted(tables.items())},
        **{name: value for name, value in more.items() if value},
    }
    store.put(bucket, contract.ledger_entry(stage, batch), json.dumps(entry, indent=1).encode())
    return entry


def taken(done: list[dict[str, Any]], clean_entries: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """The cleaned batches and their tables that entries of `transform` have taken.

    An entry that could not take all tables of a batch names those that it took.
    """
    tables = {entry["batch"]: list(entry["tables"]) for entry in clean_entries}
    inputs = [given for entry in done for given in entry["inputs"]]
    return {(given["batch"], name) for given in inputs for name in given.get("tables", tables.get(given["batch"], []))}


def batch_name(now: datetime, inputs: Iterable[str], earlier: Iterable[str]) -> str:
    """Names a batch by time and content, always after the batches before it, with any clock."""
    at = now.replace(microsecond=0)
    for batch in earlier:
        at = max(at, contract.begun(batch) + timedelta(seconds=1))
    digest = hashlib.sha256("\n".join(sorted(inputs)).encode()).hexdigest()
    return f"{contract.stamp(at)}-{digest[:12]}"
