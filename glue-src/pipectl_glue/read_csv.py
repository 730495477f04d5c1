"""Reads CSV files as rows of text cells, by header name, with the columns in any order.

Each file is read in the quickest way that is safe. Where no record has a line break, a line is a row, and Spark may
split the file. Where a quote is opened and never closed, it would swallow all that follows: such a file is read line by
line, and the lines with an odd number of quotes go to quarantine.
"""

import bz2
import codecs
import gzip
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pipectl_glue import csv_dialect, read_escaped, rows
from pipectl_glue.arrivals import Input
from pipectl_glue.csv_dialect import CsvDialect, Quotes, Refusal
from pipectl_glue.document import Csv, Table
from pipectl_glue.readers import Given, Read
from pipectl_glue.sql import literal

_CORRUPT = "__corrupt"
# Most files are known whole by the first, most headers by the second; the last bounds what no CSV at all can cost.
_START_BYTES = (256 * 1024, 16 * 1024 * 1024)
_BLANK = " \t\r\n\u00a0"
_ODD_LINE = "the file has a quote that is never closed, so each line is read by itself; this one has an odd quote"
_LOOSE = (
    "text follows a closing quote; if the file writes quotes with a backslash before them, say so with `escape` "
    "under `csv:`"
)
_LINE, _RECORD, _BROKEN = "line", "record", "broken"


@dataclass(frozen=True)
class _Way:
    """Files that are read together: they are written alike."""

    dialect: CsvDialect
    mode: str
    # Text follows a closing quote somewhere.
    is_loose: bool = False


def read(given: Given) -> Read:
    """Reads files of CSV as cells of text with what is wrong with each row."""
    table, found = given.table, Read()
    style = table.csv or Csv()
    known = _dialects(given, style, found)
    groups: dict[_Way, list[str]] = defaultdict(list)
    for entry, way in _ways(given, known, style, found):
        header = way.dialect.header
        if style.header:
            where = csv_dialect.column_indexes(header, table)
            if where and not csv_dialect.header_fault(header, table):
                found.schemas[entry.key] = dict.fromkeys(where, "")
            found.unknown = sorted({*found.unknown, *csv_dialect.unknown_columns(header, table)})
            remarks = [*csv_dialect.renamed(header, table), *csv_dialect.misspelled(header, table, entry.key)]
            if way.dialect.delimiter != style.delimiter and not way.dialect.has_separator_line:
                remarks.append(f"the delimiter of {entry.key} is {way.dialect.delimiter!r}, not {style.delimiter!r}")
            found.remarks += [text for text in remarks if text not in found.remarks]
        groups[way].append(given.path(entry))
    if groups:
        found.frame = rows.union([_read(given.spark, paths, way, table, style) for way, paths in groups.items()])
    return found


def _dialects(given: Given, style: Csv, found: Read) -> dict[Input, CsvDialect]:
    """What is known of each file by its first bytes; files without any row are left out."""
    known: dict[Input, CsvDialect] = {}
    missing = list(given.inputs)
    for most in _START_BYTES:
        starts = given.store.get_all(given.bucket, [entry.key for entry in missing], most)
        pending = []
        for entry, start in zip(missing, starts, strict=True):
            detected = csv_dialect.detect(start, entry.key, given.table, style, whole=len(start) < most)
            if detected is None:
                pending.append(entry)
            elif isinstance(detected, Refusal):
                found.refused[entry.key] = detected.reason
            elif not style.header:
                if detected.header:
                    plain = csv_dialect.positional(given.table, style)
                    known[entry] = replace(plain, quotes=detected.quotes, is_utf8=detected.is_utf8)
            elif detected.header:
                known[entry] = detected
        missing = pending
    for entry in missing:
        found.refused[entry.key] = f"it has no end of its header within {_START_BYTES[-1]} bytes; is it a CSV file?"
    return known


