"""Reads Parquet files as rows of text cells, by column name, with any types."""

from collections import defaultdict

from pyspark.sql import Column as Expression
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pipectl_glue import parquet_footer, rows
from pipectl_glue.document import Column, Table
from pipectl_glue.readers import Given, Read
from pipectl_glue.sql import identifier

_NUMBERS = (T.ByteType, T.ShortType, T.IntegerType, T.LongType, T.FloatType, T.DoubleType, T.DecimalType)
_TEXT = (T.StringType, T.BinaryType)
_NESTED = (T.StructType, T.ArrayType, T.MapType)


def read(given: Given) -> Read:
    """Reads files of Parquet; those with one schema in one go."""
    found = Read()
    groups: dict[str, list[str]] = defaultdict(list)
    schemas: dict[str, T.StructType] = {}
    for entry, schema in zip(given.inputs, parquet_footer.schemas(given), strict=True):
        if isinstance(schema, str):
            found.refused[entry.key] = f"it is not a whole Parquet file: {schema}"
            continue
        why = parquet_footer.unreadable(schema, {column.source.split(".")[0] for column in given.table.columns})
        if why:
            found.refused[entry.key] = why
            continue
        schema = parquet_footer.readable(schema)
        where = columns(schema, given.table)
        if not where:
            names = ", ".join(schema.names)
            found.refused[entry.key] = f"it has none of the table's columns (it has: {names})"
            continue
        found.schemas[entry.key] = {source: kind(type_at(schema, path)) for source, path in where.items()}
        text = schema.json()
        schemas[text] = schema
        groups[text].append(given.path(entry))
    taken = {column.source.split(".")[0] for column in given.table.columns}
    found.unknown = sorted({name for schema in schemas.values() for name in schema.names} - taken)
    frames = []
    for text, together in groups.items():
        frame = (
            given.spark.read.schema(schemas[text])
            .option("__globPaths__", "false")
            .option("recursiveFileLookup", "true")
            .parquet(*together)
            .select("*", *rows.provenance())
        )
        values, shown = readable_values(schemas[text])
        frames.append(typed_cells(frame.select(*rows.PROVENANCE, *values), given.table, shown))
    found.frame = rows.union(frames) if frames else None
    return found


def readable_values(schema: T.StructType) -> tuple[list[Expression], T.StructType]:
    """The columns, with times that Spark has no type for as values that it has, and their types then."""
    values, shown = [], T.StructType()
    for field in schema.fields:
        value, of, metadata = rows.named(field.name), field.dataType, field.metadata or {}
        unit = metadata.get(parquet_footer.TIME)
        if unit:
            micros = {"MILLIS": value.cast("bigint") * 1_000, "MICROS": value, "NANOS": F.expr(_micros(field.name))}
            value, of = F.date_format(F.timestamp_micros(micros[unit]), "HH:mm:ss.SSSSSS"), T.StringType()
        elif metadata.get(parquet_footer.NANOSECONDS):
            value, of = F.timestamp_micros(F.expr(_micros(field.name))), T.TimestampType()
        values.append(value.alias(field.name))
        shown = shown.add(field.name, of)
    return values, shown


def _micros(name: str) -> str:
    """Nanoseconds as whole microseconds, which is what the warehouse keeps; rounded down, also before 1970."""
    return f"CAST(floor({identifier(name)} / 1000BD) AS BIGINT)"


def columns(schema: T.StructType, table: Table) -> dict[str, list[str]]:
    """Where each source column that the table takes stands: its name, or the path into an object."""
    found = {}
    for column in table.columns:
        for path in ([column.source], column.source.split(".")):
            if type_at(schema, path) is not None:
                found[column.source] = path
                break
    return found


def type_at(schema: T.StructType, path: list[str]) -> T.DataType | None:
    """The type of what a path leads to; None where it leads nowhere."""
    node: T.DataType = schema
    for name in path:
        if not isinstance(node, T.StructType) or name not in node.names:
            return None
        node = node[name].dataType
    return node


def kind(of: T.DataType | None) -> str:
    """A type as far as a change of it matters: a longer number is no change, a text instead of it is."""
    if isinstance(of, _NUMBERS):
        return "number"
    if isinstance(of, _TEXT):
        return "text"
    if isinstance(of, T.TimestampType | T.TimestampNTZType):
        return "timestamp"
    return "object" if isinstance(of, _NESTED) else of.typeName() if of is not None else ""


def typed_cells(frame: DataFrame, table: Table, schema: T.StructType, fault: Expression | None = None) -> DataFrame:
    """Typed columns beside their `rows.provenance` as cells of text; takes `_deleted` and `_position` along.

    `fault` says what is wrong with a row as a whole.
    """
    where = columns(schema, table)
    record = F.to_json(F.struct(*[rows.named(name) for name in schema.names]), {"ignoreNullFields": "false"})
    extra = []
    if table.deletes:
        has = schema.names
        extra = [
            (F.col(rows.POSITION).cast("string") if rows.POSITION in has else F.lit(None).cast("string")).alias(
                rows.POSITION
            ),
            (F.coalesce(rows.named(rows.DELETED), F.lit(False)) if rows.DELETED in has else F.lit(False)).alias(
                rows.DELETED
            ),
        ]
    return frame.select(
        *rows.PROVENANCE,
        record.alias(rows.RAW),
        (F.lit(None).cast("string") if fault is None else fault).alias(rows.FAULT),
        F.lit(None).cast("array<string>").alias(rows.NAMES),
        *extra,
        *[
            F.expr(_cell(column, where.get(column.source), schema)).alias(rows.cell(index))
            for index, column in enumerate(table.columns)
        ],
    )


def _cell(column: Column, path: list[str] | None, schema: T.StructType) -> str:
    if path is None:
        return "CAST(NULL AS STRING)"
    at = ".".join(identifier(name) for name in path)
    of = type_at(schema, path)
    if isinstance(of, _NESTED):
        return f"to_json({at})"
    text = f"CAST({at} AS STRING)"
    if isinstance(of, T.FloatType | T.DoubleType):
        # What pandas writes for "no value".
        return f"CASE WHEN NOT isnan({at}) THEN {text} END"
    if column.timezone and isinstance(of, T.TimestampType):
        return f"concat({text}, 'Z')"
    if column.type.kind == "super" and not isinstance(of, (*_NUMBERS, T.BooleanType, T.StringType)):
        return f"concat('\"', {text}, '\"')"
    return text
