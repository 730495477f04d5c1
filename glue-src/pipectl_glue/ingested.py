"""Which objects of the landing zone an ingest has made whole: those that an entry of the ingest's ledger names."""

import json

from pipectl_glue.arrivals import Input
from pipectl_glue.document import Document
from pipectl_glue.store import Store

_ENTRIES_AT_ONCE = 64


def named(store: Store, document: Document, inputs: list[Input]) -> list[Input]:
    """The inputs without those that count only when an ingest names them, and that none does."""
    ledgers = {name: table.ingest_ledger for name, table in document.tables.items() if table.ingest_ledger}
    open_: dict[str, set[tuple[str, str]]] = {}
    for entry in inputs:
        if entry.table in ledgers:
            open_.setdefault(ledgers[entry.table], set()).add((entry.key, entry.etag))
    whole: set[tuple[str, str]] = set()
    for prefix, wanted in open_.items():
        # The newest entries name what is new.
        keys = [found.key for found in store.objects(document.raw, prefix) if found.key.endswith(".json")][::-1]
        for start in range(0, len(keys), _ENTRIES_AT_ONCE):
            for body in store.get_all(document.raw, keys[start : start + _ENTRIES_AT_ONCE]):
                whole |= wanted & {(found["key"], found["etag"]) for found in json.loads(body)["objects"]}
            if wanted <= whole:
                break
    return [entry for entry in inputs if entry.table not in ledgers or (entry.key, entry.etag) in whole]
