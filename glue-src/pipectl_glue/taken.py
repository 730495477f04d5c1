"""What `clean` has taken so far: the entries of its ledger without their objects, and the objects in the order of keys.

After years the entries name millions of objects, more than the driver can hold. So they are compacted by time: what a
number of entries has taken is a segment, a sorted object beside the ledger that is only ever read as a stream. Segments
are merged as they grow in number, the small ones first. They only save reading: one that is lost, damaged, or does not
match the ledger's listing is read from the entries again.
"""

import contextlib
import gzip
import hashlib
import json
import re
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any, NamedTuple

from pipectl_glue import contract
from pipectl_glue.failure import Failure
from pipectl_glue.store import Store

_STAGE = "clean"
# From so many entries or objects on, which no segment has, they become one.
_ENTRIES_FROM = 100
_OBJECTS_FROM = 100_000
# What is held at most of the objects before they are a segment.
_OBJECTS_AT_ONCE = 200_000
_ENTRIES_AT_ONCE = 64
# More segments are merged.
_MOST_SEGMENTS = 8
# A listing can be divided at every so many objects.
_STRIDE = 5_000
_ESCAPED = re.compile(r"\\[n\\]")
_HEADS, _OBJECTS = ".heads.json.gz", ".objects.gz"
_LEVEL = 3


class Record(NamedTuple):
    """An object that an entry has taken."""

    key: str
    etag: str
    size: int
    table: str
    batch: str
    is_refused: bool


_RECORD = Record._make


@dataclass
class _Segment:
    """Some entries and their objects; the objects are in a file of this machine, or in the bucket."""

    name: str
    # By the entry's key: its ETag, and the entry without its objects.
    heads: dict[str, list[Any]]
    # Every so many a key.
    splits: list[str]
    objects: int
    file: IO[bytes] | None = None


@dataclass
class Taken:
    """What was taken, by all entries of the ledger."""

    store: Store
    bucket: str
    # In batch order; without `inputs`, and of `tables` only what later runs need.
    entries: list[dict[str, Any]] = field(default_factory=list)
    _segments: list[_Segment] = field(default_factory=list)
    # What no segment has, sorted.
    _recent: list[Record] = field(default_factory=list)

    def objects(self) -> Iterator[Record]:
        """All objects in the order of their keys, as a stream."""
        streams = [_records(self.store, self.bucket, segment) for segment in self._segments]
        return _in_order([iter(self._recent), *streams], self.splits())

    def splits(self) -> list[str]:
        """Keys that divide the objects into parts of about the same size."""
        return sorted({key for segment in self._segments for key in segment.splits})

    def seen(self, listed: Iterable[Any]) -> Iterator[tuple[Any, Record | None]]:
        """Each object of a listing, which is in the order of keys, with the record that took exactly it."""
        records = self.objects()
        record = next(records, None)
        for found in listed:
            while record is not None and record.key < found.key:
                record = next(records, None)
            taken = None
            # A key may have been taken with several contents.
            while record is not None and record.key == found.key:
                taken = record if record.etag == found.etag else taken
                record = next(records, None)
            yield found, taken


def _in_order(streams: list[Iterator[Record]], bounds: list[str]) -> Iterator[Record]:
    """Merges sorted streams, from bound to bound: sorting a part costs less than a heap that every record passes."""
    heads = [next(stream, None) for stream in streams]
    for bound in [*bounds, None]:
        part: list[Record] = []
        for number, stream in enumerate(streams):
            record = heads[number]
            while record is not None and (bound is None or record[0] <= bound):
                part.append(record)
                record = next(stream, None)
            heads[number] = record
        part.sort()
        yield from part


