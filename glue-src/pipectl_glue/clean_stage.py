"""The first job: what landed and was not seen before becomes one cleaned batch."""

import json
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipectl_glue import (
    arrivals,
    broken,
    contract,
    evolution,
    housekeeping,
    ingested,
    ledger,
    output,
    pseudo,
    readers,
    replay,
    report,
    rows,
    snapshots,
)
from pipectl_glue.arrivals import Input
from pipectl_glue.clean import clean
from pipectl_glue.contract import LANDING
from pipectl_glue.deduplicate import ranked
from pipectl_glue.document import Document, Table, parse_document
from pipectl_glue.failure import Failure
from pipectl_glue.ledger import Counts
from pipectl_glue.observed import Observed
from pipectl_glue.readers import Given, Read
from pipectl_glue.session import prepare
from pipectl_glue.sql import identifier
from pipectl_glue.store import Store, split_uri
from pipectl_glue.taken import read as read_taken

_STAGE = "clean"
_NAMES_SHOWN = 100
# Of more objects one listing is cheaper than one for each.
_FOUND_ALONE = 1000


def run(
    spark: SparkSession, document_uri: str, run_id: str, store: Store | None = None, tell: Callable[[str], None] = print
) -> str | None:
    """Cleans all new objects; returns the batch, or None when there is nothing new."""
    began = time.monotonic()
    store = store or Store()
    document = parse_document(store.get(*split_uri(document_uri)).decode())
    taken = read_taken(store, document.cleaned)
    entries = taken.entries
    found = arrivals.find(
        store.objects(document.raw, LANDING, taken.splits()),
        taken,
        document,
        lambda inputs: ingested.named(store, document, inputs),
        housekeeping.is_loaded(store, document, taken),
    )
    housekeeping.empty_landing(store, document, found.loaded, tell)
    housekeeping.drop_old_states(store, document, entries)
    for key in found.strangers:
        tell(f"ignored s3://{document.raw}/{key}: no table has this name; add it to the pipeline or delete the object")
    if found.strange > len(found.strangers):
        tell(f"ignored {found.strange - len(found.strangers)} more objects of no table")
    requests = replay.pending(store, document, found.requests, "raw", entries)
    again, left_out = replay.inputs(requests, document)
    for text in left_out:
        tell(text)
    inputs = [*again, *found.inputs]
    if not inputs and not requests:
        tell(f"nothing new under s3://{document.raw}/{LANDING}")
        return None
    marks = [*(f"{entry.key} {entry.etag}" for entry in inputs), *(request.id for request in requests)]
    batch = ledger.batch_name(datetime.now(UTC), marks, (entry["batch"] for entry in entries))
    by_table: dict[str, list[Input]] = defaultdict(list)
    for entry in inputs:
        by_table[entry.table].append(entry)
        if entry.duplicate_of:
            tell(f"not loaded again: {entry.key} has the content of {entry.duplicate_of}")
    stage = _Stage(prepare(spark, reads_landing=True), store, document, batch, entries)
    counts, stopped = output.each_table(by_table, lambda name: stage.table(document.tables[name], by_table[name]))
    _same_still(store, document, stage.inputs, counts, stopped, taken.splits())
    for name, table in counts.items():
        tell(output.summary(_STAGE, name, table))
        for finding in table.findings:
            tell(f"{_STAGE} {name}: {finding['text']}")
    taken_now = [entry for name in counts for entry in stage.inputs[name]]
    # A request is done when all of it is; until then its objects come again.
    waiting = {entry.replay for name in stopped for entry in by_table[name]}
    replays = [request.id for request in requests if request.id not in waiting]
    committed = None
    if counts or replays:
        told = {name: output.told(failure) for name, failure in stopped.items()}
        inputs_ = arrivals.as_json(sorted(taken_now, key=lambda entry: entry.key))
        entry = ledger.commit(
            store, document.cleaned, _STAGE, batch, run_id, inputs_, counts, replays=replays, stopped=told
        )
        committed = batch
        tell(f"committed batch {batch}: {output.counted(len(taken_now), 'object')}")
    if stopped:
        report.write_clean(store, document, batch, run_id, committed and entry, stopped, time.monotonic() - began)
    output.end(_STAGE, committed, stopped)
    return committed