def _ways(given: Given, known: dict[Input, CsvDialect], style: Csv, found: Read) -> list[tuple[Input, _Way]]:
    """How each file is read; the quotes of those that are not known whole are counted by Spark."""
    large = [entry for entry, dialect in known.items() if dialect.quotes is None and not dialect.is_wide]
    counted = _count(given, large, style) if large else {}
    ways = []
    for entry, dialect in known.items():
        quotes, is_utf8 = dialect.quotes, dialect.is_utf8
        if quotes is None:
            odd, is_utf8 = counted.get(given.path(entry), (1, None))
            # Lines with their quotes in pairs are records; else only the whole file shows where they end.
            quotes = _quotes(given, entry, dialect, style) if odd else Quotes(is_loose=True)
        if style.encoding == "auto" and not dialect.is_wide and is_utf8 is False:
            dialect = replace(dialect, encoding=csv_dialect.WINDOWS)
        mode = _BROKEN if quotes.is_open else _RECORD if quotes.is_multiline or dialect.is_wide else _LINE
        if dialect.is_wide and mode == _BROKEN:
            found.refused[entry.key] = f"a quote is opened and never closed in it, and it is {dialect.encoding}"
            continue
        if dialect.is_wide and style.escape:
            found.refused[entry.key] = f"it is {dialect.encoding}, which `escape` does not go with; save it as UTF-8"
            continue
        if mode == _BROKEN and dialect.header_line.count('"') % 2:
            found.refused[entry.key] = "a quote is opened in its header and never closed"
            continue
        # What tells files apart that are read in one way keeps them from being read together.
        line = dialect.header_line if mode == _BROKEN or style.escape else ""
        way = _Way(replace(dialect, quotes=None, is_utf8=None, header_line=line), mode, quotes.is_loose)
        ways.append((entry, way))
    return ways


def _count(given: Given, large: list[Input], style: Csv) -> dict[str, tuple[int, bool]]:
    """Of each file: how many lines have an odd number of quotes, and whether its bytes are UTF-8."""
    line = "value"
    if style.escape:
        line = read_escaped.marked(line, style.delimiter, style.escape)
    odd = read_escaped.odd_quotes(line)
    if style.escape:
        odd = f"greatest({odd}, CAST({read_escaped.ends_open(line, style.escape)} AS INT))"
    octets = "CAST(value AS BINARY)"
    utf8 = f"encode(decode({octets}, 'UTF-8'), 'UTF-8') = {octets}"
    lines = (
        given.spark.read.option("__globPaths__", "false")
        .option("recursiveFileLookup", "true")
        .text([given.path(entry) for entry in large])
        .select(rows.provenance()[1], F.expr(odd).alias("odd"), F.expr(utf8).alias("utf8"))
    )
    sums = lines.groupBy(rows.FILE).agg(F.sum("odd").alias("odd"), F.min("utf8").alias("utf8"))
    return {row[rows.FILE]: (row["odd"], row["utf8"]) for row in sums.collect()}


def _quotes(given: Given, entry: Input, dialect: CsvDialect, style: Csv) -> Quotes:
    """Reads a whole file for its quotes, a piece at a time."""
    opener = gzip.open if entry.key.endswith(".gz") else bz2.open if entry.key.endswith(".bz2") else None
    with given.store.file(given.bucket, entry.key) as file:

        def lines() -> Iterator[str]:
            file.seek(0)
            plain = opener(file) if opener else file
            reader = codecs.getreader(dialect.encoding)(plain, "replace")
            yield from reader

        return csv_dialect.quotes(lines, dialect.delimiter, style.escape)


