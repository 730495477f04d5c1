"""How far each table has been read: the ledger of one source's ingest.

An entry is one object, written last. It names the objects of its batch, and for each table of the source the watermark
with the rows at it. So data and watermark move together, or not at all.
"""

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pipectl_glue import contract
from pipectl_glue.store import Object, Store

_BATCH = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{12}")


@dataclass
class Reached:
    """How far a table has been read."""

    # `timestamp`, `date` or `number`, and the position on it; None before any row had one.
    kind: str
    position: int | None
    watermark: str | None
    # The folder with the rows at the watermark, and how many there are.
    boundary: str | None = None
    boundary_rows: int = 0
    # Each column's type in the database, and the one that the pipeline declares.
    columns: dict[str, dict[str, str]] = field(default_factory=dict)

    @staticmethod
    def read(state: dict[str, Any]) -> "Reached":
        """As an entry holds it: a position may be longer than a JSON number."""
        position = state["position"]
        return Reached(**{**state, "position": None if position is None else int(position)})

    def write(self) -> dict[str, Any]:
        """The same for an entry."""
        return {**self.__dict__, "position": None if self.position is None else str(self.position)}


@dataclass
class Taken:
    """What a run took of one table."""

    read: int
    taken: int
    unchanged: int
    unusable: int
    path: str | None = None


class Ledger:
    """The entries of one source."""

    def __init__(self, store: Store, bucket: str, source: str) -> None:
        self._store = store
        self._bucket = bucket
        self._source = source
        self._prefix = contract.ingest_entries_folder(source)
        self.state = contract.ingest_state_folder(source)
        keys = [found.key for found in store.objects(bucket, self._prefix) if found.key.endswith(".json")]
        self.batches = sorted(key.removeprefix(self._prefix).removesuffix(".json") for key in keys)
        self.reached: dict[str, Reached] = {}
        if self.batches:
            entry = json.loads(store.get(bucket, contract.ingest_entry(source, self.batches[-1])))
            self.reached = {name: Reached.read(state) for name, state in entry["state"].items()}

    @property
    def _marker(self) -> str:
        # Its name hides it from the jobs; its event starts them.
        return contract.ingest_marker(self._source)

    def tell(self) -> bool:
        """Announces the last batch to the pipeline, unless done: the objects' events came before they counted."""
        if not self.batches:
            return False
        body = json.dumps({"source": self._source, "batch": self.batches[-1]}).encode()
        known = any(found.key == self._marker for found in self._store.objects(self._bucket, self._marker))
        if known and self._store.get(self._bucket, self._marker) == body:
            return False
        self._store.put(self._bucket, self._marker, body)
        return True

    def sweep(self) -> int:
        """Deletes what runs that did not end have left: nothing names it, and nobody reads it."""
        counted, kept = set(self.batches), {reached.boundary for reached in self.reached.values()}
        lost = set()
        for found in self._store.objects(self._bucket, contract.landing_folder(self._source)):
            parts = found.key.split("/")
            # landing/<source>/<table>/<batch>/<file>
            if len(parts) == 5 and _BATCH.fullmatch(parts[3]) and parts[3] not in counted:
                lost.add("/".join(parts[:4]) + "/")
        for found in self._store.objects(self._bucket, self.state):
            folder = found.key.rpartition("/")[0] + "/"
            if folder not in kept:
                lost.add(folder)
        for folder in sorted(lost):
            self._store.delete(self._bucket, folder)
        return len(lost)

    def commit(
        self,
        batch: str,
        run: str,
        objects: dict[str, list[Object]],
        taken: dict[str, Taken],
        failed: dict[str, str],
    ) -> None:
        """Writes the entry that makes a batch count."""
        entry = {
            "version": contract.LEDGER_VERSION,
            "stage": "ingest",
            "source": self._source,
            "batch": batch,
            "run": run,
            "committed_at": contract.rfc3339(datetime.now(UTC)),
            "objects": [
                {"key": found.key, "etag": found.etag, "size": found.size, "table": name}
                for name, all_found in sorted(objects.items())
                for found in all_found
            ],
            "tables": {name: counts.__dict__ for name, counts in sorted(taken.items())},
            "failed": failed,
            "state": {name: reached.write() for name, reached in sorted(self.reached.items())},
        }
        self._store.put(self._bucket, contract.ingest_entry(self._source, batch), json.dumps(entry, indent=1).encode())
        self.batches.append(batch)