class _Stage:
    """One run's session, buckets and batch."""

    def __init__(
        self, spark: SparkSession, store: Store, document: Document, batch: str, entries: list[dict[str, Any]]
    ) -> None:
        self._spark = spark
        self._store = store
        self._document = document
        self._batch = batch
        self._entries = entries
        # Of each table that is done, its objects with what became of them.
        self.inputs: dict[str, list[Input]] = {}

    def table(self, table: Table, inputs: list[Input]) -> Counts:
        """Cleans one table's objects in a single pass over them; a second one only for bad rows."""
        if table.snapshot:
            inputs = snapshots.newest(inputs)
        # Each turn leaves out at least one object more.
        while True:
            try:
                counts, refused = self._read(table, [entry for entry in inputs if entry.is_read])
                break
            except Failure:
                raise
            except Exception as error:  # noqa: BLE001 (raised again unless an object explains it)
                # Spark does not say which object it stumbled on.
                culprits = broken.find(self._given(table, inputs), error)
                self._store.delete(self._document.cleaned, self._directory(table))
                inputs = [replace(entry, refused=culprits.get(entry.key, entry.refused)) for entry in inputs]
        done = [replace(entry, refused=refused.get(entry.key, entry.refused)) for entry in inputs]
        counts.findings += [
            {"kind": "refused_object", "text": f"{entry.key} is not read: {entry.refused}"}
            for entry in done
            if entry.refused
        ]
        self.inputs[table.name] = done
        return counts

    def _given(self, table: Table, inputs: list[Input]) -> Given:
        inputs = [entry for entry in inputs if entry.is_read]
        return Given(self._spark, self._store, self._document.raw, pseudo.without(table), inputs)

    def _directory(self, table: Table) -> str:
        return contract.rows_folder(table.name, self._batch)

    def _read(self, table: Table, inputs: list[Input]) -> tuple[Counts, dict[str, str]]:
        if not inputs:
            return Counts(), {}
        read = readers.read(self._given(table, inputs))
        evolution.check(table, read, self._entries)
        counts = Counts() if read.frame is None else self._clean(read, table, inputs)
        counts.source_columns = evolution.columns(table, read, self._entries)
        counts.findings += evolution.findings(read, counts)
        return counts, read.refused

    def _clean(self, read: Read, table: Table, inputs: list[Input]) -> Counts:
        return self._write(clean(pseudo.added(read.frame, table), table), table, read, inputs)

    def _write(self, cleaned: DataFrame, table: Table, read: Read, inputs: list[Input]) -> Counts:
        names = [identifier(column.name) for column in table.columns]
        beside = [*rows.PROVENANCE, rows.REASON, rows.NAMES, *rows.technical(table)]
        seen = Observed(
            cleaned.selectExpr(*beside, *names),
            F.count(F.lit(1)).alias("rows"),
            F.count(rows.REASON).alias("bad"),
            # A line's names, once for each way in which lines are made.
            F.to_json(F.collect_set(rows.NAMES)).alias("names"),
        )
        good = ranked(seen.frame.filter(F.col(rows.REASON).isNull()), table, rows.PROVENANCE)
        first = F.col(rows.RANK) == 1
        deleted = first & F.col(rows.DELETED) if table.deletes else F.lit(False)
        kept = Observed(
            good,
            F.count_if(first).alias("first"),
            F.count_if(~first).alias("later"),
            F.count_if(deleted).alias("deleted"),
            *output.watermark(table, first),
        )
        path = f"s3://{self._document.cleaned}/{self._directory(table)}"
        counts = Counts(path)
        if table.snapshot:
            state = f"s3://{self._document.cleaned}/{contract.snapshot_folder(table.name, self._batch)}"
            snapshots.keep(kept.frame.filter(first), table, state)
            counts.state = state
        else:
            counts.columns = output.write_rows(kept.frame.filter(first), table, path, rows.technical(table))
        counts.key = list(table.key)
        read_values, kept_values = seen.values(), kept.values()
        counts.rows_in, counts.quarantined = read_values["rows"], read_values["bad"]
        counts.rows_out, counts.duplicates = kept_values["first"], kept_values["later"]
        counts.deleted = kept_values["deleted"]
        counts.watermark = output.watermark_of(table, kept_values)
        counts.unknown_columns = read.unknown or _unknown(table, json.loads(read_values["names"] or "[]"))
        output.verify(table, counts)
        if counts.quarantined:
            directory = contract.quarantine_folder(table.name, self._batch)
            output.quarantine(cleaned, table, counts, f"s3://{self._document.cleaned}/{directory}")
        if table.snapshot:
            self._compare(cleaned, table, counts, inputs, read)
            output.verify(table, counts)
        if not counts.rows_out:
            self._store.delete(self._document.cleaned, self._directory(table))
            counts.path = None
        return counts

    def _compare(self, cleaned: DataFrame, table: Table, counts: Counts, inputs: list[Input], read: Read) -> None:
        """Writes what a snapshot changes, instead of all that it holds."""
        if not counts.rows_in:
            read.refused |= {
                entry.key: "a snapshot without rows would delete the whole table; drop one that has rows"
                for entry in inputs
            }
            self._store.delete(self._document.cleaned, contract.snapshot_folder(table.name, self._batch))
            counts.state = None
            return
        bad = None
        if counts.quarantined:
            keys = [identifier(name) for name in table.key]
            bad = cleaned.filter(F.col(rows.REASON).isNotNull()).selectExpr(rows.FAULT, *keys)
        last = snapshots.last_state(table, self._entries)
        everything = any(entry.replay for entry in inputs)
        found = snapshots.compare(self._spark, table, counts.state, last, bad, everything)
        gone = F.col(rows.DELETED)
        sums = Observed(
            found.frame,
            F.count_if(F.col(rows.REASON).isNull()).alias("out"),
            F.count_if(F.col(rows.REASON).isNotNull()).alias("unchanged"),
            F.count_if(gone).alias("gone"),
        )
        counts.columns = output.write_rows(
            sums.frame.filter(F.col(rows.REASON).isNull()), table, counts.path, rows.technical(table)
        )
        values = sums.values()
        counts.rows_out, counts.deleted, counts.unchanged = values["out"], values["gone"], values["unchanged"]
        counts.rows_in += counts.deleted
        counts.findings += [{"kind": "snapshot", "text": text} for text in found.remarks]


