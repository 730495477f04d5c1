"""The report of a run: what came in, what became of it and why, for people and for `pipectl runs`.

It summarizes the ledger for people. Nothing reads it to decide anything.
"""

import json
from datetime import UTC, datetime
from typing import Any

from pipectl_glue import contract, output
from pipectl_glue.document import Document
from pipectl_glue.store import Store

_SUMMED = ("quarantined", "duplicates", "unchanged")


def write(
    store: Store, document: Document, entry: dict[str, Any], cleaned: list[dict[str, Any]], seconds: float
) -> None:
    """Writes the report of a batch of `transform` and of the cleaned batches in it."""
    names = sorted({*entry["tables"], *entry.get("stopped", {})})
    stopped = dict(entry.get("stopped", {}))
    _put(store, document, entry, "transform", seconds, stopped, {
        "cleaned_batches": [given["batch"] for given in entry["inputs"]],
        "tables": {name: _table(name, entry, cleaned) for name in names},
    })  # fmt: skip


def write_clean(
    store: Store,
    document: Document,
    batch: str,
    run: str,
    entry: dict[str, Any] | None,
    stopped: dict[str, Exception],
    seconds: float,
) -> None:
    """Writes the report of a run of `clean` in which tables were stopped: no ledger entry need name them."""
    told = {name: output.told(failure) for name, failure in stopped.items()}
    known = entry or {"batch": batch, "run": run, "tables": {}, "inputs": [], "committed_at": None}
    tables = {
        name: _table(name, {"tables": {}, "stopped": told}, [known]) for name in sorted({*known["tables"], *told})
    }
    _put(
        store, document, known, "clean", seconds, told, {"cleaned_batches": [batch] if entry else [], "tables": tables}
    )


def _put(
    store: Store,
    document: Document,
    entry: dict[str, Any],
    stage: str,
    seconds: float,
    stopped: dict[str, str],
    more: dict[str, Any],
) -> None:
    report = {
        "version": contract.REPORT_VERSION,
        "batch": entry["batch"],
        "stage": stage,
        "state": "failed" if stopped else "succeeded",
        "run": entry["run"],
        "ended_at": contract.rfc3339(datetime.now(UTC)),
        "seconds": round(seconds, 3),
        "replays": entry.get("replays", []),
        **more,
    }
    store.put(document.transformed, contract.report(entry["batch"]), json.dumps(report, indent=1).encode())


def _table(name: str, entry: dict[str, Any], cleaned: list[dict[str, Any]]) -> dict[str, Any]:
    """A table's books over both stages: in = loaded + unchanged + duplicates + quarantined."""
    parts = [given["tables"][name] for given in cleaned if name in given["tables"]]
    transformed = entry["tables"].get(name)
    stages = [("clean", part) for part in parts] + ([("transform", transformed)] if transformed else [])
    objects = [given for batch in cleaned for given in batch["inputs"] if given.get("table") == name]
    ends = transformed or {}
    return {
        "objects": len(objects),
        "in": sum(part["rows_in"] for part in parts) or ends.get("rows_in", 0),
        "loaded": ends.get("rows_out", sum(part["rows_out"] for part in parts)),
        "deleted": ends.get("deleted", sum(part.get("deleted", 0) for part in parts)),
        **{field: sum(counts.get(field, 0) for _, counts in stages) for field in _SUMMED},
        "reasons": [{"stage": stage, **reason} for stage, counts in stages for reason in counts.get("reasons", [])],
        "refused": [{"key": given["key"], "reason": given["refused"]} for given in objects if given.get("refused")],
        "findings": [{"stage": stage, **found} for stage, counts in stages for found in counts.get("findings", [])],
        "watermark": ends.get("watermark") or next((part.get("watermark") for part in reversed(parts)), None),
        "stopped": entry.get("stopped", {}).get(name),
        "seconds": {
            "clean": round(sum(part.get("seconds", 0) for part in parts), 3),
            "transform": ends.get("seconds"),
        },
    }
