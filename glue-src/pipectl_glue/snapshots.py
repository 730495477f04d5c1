"""Tables whose every file is the whole table: the changes and deletions since the last one.

The rows of the last snapshot are kept beside the batches. A new one is compared with them by key: equal rows are
unchanged, rows that are not there any more become deletions. Nothing is taken for gone that may only be unreadable.
"""

from dataclasses import dataclass, replace
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from pipectl_glue import rows
from pipectl_glue.arrivals import Input
from pipectl_glue.document import Table
from pipectl_glue.session import WRITE_OPTIONS
from pipectl_glue.sql import identifier

_DIGEST = "__digest"
_OLD = "__old"


@dataclass(frozen=True)
class Comparison:
    """A new snapshot beside the last one."""

    # The table's columns, `_position`, `_deleted`, and `state` in `rows.REASON`: null for what goes on.
    frame: DataFrame
    # What could not be told.
    remarks: list[str]


def newest(inputs: list[Input]) -> list[Input]:
    """Marks all but the newest object: only that one says what the table is."""
    read = [entry for entry in inputs if entry.is_read]
    if not read:
        return inputs
    last = max(read, key=lambda entry: (entry.arrived, entry.key))
    return [replace(entry, superseded_by=last.key) if entry in read and entry != last else entry for entry in inputs]


def last_state(table: Table, entries: list[dict[str, Any]]) -> str | None:
    """Where the rows of the table's last snapshot are."""
    states = [entry["tables"].get(table.name, {}).get("state") for entry in entries]
    return next((state for state in reversed(states) if state), None)


def keep(good: DataFrame, table: Table, path: str) -> None:
    """Writes the rows of a snapshot for the comparison with this one and the next."""
    names = [identifier(column.name) for column in table.columns]
    good.selectExpr(*names, f"xxhash64({', '.join(names)}) AS {_DIGEST}").write.mode("overwrite").options(
        **WRITE_OPTIONS
    ).parquet(path)


def compare(
    spark: SparkSession, table: Table, path: str, last: str | None, bad: DataFrame | None, everything: bool
) -> Comparison:
    """Compares the snapshot kept under `path` with the last one; `bad` holds the keys and reasons of its bad rows.

    With `everything`, unchanged rows are returned as well.
    """
    new = spark.read.parquet(path)
    names = [column.name for column in table.columns]
    blank = {column.name: F.lit(None).cast(column.type.spark).alias(column.name) for column in table.columns}
    technical = [F.lit(None).cast("string").alias(rows.POSITION), F.lit(False).alias(rows.DELETED)]
    if last is None:
        return Comparison(new.select(*map(rows.named, names), *technical, _reason(F.lit(None))), [])
    old = _state(spark, last)
    remarks = []
    lost = [name for name in table.key if name not in old.columns]
    if lost:
        remarks.append("the table's key is another than that of the last snapshot, so nothing is taken for gone")
        return Comparison(new.select(*map(rows.named, names), *technical, _reason(F.lit(None))), remarks)
    kept = _kept(old, table, bad, remarks)
    if kept is not None:
        keys = list(table.key)
        unseen = kept.join(new.select(*map(rows.named, keys)), keys, "left_anti").select(*kept.columns)
        old = old.join(unseen.select(*map(rows.named, keys)), keys, "left_anti").select(*old.columns)
        held = [rows.named(name) if name in old.columns else blank[name] for name in names]
        typed = [
            value.cast(column.type.spark).alias(column.name) for column, value in zip(table.columns, held, strict=True)
        ]
        # The next snapshot is compared with them as well.
        unseen.select(*typed, F.col(_DIGEST)).write.mode("overwrite").options(**WRITE_OPTIONS).parquet(f"{path}kept/")
    same_key = [F.col(f"n.{identifier(name)}") == F.col(f"o.{identifier(name)}") for name in table.key]
    before = old.select(*map(rows.named, table.key), F.col(_DIGEST).alias(_OLD)).alias("o")
    joined = new.alias("n").join(before, same_key, "full_outer")
    unchanged = F.lit(False) if everything else F.col(_DIGEST).eqNullSafe(F.col(_OLD))
    frame = joined.select(
        *[_value(name, table) for name in names],
        F.lit(None).cast("string").alias(rows.POSITION),
        F.col(_DIGEST).isNull().alias(rows.DELETED),
        _reason(F.when(unchanged, "unchanged")),
    )
    return Comparison(frame, remarks)


def _value(name: str, table: Table) -> Column:
    new = F.col(f"n.{identifier(name)}")
    value = F.coalesce(new, F.col(f"o.{identifier(name)}")) if name in table.key else new
    return value.alias(name)


def _state(spark: SparkSession, path: str) -> DataFrame:
    """The rows of a snapshot, and those that were kept beside it."""
    return spark.read.option("recursiveFileLookup", "true").parquet(path)


def _reason(of: Column) -> Column:
    return of.cast("string").alias(rows.REASON)


def _kept(old: DataFrame, table: Table, bad: DataFrame | None, remarks: list[str]) -> DataFrame | None:
    """The rows of the last snapshot that must not be taken for gone; None when there are none."""
    if bad is None:
        return None
    keyless = " OR ".join(f"{identifier(name)} IS NULL" for name in table.key)
    unknown = bad.filter(f"{rows.FAULT} IS NOT NULL OR {keyless}").limit(1).count()
    if unknown:
        remarks.append("rows without a readable key are in the snapshot, so nothing is taken for gone this time")
        return old
    keys = bad.select(*map(rows.named, table.key)).distinct()
    return old.join(keys, list(table.key), "left_semi")