def read(store: Store, bucket: str) -> Taken:
    """Reads the ledger of `clean`: its segments, and the entries that are in none of them."""
    listed = {
        found.key: found.etag
        for found in store.objects(bucket, contract.ledger_folder(_STAGE))
        if found.key.endswith(".json")
    }
    segments, covered = _known_segments(store, bucket, listed)
    taken = Taken(store, bucket, _segments=segments)
    pending: dict[str, list[Any]] = {}
    records: list[Record] = []
    missing = sorted(listed.keys() - covered)
    for start in range(0, len(missing), _ENTRIES_AT_ONCE):
        keys = missing[start : start + _ENTRIES_AT_ONCE]
        for key, body in zip(keys, store.get_all(bucket, keys), strict=True):
            entry = json.loads(body)
            records += _records_of(entry)
            pending[key] = [listed[key], _head(entry)]
        if len(records) >= _OBJECTS_AT_ONCE:
            segments.append(_write(store, bucket, pending, sorted(records)))
            pending, records = {}, []
    if len(pending) >= _ENTRIES_FROM or len(records) >= _OBJECTS_FROM:
        segments.append(_write(store, bucket, pending, sorted(records)))
        pending, records = {}, []
    taken._recent = sorted(records)
    heads = [head for segment in segments for _, head in segment.heads.values()]
    heads += [head for _, head in pending.values()]
    taken.entries = sorted(heads, key=lambda entry: entry["batch"])
    if len(segments) > _MOST_SEGMENTS:
        taken._segments = _merged(store, bucket, segments)
    return taken