def _unknown(table: Table, shapes: list[list[str]]) -> list[str]:
    """The names of JSON lines that the table does not take; names with two underlines are the source's own affair."""
    known = {column.source.split(".")[0] for column in table.columns} | {rows.DELETED, rows.POSITION}
    names = {name for shape in shapes for name in shape if not name.startswith("__")}
    return sorted(names - known)[:_NAMES_SHOWN]


def _same_still(
    store: Store,
    document: Document,
    inputs: dict[str, list[Input]],
    counts: dict[str, Counts],
    stopped: dict[str, Exception],
    splits: list[str],
) -> None:
    """Stops the tables whose objects changed while they were read: their rows are not those the ledger would name."""
    keys = [entry.key for name in counts for entry in inputs[name] if not entry.replay]
    if len(keys) > _FOUND_ALONE:
        there = store.objects(document.raw, LANDING, splits)
    else:
        there = store.find_all(document.raw, keys)
    wanted = set(keys)
    now = {(found.key, found.etag) for found in there if found.key in wanted}
    for name in list(counts):
        changed = [entry.key for entry in inputs[name] if not entry.replay and (entry.key, entry.etag) not in now]
        if changed:
            stopped[name] = Failure(
                f"s3://{document.raw}/{changed[0]} changed or went away while it was read; run it again"
            )
            del counts[name]
