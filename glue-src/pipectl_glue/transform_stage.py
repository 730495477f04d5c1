"""The second job: cleaned batches become one batch in exactly the warehouse's columns."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import SparkSession

from pipectl_glue import contract, iceberg, ledger, output, replay, report, taken, transform_sql
from pipectl_glue.document import parse_document
from pipectl_glue.session import prepare
from pipectl_glue.stage import Stage
from pipectl_glue.store import Store, split_uri

_STAGE = "transform"


def run(
    spark: SparkSession, document_uri: str, run_id: str, store: Store | None = None, tell: Callable[[str], None] = print
) -> str | None:
    """Transforms all cleaned batches that no transform has taken; returns the batch, or None when there is none."""
    began = time.monotonic()
    store = store or Store()
    document = parse_document(store.get(*split_uri(document_uri)).decode())
    done = ledger.entries(store, document.transformed, _STAGE)
    cleaned = taken.read(store, document.cleaned).entries
    objects = store.objects(document.raw, contract.REPLAY_REQUESTS)
    requests = replay.pending(store, document, objects, "cleaned", done)
    names_of = dict(_pending(cleaned, done, requests))
    whole = taken.entries(store, document.cleaned, names_of)
    pending = [(whole[batch], names) for batch, names in names_of.items()]
    if not pending and not requests:
        tell(f"nothing new in s3://{document.cleaned}/{contract.ledger_folder('clean')}")
        # A run that broke off may have left them behind.
        output.end(_STAGE, None, iceberg.catch_up(spark, store, document, done, tell))
        return None
    marks = [*(entry["batch"] for entry, _ in pending), *(request.id for request in requests)]
    batch = ledger.batch_name(datetime.now(UTC), marks, (entry["batch"] for entry in done))
    stage = Stage(prepare(spark), store, document, batch, pending)
    names = {name for _, tables in pending for name in tables}
    for name in sorted(names.difference(document.tables)):
        tell(f"left out {name}: it is not in the pipeline any more")
    names = names.intersection(document.tables).difference(document.transforms)
    counts, stopped = output.each_table(names, lambda name: stage.table(document.tables[name]))
    made, unmade = transform_sql.each_table(stage, counts, cleaned, done)
    counts, stopped = {**counts, **made}, {**stopped, **unmade}
    for name, table in counts.items():
        tell(output.summary(_STAGE, name, table))
        for finding in table.findings:
            tell(f"{_STAGE} {name}: {finding['text']}")
    committed = None
    if counts or not stopped:
        inputs = [
            # What is stopped is taken by a later run; who takes all of a batch need not say so.
            {"batch": entry["batch"], **({"tables": sorted(took)} if took != set(entry["tables"]) else {})}
            for entry, tables in pending
            for took in [set(tables).difference(stopped)]
            if took or not tables
        ]
        replays = [found.id for found in requests if not stopped.keys() & set(found.tables)]
        told = {name: output.told(failure) for name, failure in stopped.items()}
        entry = ledger.commit(
            store, document.transformed, _STAGE, batch, run_id, inputs, counts, replays=replays, stopped=told
        )
        committed = batch
        tell(f"committed batch {batch}: {len(inputs)} cleaned batch{'' if len(inputs) == 1 else 'es'}")
        report.write(store, document, entry, [given for given, _ in pending], time.monotonic() - began)
        done.append(entry)
    behind = iceberg.catch_up(spark, store, document, done, tell)
    output.end(_STAGE, committed, {**stopped, **behind})
    return committed


def _pending(
    cleaned: list[dict[str, Any]], done: list[dict[str, Any]], requests: list[replay.Request]
) -> list[tuple[str, list[str]]]:
    """The cleaned batches to take, each with the tables to take of it."""
    already = ledger.taken(done, cleaned)
    again = {(batch, name) for found in requests for batch in found.batches for name in found.tables}
    seen = {given["batch"] for entry in done for given in entry["inputs"]}
    pending = []
    for entry in cleaned:
        batch = entry["batch"]
        names = [name for name in entry["tables"] if (batch, name) not in already or (batch, name) in again]
        if names or batch not in seen:
            pending.append((batch, names))
    return pending
