"""Which objects of the landing zone an ingest has made whole: those that an entry of the ingest's ledger names."""

import json

from pipectl_glue.document import Document
from pipectl_glue.store import Store


def named(store: Store, document: Document) -> dict[str, set[tuple[str, str]]]:
    """By table, the key and ETag of each object that counts; tables whose objects count as they come are left out."""
    ledgers: dict[str, set[tuple[str, str]]] = {}
    for prefix in {table.ingest_ledger for table in document.tables.values() if table.ingest_ledger}:
        keys = [found.key for found in store.objects(document.raw, prefix) if found.key.endswith(".json")]
        entries = map(json.loads, store.get_all(document.raw, keys))
        ledgers[prefix] = {(found["key"], found["etag"]) for entry in entries for found in entry["objects"]}
    return {name: ledgers[table.ingest_ledger] for name, table in document.tables.items() if table.ingest_ledger}
