"""How the columns of a table's files change: new ones are reported, missing ones and other types stop the table."""

from typing import Any

from pipectl_glue.document import Table
from pipectl_glue.failure import Failure
from pipectl_glue.ledger import Counts
from pipectl_glue.readers import Read


def check(table: Table, read: Read, entries: list[dict[str, Any]]) -> None:
    """Refuses objects that have lost a column which the batches before had, or have it in another type."""
    before = _before(table, entries)
    for key, columns in sorted(read.schemas.items()):
        lost = sorted(set(before) - set(columns))
        other = [
            f"`{name}` was {before[name]} and is {kind}"
            for name, kind in sorted(columns.items())
            if before.get(name) and kind and before[name] != kind
        ]
        if not lost and not other:
            continue
        what = "; ".join([*(f"`{name}` is missing" for name in lost), *other])
        if table.stops_on_schema_changes:
            raise Failure(
                f"table `{table.name}`: the columns of {key} are not those of the files before it: {what}. "
                "Correct the file, or say `schema_changes: accept` for the table if it is meant"
            )
        read.remarks.append(f"the columns of {key} are not those of the files before it: {what}")


def columns(table: Table, read: Read, entries: list[dict[str, Any]]) -> dict[str, str]:
    """The columns that the next batch is compared with."""
    found = dict(_before(table, entries)) if not read.schemas else {}
    for schema in read.schemas.values():
        found |= schema
    return found


def findings(read: Read, counts: Counts) -> list[dict[str, str]]:
    """What is worth a word in the report."""
    found = [{"kind": "schema", "text": text} for text in read.remarks]
    if counts.unknown_columns:
        names = ", ".join(counts.unknown_columns)
        found.append({"kind": "new_column", "text": f"columns that the table does not have: {names}"})
    return found


def _before(table: Table, entries: list[dict[str, Any]]) -> dict[str, str]:
    """The columns of the last batch that had any, as far as the table still takes them."""
    taken = {column.source for column in table.columns}
    for entry in reversed(entries):
        known = entry["tables"].get(table.name, {}).get("source_columns")
        if known:
            return {name: kind for name, kind in known.items() if name in taken}
    return {}
