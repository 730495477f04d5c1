"""The landing zone is emptied of what is in the warehouse and in the archive; nothing else ever leaves it.

It is safe to stop anywhere and to do again: an object goes only if the ledger names exactly it, all of its batch is
loaded, and the archive has the same bytes.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pipectl_glue import contract, ledger, snapshots
from pipectl_glue.document import Document
from pipectl_glue.store import Object, Store
from pipectl_glue.taken import Record, Taken

_AT_ONCE = 16


def is_loaded(store: Store, document: Document, taken: Taken) -> Callable[[Record], bool]:
    """Whether an object that was taken may leave the landing zone: its rows are loaded."""
    if not document.empty_after_load or not document.raw_archive:
        return lambda _: False
    loaded = _loaded(store, document, taken.entries)
    # An object that could not be read stays, for people to see.
    return lambda record: not record.is_refused and (record.batch, record.table) in loaded


def empty_landing(store: Store, document: Document, done: list[Object], tell: Callable[[str], None]) -> None:
    """Removes objects whose rows are loaded."""
    archive = document.raw_archive
    if not done:
        return

    def remove(found: Object) -> bool:
        copy = store.find(archive, found.key)
        same = copy is not None and (copy.etag, copy.size) == (found.etag, found.size)
        return same and store.remove(document.raw, found)

    with ThreadPoolExecutor(_AT_ONCE) as workers:
        removed = sum(workers.map(remove, done))
    tell(f"removed {removed} loaded objects from s3://{document.raw}/{contract.LANDING}")
    if removed < len(done):
        tell(f"kept {len(done) - removed} loaded objects that s3://{archive} does not hold yet")


def drop_old_states(store: Store, document: Document, clean_entries: list[dict[str, Any]]) -> None:
    """Removes the rows of snapshots that nothing will be compared with any more, and those of runs that broke off."""
    for table in document.tables.values():
        state = snapshots.last_state(table, clean_entries) if table.snapshot else None
        if state is None:
            continue
        kept = state.removeprefix(f"s3://{document.cleaned}/")
        for found in list(store.objects(document.cleaned, contract.snapshots_folder(table.name))):
            if not found.key.startswith(kept):
                store.remove(document.cleaned, found)


def _loaded(store: Store, document: Document, clean_entries: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """The batches and tables of `clean` that are in the warehouse."""
    prefix = contract.ledger_folder("loaded")
    whole = {
        found.key.removeprefix(prefix).removesuffix(".json") for found in store.objects(document.transformed, prefix)
    }
    entries = ledger.entries(store, document.transformed, "transform")
    return ledger.taken([entry for entry in entries if entry["batch"] in whole], clean_entries)