def _read(spark: SparkSession, paths: list[str], way: _Way, table: Table, style: Csv) -> DataFrame:
    dialect = way.dialect
    fields = [f"c{index}" for index in range(len(dialect.header))]
    schema = T.StructType([T.StructField(field, T.StringType()) for field in [*fields, _CORRUPT]])
    options = {
        "sep": dialect.delimiter,
        "quote": '"',
        "escape": '"',
        "columnNameOfCorruptRecord": _CORRUPT,
    }
    reader = spark.read.option("__globPaths__", "false").option("recursiveFileLookup", "true")
    if style.escape:
        frame = _escaped(reader.text(paths), way, schema, options, style)
    elif way.mode == _BROKEN:
        frame = _line_by_line(reader.text(paths), dialect, schema, options, has_header=style.header)
    else:
        frame = reader.csv(
            paths,
            schema=schema,
            # With a line before it, the header is a row like others, which goes below.
            header=style.header and not dialect.has_separator_line,
            multiLine=way.mode == _RECORD,
            encoding=dialect.encoding,
            **options,
        ).select(*rows.provenance(), *fields, _CORRUPT, F.lit(None).cast("string").alias("broken"))
    if dialect.has_separator_line:
        said = F.col(fields[0]).rlike(r"(?i)^\ufeff?sep=.?$")
        again = F.concat_ws("\x00", *[F.coalesce(F.trim(field), F.lit("")) for field in fields])
        frame = frame.filter(~F.coalesce(said, F.lit(False)) & (again != "\x00".join(dialect.header)))
    texts = frame.withColumn("text", F.concat_ws("", *fields))
    # Rows without any content are what spreadsheets write for formatted cells. They are as little as blank lines.
    blank = F.btrim("text", F.lit(_BLANK)) == ""
    bare = F.col(_CORRUPT).isNull() | (F.btrim(_CORRUPT, F.lit(f'{_BLANK}"{dialect.delimiter}')) == "")
    return _cells(texts.filter(~(blank & bare)), way, table, style, fields)


def _escaped(texts: DataFrame, way: _Way, schema: T.StructType, options: dict[str, str], style: Csv) -> DataFrame:
    dialect, names = way.dialect, [field.name for field in schema.fields[:-1]]
    text = F.btrim(F.decode(F.col("value").cast("binary"), _java(dialect.encoding)), F.lit("\r\n\ufeff"))
    lines = texts.select(*rows.provenance(), text.alias("text"))
    if style.header:
        lines = lines.filter(F.col("text") != dialect.header_line.strip("\r\n\ufeff"))
    marked = read_escaped.marked("text", dialect.delimiter, style.escape)
    frame = lines.select(*rows.PROVENANCE, F.expr(marked).alias("line"))
    if way.mode == _RECORD:
        frame = read_escaped.records(frame, style.escape)
    frame = frame.filter("line != ''")
    unmark = read_escaped.unmarked(dialect.delimiter, style.escape)
    odd = F.expr(f"{read_escaped.odd_quotes('line')} = 1") if way.mode == _BROKEN else F.lit(False)
    ddl = ", ".join(f"{field.name} STRING" for field in schema.fields)
    parsed = frame.withColumn("found", F.when(~odd, F.from_csv("line", ddl, options)))
    return parsed.select(
        *rows.PROVENANCE,
        *[unmark(F.col("found").getField(name)).alias(name) for name in names],
        unmark(F.when(odd, F.col("line")).otherwise(F.col("found").getField(_CORRUPT))).alias(_CORRUPT),
        F.when(odd, _ODD_LINE).alias("broken"),
    )


