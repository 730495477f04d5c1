"""What the landing zone holds that no ledger entry has seen."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pipectl_glue.contract import LANDING, REPLAY_REQUESTS
from pipectl_glue.document import Document, Table
from pipectl_glue.store import Object
from pipectl_glue.taken import Record, Taken

_STRANGERS_SHOWN = 100
# What one run removes at most.
_MOST_LOADED = 5000


@dataclass(frozen=True, slots=True)
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


@dataclass
class Arrivals:
    """What one listing of the landing zone holds; of what is known and stays, nothing is kept."""

    # The objects that are new.
    inputs: list[Input] = field(default_factory=list)
    # Keys that belong to no table: the first of them, and their number.
    strangers: list[str] = field(default_factory=list)
    strange: int = 0
    # What asks for a replay.
    requests: list[Object] = field(default_factory=list)
    # Objects that were taken and whose rows are loaded.
    loaded: list[Object] = field(default_factory=list)


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
    taken: Taken,
    document: Document,
    named: Callable[[list[Input]], Iterable[Input]],
    is_loaded: Callable[[Record], bool] = lambda _: False,
) -> Arrivals:
    """Picks the objects that are new, and marks those whose content an append table without key already has.

    An object counts once by key and etag. `objects` are in the order of their keys. `named` leaves out those objects
    that count only when an ingest names them, and that none does.
    """
    places = Places(document)
    found = Arrivals()
    for entry, record in taken.seen(objects):
        if record is not None:
            if len(found.loaded) < _MOST_LOADED and is_loaded(record):
                found.loaded.append(entry)
            continue
        if entry.key.startswith(REPLAY_REQUESTS):
            found.requests.append(entry)
        if is_hidden(entry.key):
            continue
        table = places.table(entry.key)
        if table is None:
            found.strange += 1
            found.strangers += [entry.key] if found.strange <= _STRANGERS_SHOWN else []
            continue
        # Spark takes `a//b` for `a/b`, and does not find it.
        refused = "its key has an empty part (`//`); copy it to another key" if "//" in entry.key else None
        found.inputs.append(
            Input(entry.key, entry.etag, entry.size, table.name, arrived=entry.modified, refused=refused)
        )
    found.inputs = _without_repeats(list(named(found.inputs)), taken, document)
    return found


def _without_repeats(inputs: list[Input], taken: Taken, document: Document) -> list[Input]:
    """Marks the objects whose content an append table without a key has already, from an entry or from this run."""
    wanted = {
        (entry.table, entry.etag, entry.size)
        for entry in inputs
        if document.tables[entry.table].keeps_repeats and entry.size > 0
    }
    contents: dict[tuple[str, str, int], str] = {}
    for record in taken.objects() if wanted else ():
        content = (record.table, record.etag, record.size)
        if content in wanted:
            contents[content] = record.key
    marked = []
    for entry in inputs:
        content = (entry.table, entry.etag, entry.size)
        if content in wanted and content in contents:
            entry = replace(entry, duplicate_of=contents[content])
        contents.setdefault(content, entry.key)
        marked.append(entry)
    return marked


def as_json(inputs: list[Input]) -> list[dict[str, Any]]:
    """The inputs as an entry records them; what does not apply is left out."""
    fields = [asdict(entry) for entry in inputs]
    return [
        {name: value for name, value in entry.items() if value is not None and name != "arrived"} for entry in fields
    ]
