"""What the landing zone holds that no ledger entry has seen."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from pipectl_glue.contract import LANDING
from pipectl_glue.document import Document, Table
from pipectl_glue.store import Object


@dataclass(frozen=True)
class Input:
    """An object that a batch takes in."""

    key: str
    etag: str
    size: int
    table: str
    # Seconds since 1970; of two objects the one that arrived later counts more.
    arrived: float = 0.0
    # The object that has brought the same content before.
    duplicate_of: str | None = None
    # The newer snapshot that makes this one count no more.
    superseded_by: str | None = None
    # Why the object cannot be read as a whole.
    refused: str | None = None
    # What this is a copy of, and the request that asked for it.
    replay_of: str | None = None
    replay: str | None = None

    @property
    def is_read(self) -> bool:
        """Whether its rows are read."""
        return self.size > 0 and not (self.duplicate_of or self.superseded_by or self.refused)


@dataclass(frozen=True)
class Arrivals:
    """The objects that are new, by table, and the keys of those that belong to none."""

    inputs: list[Input]
    strangers: list[str]


class Places:
    """Which table an object belongs to: the one with the longest prefix of its key."""

    def __init__(self, document: Document) -> None:
        self._tables = sorted(
            (table for table in document.tables.values() if table.name not in document.transforms),
            key=lambda table: len(table.landing),
            reverse=True,
        )

    def table(self, key: str) -> Table | None:
        """The table of a key; None when no prefix fits."""
        return next((table for table in self._tables if key.startswith(table.landing)), None)


def is_hidden(key: str) -> bool:
    """Whether a key names no data: Spark does not read names that begin with `_` or `.`."""
    parts = key.removeprefix(LANDING).split("/")
    return not parts[-1] or any(part.startswith(("_", ".")) for part in parts)


def find(
    objects: Iterable[Object],
    clean_entries: list[dict[str, Any]],
    document: Document,
    named: dict[str, set[tuple[str, str]]],
) -> Arrivals:
    """Picks the objects that are new, and marks those whose content an append table without key already has.

    An object counts once by key and etag. `named` holds, for each table whose objects count only when an ingest names
    them, those that one does.
    """
    taken = [entry for ledger in clean_entries for entry in ledger["inputs"]]
    seen = {(entry["key"], entry["etag"]) for entry in taken}
    contents = {(entry["table"], entry["etag"], entry["size"]): entry["key"] for entry in taken}
    places = Places(document)
    inputs: list[Input] = []
    strangers: list[str] = []
    for found in sorted(objects, key=lambda found: found.key):
        if is_hidden(found.key) or (found.key, found.etag) in seen:
            continue
        table = places.table(found.key)
        if table is None:
            strangers.append(found.key)
            continue
        if table.ingest_ledger and (found.key, found.etag) not in named[table.name]:
            # An ingest that has not ended, or never did.
            continue
        # Spark takes `a//b` for `a/b`, and does not find it.
        refused = "its key has an empty part (`//`); copy it to another key" if "//" in found.key else None
        content = (table.name, found.etag, found.size)
        duplicate = contents.get(content) if table.keeps_repeats and found.size > 0 else None
        inputs.append(
            Input(
                found.key,
                found.etag,
                found.size,
                table.name,
                arrived=found.modified,
                duplicate_of=duplicate,
                refused=refused,
            )
        )
        contents.setdefault(content, found.key)
    return Arrivals(inputs, strangers)


def as_json(inputs: list[Input]) -> list[dict[str, Any]]:
    """The inputs as an entry records them; what does not apply is left out."""
    fields = [asdict(entry) for entry in inputs]
    return [
        {name: value for name, value in entry.items() if value is not None and name != "arrived"} for entry in fields
    ]
