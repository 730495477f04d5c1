"""Requests to take again what was taken before. Each is an object of the raw bucket, made whole by `pipectl replay`.

A request is done when an entry of its stage names it. So it is executed once, even if a run is interrupted.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pipectl_glue.arrivals import Input
from pipectl_glue.contract import REPLAY_REQUESTS, REPLAY_VERSION
from pipectl_glue.document import Document
from pipectl_glue.failure import Failure
from pipectl_glue.store import Object, Store


@dataclass(frozen=True)
class Request:
    """What is to be taken again."""

    id: str
    # The stage whose input it is: `raw` or `cleaned`.
    source: str
    tables: list[str]
    batches: list[str]
    inputs: list[dict[str, Any]] = field(default_factory=list)


def pending(
    store: Store, document: Document, objects: Iterable[Object], source: str, done: list[dict[str, Any]]
) -> list[Request]:
    """The requests, among the objects of the landing zone, that no entry of the stage has executed."""
    carried_out = {name for entry in done for name in entry.get("replays", [])}
    keys = [
        found.key
        for found in objects
        if found.key.startswith(REPLAY_REQUESTS)
        and found.key.endswith(".json")
        and found.key.removeprefix(REPLAY_REQUESTS).removesuffix(".json") not in carried_out
    ]
    requests = [_request(key, body) for key, body in zip(keys, store.get_all(document.raw, keys), strict=True)]
    return sorted((found for found in requests if found.source == source), key=lambda found: found.id)


def inputs(requests: list[Request], document: Document) -> tuple[list[Input], list[str]]:
    """The objects that the requests name, and what of them is left out and why."""
    found: list[Input] = []
    left_out: list[str] = []
    for request in requests:
        for name in request.tables:
            if name not in document.tables:
                left_out.append(f"replay {request.id}: left out {name}: it is not in the pipeline any more")
            elif document.tables[name].keeps_repeats:
                left_out.append(f"replay {request.id}: left out {name}: without a key it would hold its rows twice")
        for entry in request.inputs:
            name = entry["table"]
            if name in request.tables and name in document.tables and not document.tables[name].keeps_repeats:
                found.append(
                    Input(
                        entry["key"],
                        entry["etag"],
                        entry["size"],
                        name,
                        replay_of=entry["of"],
                        replay=request.id,
                    )
                )
    return found, left_out


def _request(key: str, body: bytes) -> Request:
    try:
        found = json.loads(body)
        if found["version"] != REPLAY_VERSION:
            raise Failure(
                f"{key} has version {found['version']}, these jobs read version {REPLAY_VERSION}; deploy the jobs"
            )
        return Request(
            found["id"], found["from"], found["tables"], found.get("batches") or [], found.get("inputs") or []
        )
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise Failure(f"{key} is no request to replay: {error}; delete it, and ask again") from error