def entries(store: Store, bucket: str, batches: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Some entries as they were written, by their batch."""
    names = sorted(set(batches))
    bodies = store.get_all(bucket, [contract.ledger_entry(_STAGE, batch) for batch in names])
    return {batch: json.loads(body) for batch, body in zip(names, bodies, strict=True)}


def _head(entry: dict[str, Any]) -> dict[str, Any]:
    """What later runs need of an entry beside its objects."""
    kept = ("path", "rows_out", "columns", "source_columns", "key", "state")
    tables = {
        name: {field: counts[field] for field in kept if counts.get(field)} for name, counts in entry["tables"].items()
    }
    for counts in tables.values():
        counts.setdefault("rows_out", 0)
    return {"batch": entry["batch"], "tables": tables, "replays": entry.get("replays", [])}


# What is alike in most entries is written, and held, once.
_ALIKE = ("columns", "source_columns", "key")


def _without_values(heads: dict[str, list[Any]]) -> tuple[dict[str, list[Any]], list[Any]]:
    """The heads with the number of a value where the value was, and the values."""
    numbers: dict[str, int] = {}

    def numbered(counts: dict[str, Any]) -> dict[str, Any]:
        return counts | {
            name: numbers.setdefault(json.dumps(counts[name]), len(numbers)) for name in _ALIKE if name in counts
        }

    lean = {
        key: [etag, head | {"tables": {name: numbered(counts) for name, counts in head["tables"].items()}}]
        for key, (etag, head) in heads.items()
    }
    return lean, [json.loads(text) for text in numbers]


def _with_values(heads: dict[str, list[Any]], values: list[Any]) -> dict[str, list[Any]]:
    for _, head in heads.values():
        for counts in head["tables"].values():
            counts.update({name: values[counts[name]] for name in _ALIKE if name in counts})
    return heads


def _records_of(entry: dict[str, Any]) -> Iterator[Record]:
    for given in entry["inputs"]:
        yield Record(
            given["key"], given["etag"], given["size"], given["table"], entry["batch"], bool(given.get("refused"))
        )


def _known_segments(store: Store, bucket: str, listed: dict[str, str]) -> tuple[list[_Segment], set[str]]:
    """The segments whose entries are all as the ledger lists them, none twice, and the keys of their entries."""
    folder = contract.ledger_index_folder(_STAGE)
    there = {found.key: found.size for found in store.objects(bucket, folder)}
    found = []
    for key in sorted(key for key in there if key.endswith(_HEADS)):
        name = key.removesuffix(_HEADS)
        try:
            known = json.loads(gzip.decompress(store.get(bucket, key)))
            segment = _Segment(name, _with_values(known["entries"], known["values"]), known["splits"], known["objects"])
            size = known["size"]
        except (OSError, EOFError, ValueError, LookupError, TypeError, zlib.error):
            continue
        is_whole = there.get(f"{name}{_OBJECTS}") == size
        if is_whole and all(listed.get(entry) == etag for entry, (etag, _) in segment.heads.items()):
            found.append(segment)
    segments: list[_Segment] = []
    covered: set[str] = set()
    # What was merged may still be there beside the result.
    for segment in sorted(found, key=lambda segment: len(segment.heads), reverse=True):
        if covered.isdisjoint(segment.heads):
            segments.append(segment)
            covered |= segment.heads.keys()
    return segments, covered


def _merged(store: Store, bucket: str, segments: list[_Segment]) -> list[_Segment]:
    """The segments with the small ones as one; the largest is rewritten only when the others are as large."""
    largest, *others = sorted(segments, key=lambda segment: segment.objects, reverse=True)
    kept = [largest] if largest.objects > sum(segment.objects for segment in others) else []
    small = others if kept else segments
    streams = [_records(store, bucket, segment) for segment in small]
    records = _in_order(streams, sorted({key for segment in small for key in segment.splits}))
    heads = {key: head for segment in small for key, head in segment.heads.items()}
    merged = _write(store, bucket, heads, records)
    for segment in small:
        if segment.name != merged.name:
            # What stays is passed over by the next run.
            with contextlib.suppress(Failure):
                store.delete(bucket, f"{segment.name}.")
    return [*kept, merged]


def _write(store: Store, bucket: str, heads: dict[str, list[Any]], records: Iterable[Record]) -> _Segment:
    """Writes a segment: the objects first, so that heads without them are never there."""
    marks = "\n".join(f"{key} {etag}" for key, (etag, _) in sorted(heads.items()))
    name = f"{contract.ledger_index_folder(_STAGE)}{hashlib.sha256(marks.encode()).hexdigest()[:16]}"
    segment = _Segment(name, heads, [], 0, tempfile.TemporaryFile())  # noqa: SIM115 (it is there as long as the segment)
    with gzip.GzipFile(fileobj=segment.file, mode="wb", compresslevel=_LEVEL, mtime=0) as packed:
        for record in records:
            segment.objects += 1
            if segment.objects % _STRIDE == 0 and record.key.startswith(contract.LANDING):
                segment.splits.append(record.key)
            packed.write(_line(record))
    entries_, values = _without_values(heads)
    known = {
        "entries": entries_,
        "values": values,
        "splits": segment.splits,
        "objects": segment.objects,
        "size": segment.file.tell(),
    }
    # What cannot be kept is read again; this run has it here.
    with contextlib.suppress(Failure):
        segment.file.seek(0)
        store.put(bucket, f"{name}{_OBJECTS}", segment.file)
        store.put(bucket, f"{name}{_HEADS}", gzip.compress(json.dumps(known).encode(), _LEVEL))
    return segment


def _records(store: Store, bucket: str, segment: _Segment) -> Iterator[Record]:
    if segment.file is None:
        with store.file(bucket, f"{segment.name}{_OBJECTS}") as file:
            yield from _unpacked(file)
        return
    segment.file.seek(0)
    yield from _unpacked(segment.file)


def _line(record: Record) -> bytes:
    # The key comes last: it is the only one that may have any character.
    key = record.key.replace("\\", "\\\\").replace("\n", "\\n")
    flag = "1" if record.is_refused else ""
    return f"{record.etag}\t{record.size}\t{record.table}\t{record.batch}\t{flag}\t{key}\n".encode()


def _unpacked(file: IO[bytes]) -> Iterator[Record]:
    with gzip.GzipFile(fileobj=file) as packed:
        for line in packed:
            etag, size, table, batch, flag, key = line[:-1].decode().split("\t", 5)
            if "\\" in key:
                key = _ESCAPED.sub(lambda found: "\n" if found[0] == "\\n" else "\\", key)
            yield _RECORD((key, etag, int(size), table, batch, flag == "1"))