def _line_by_line(
    lines: DataFrame, dialect: CsvDialect, schema: T.StructType, options: dict[str, str], has_header: bool
) -> DataFrame:
    names = [field.name for field in schema.fields[:-1]]
    line = F.btrim(F.decode(F.col("value").cast("binary"), _java(dialect.encoding)), F.lit("\r\n\ufeff"))
    frame = lines.select(*rows.provenance(), line.alias("line")).filter("line != ''")
    if has_header:
        header = dialect.header_line.strip("\r\n\ufeff")
        frame = frame.filter(~((F.col("line") == header) | F.col("line").rlike(r"(?i)^sep=.$")))
    odd = F.expr("(length(line) - length(replace(line, '\"', ''))) % 2 = 1")
    # A quote that stays open would take the rest of the line for its value, which shows best as it was written.
    ddl = ", ".join(f"{field.name} STRING" for field in schema.fields)
    parsed = frame.withColumn("found", F.when(~odd, F.from_csv("line", ddl, options)))
    return parsed.select(
        *rows.PROVENANCE,
        *[F.col("found").getField(name).alias(name) for name in names],
        F.when(odd, F.col("line")).otherwise(F.col("found").getField(_CORRUPT)).alias(_CORRUPT),
        F.when(odd, _ODD_LINE).alias("broken"),
    )


def _java(encoding: str) -> str:
    return "windows-1252" if encoding.lower() in ("cp1252", "windows-1252") else encoding


def _cells(frame: DataFrame, way: _Way, table: Table, style: Csv, fields: list[str]) -> DataFrame:
    dialect = way.dialect
    where = {source: fields[index] for source, index in csv_dialect.column_indexes(dialect.header, table).items()}
    record = F.to_json(
        F.struct(*[F.col(field).alias(name or field) for field, name in zip(fields, dialect.header, strict=True)]),
        {"ignoreNullFields": "false"},
    )
    extra = []
    if table.deletes:
        extra = [F.lit(None).cast("string").alias(rows.POSITION), F.lit(False).alias(rows.DELETED)]
    return frame.select(
        *rows.PROVENANCE,
        F.coalesce(F.col(_CORRUPT), record).alias(rows.RAW),
        _fault(way, table, style, fields).alias(rows.FAULT),
        F.lit(None).cast("array<string>").alias(rows.NAMES),
        *extra,
        *[
            # Spark cannot tell an empty field from none; in a row of the right length it was empty.
            (F.coalesce(F.col(where[column.source]), F.lit("")) if column.source in where else F.lit(None))
            .cast("string")
            .alias(rows.cell(index))
            for index, column in enumerate(table.columns)
        ],
    )


def _fault(way: _Way, table: Table, style: Csv, fields: list[str]) -> Column:
    dialect = way.dialect
    fault = csv_dialect.header_fault(dialect.header, table) if style.header else None
    if fault:
        return F.lit(fault)
    expected = f"the header has {len(fields)}" if style.header else f"the table has {len(fields)} columns"
    odd_length = F.col(_CORRUPT).isNotNull() & ~F.expr(_only_blank_beyond(len(fields), dialect.delimiter))
    # Spark gives such a field as it is written, with the quote that it begins with.
    begun = " OR ".join(f"startswith({field}, '\"')" for field in fields)
    loose = F.coalesce(F.expr(begun), F.lit(False)) if way.is_loose and not style.escape else F.lit(False)
    return (
        F.when(F.col("broken").isNotNull(), F.col("broken"))
        .when(loose, F.lit(_LOOSE))
        .when(odd_length, F.lit(f"the row has more or fewer fields than it should: {expected}"))
        .when(F.col("text").contains("\ufffd"), F.lit(f"the row holds bytes that are not {dialect.encoding}"))
    )


def _only_blank_beyond(fields: int, delimiter: str) -> str:
    """Whether a row is too long by empty fields only, which spreadsheets write behind the last column."""
    mark = literal(delimiter)
    # Without what stands in quotes, each delimiter left ends a field.
    quoted = literal('"[^"]*"')
    bare = f"regexp_replace({_CORRUPT}, {quoted}, '')"
    ends = f"length({bare}) - length(replace({bare}, {mark}, ''))"
    kept = literal(_BLANK + delimiter)
    tail = f"substring({bare}, length(rtrim({kept}, {bare})) + 1)"
    blank = f"length({tail}) - length(replace({tail}, {mark}, ''))"
    return f"({ends} >= {fields} AND {blank} >= {ends} - {fields - 1})"
