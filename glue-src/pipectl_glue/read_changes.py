"""Files of DMS to rows of text cells: what happened to a table's rows, in the order in which it happened.

A row says in `Op` whether it was inserted, updated or deleted, in `_commit_timestamp` when that was committed, and in
`_before_<column>` what its key was before an update. All else are the table's columns.
"""

from collections import defaultdict

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pipectl_glue import parquet_footer, read_parquet, rows
from pipectl_glue.document import Table
from pipectl_glue.readers import Given, Read

OPERATION = "Op"
COMMITTED = "_commit_timestamp"
BEFORE = "_before_"

# The start of `_position`: what was copied as a whole is older than every change. It was read before it was written,
# so its time may be later than that of a change which it has not seen.
_COPIED, _CHANGED = "0", "1"
_COPY = r"/LOAD[0-9A-Fa-f]{8}\.[^/]*$"


def read(given: Given) -> Read:
    """Reads files of DMS; those with one schema in one go."""
    found = Read()
    groups: dict[str, list[str]] = defaultdict(list)
    schemas: dict[str, T.StructType] = {}
    for entry, schema in zip(given.inputs, parquet_footer.schemas(given), strict=True):
        if isinstance(schema, str):
            found.refused[entry.key] = f"it is not a whole Parquet file: {schema}"
            continue
        why = parquet_footer.unreadable(
            schema, {*(column.source for column in given.table.columns), OPERATION, COMMITTED}
        )
        if why:
            found.refused[entry.key] = why
            continue
        schema = parquet_footer.readable(schema)
        lacking = [column.source for column in given.table.columns if column.name in given.table.key]
        lacking = [name for name in [*lacking, COMMITTED] if name not in schema.names]
        if lacking:
            found.refused[entry.key] = f"it lacks `{'`, `'.join(lacking)}` (it has: {', '.join(schema.names)})"
            continue
        where = read_parquet.columns(schema, given.table)
        found.schemas[entry.key] = {
            source: read_parquet.kind(read_parquet.type_at(schema, path)) for source, path in where.items()
        }
        text = schema.json()
        schemas[text] = schema
        groups[text].append(given.path(entry))
    taken = {column.source.split(".")[0] for column in given.table.columns}
    names = {name for schema in schemas.values() for name in schema.names}
    found.unknown = sorted(name for name in names - taken if not _is_own(name))
    frames = [_rows(given.spark, given.table, together, schemas[text]) for text, together in groups.items()]
    found.frame = rows.union(frames) if frames else None
    return found


def _is_own(name: str) -> bool:
    """Whether DMS adds a column of this name, from the endpoint and the table mappings."""
    return name in (OPERATION, COMMITTED) or name.startswith(BEFORE)


def _rows(spark: SparkSession, table: Table, paths: list[str], schema: T.StructType) -> DataFrame:
    frame = (
        spark.read.schema(schema)
        .option("__globPaths__", "false")
        .option("recursiveFileLookup", "true")
        .parquet(*paths)
        .select("*", *rows.provenance())
    )
    readable, shown = _readable(schema)
    operation = rows.named(OPERATION) if OPERATION in schema.names else F.lit("I")
    copied = F.col(rows.FILE).rlike(_COPY)
    position = F.when(copied, F.lit(_COPIED)).otherwise(F.concat(F.lit(_CHANGED), rows.named(COMMITTED)))
    told = frame.select(
        *rows.PROVENANCE,
        operation.alias(OPERATION),
        position.alias(rows.POSITION),
        (operation == "D").alias(rows.DELETED),
        *[value for field, value in zip(shown.fields, readable, strict=True) if field.name != OPERATION],
    )
    old = _old_keys(table, schema)
    if old:
        told = _with_old_keys(told, table, old)
    declared = shown.add(rows.POSITION, T.StringType()).add(rows.DELETED, T.BooleanType())
    if OPERATION not in declared.names:
        declared = declared.add(OPERATION, T.StringType())
    # Of the column itself: out of `rows.RAW` it would cost a JSON text for each row, which only bad rows need.
    given = rows.named(OPERATION)
    strange = F.concat(F.lit('`Op` is "'), F.coalesce(given, F.lit("nothing")), F.lit('", and not I, U or D'))
    fault = F.when(~F.coalesce(given.isin("I", "U", "D"), F.lit(False)), strange)
    return read_parquet.typed_cells(told, table, declared, fault)


def _readable(schema: T.StructType) -> tuple[list[Column], T.StructType]:
    """The columns with bytes as hexadecimal digits and times as values, and what they are then."""
    values, shown = read_parquet.readable_values(schema)
    for index, field in enumerate(shown.fields):
        if isinstance(field.dataType, T.BinaryType):
            values[index] = F.lower(F.hex(rows.named(field.name))).alias(field.name)
            field.dataType = T.StringType()
    return values, shown


def _old_keys(table: Table, schema: T.StructType) -> dict[str, str]:
    """The columns of the table's key, each with the one that has its value before an update; empty if one lacks it."""
    key = [column.source for column in table.columns if column.name in table.key]
    old = {name: f"{BEFORE}{name}" for name in key}
    return old if key and set(old.values()) <= set(schema.names) else {}


def _with_old_keys(frame: DataFrame, table: Table, old: dict[str, str]) -> DataFrame:
    """An update that changes the key is a deletion under the old one, and a row under the new one."""
    changed = F.lit(False)
    for name, before in old.items():
        changed = changed | ~rows.named(name).eqNullSafe(rows.named(before))
    there = F.lit(False)
    for before in old.values():
        there = there | rows.named(before).isNotNull()
    moved = (rows.named(OPERATION) == "U") & there & changed
    twice = frame.withColumn(
        "__gone", F.explode(F.when(moved, F.array(F.lit(True), F.lit(False))).otherwise(F.array(F.lit(False))))
    )
    gone = F.col("__gone")
    columns = []
    for name in frame.columns:
        value = rows.named(name)
        if name in old:
            value = F.when(gone, rows.named(old[name])).otherwise(value)
        elif name == rows.DELETED:
            value = gone | value
        elif name == OPERATION:
            value = F.when(gone, F.lit("D")).otherwise(value)
        elif name not in (*rows.PROVENANCE, rows.POSITION, COMMITTED) and not name.startswith(BEFORE):
            # Of a row that is gone only its key is known.
            value = F.when(~gone, value)
        columns.append(value.alias(name))
    return twice.select(*columns)
