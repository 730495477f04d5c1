"""CSV files to rows of text cells, by header name, in whatever order each file has its columns."""

import codecs
import csv
import io
import zlib
from collections import Counter, defaultdict
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pipectl_glue import rows
from pipectl_glue.document import Csv, Table

_CORRUPT = "__corrupt"
_GZIP = 31


@dataclass(frozen=True)
class Headed:
    """Files that share one header."""

    header: tuple[str, ...]
    paths: list[str]


def parse_header(start: bytes, path: str, style: Csv, whole: bool) -> tuple[str, ...] | None:
    """Reads the header from a file's first bytes (or all, if `whole`); None when it needs more of them, () for none."""
    if path.endswith(".gz"):
        unpack = zlib.decompressobj(_GZIP)
        try:
            start = unpack.decompress(start)
        except zlib.error:
            return ()
    text = codecs.getincrementaldecoder(style.encoding)("replace").decode(start).lstrip("\ufeff")
    records = csv.reader(io.StringIO(text, newline=""), delimiter=style.delimiter)
    try:
        found = [record for record, _ in zip(records, range(1000), strict=False) if record]
    except csv.Error:
        return () if whole else None
    if not found:
        return () if whole else None
    # The only record may be cut off in the middle.
    return tuple(name.strip() for name in found[0]) if whole or len(found) > 1 else None


def group(headers: dict[str, tuple[str, ...]]) -> list[Headed]:
    """Puts together the files that can be read together; a file without a header has no rows."""
    by_header: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for path, header in sorted(headers.items()):
        if header:
            by_header[header].append(path)
    return [Headed(header, paths) for header, paths in by_header.items()]


def positional(table: Table) -> tuple[str, ...]:
    """The header that a file without one is taken to have."""
    return tuple(column.source for column in table.columns)


def unknown_columns(groups: list[Headed], table: Table) -> list[str]:
    """The names in any header that the table does not use."""
    known = {column.source for column in table.columns}
    return sorted({name for headed in groups for name in headed.header if name and name not in known})


def header_fault(header: tuple[str, ...], table: Table) -> str | None:
    """What makes every row under this header unusable."""
    counts = Counter(header)
    names = ", ".join(header)
    twice = [column.source for column in table.columns if counts[column.source] > 1]
    if twice:
        return f"the header names `{twice[0]}` twice (it has: {names})"
    lacking = [column.source for column in table.columns if table.is_required(column) and not counts[column.source]]
    if lacking:
        return f"the header lacks the required column `{'`, `'.join(lacking)}` (it has: {names})"
    if not any(counts[column.source] for column in table.columns):
        return f"the header has none of the table's columns (it has: {names})"
    return None


def read_csv(spark: SparkSession, groups: list[Headed], table: Table, style: Csv) -> DataFrame:
    """Reads files of CSV as cells of text with what is wrong with each row."""
    unbalanced = _unbalanced(spark, [path for headed in groups for path in headed.paths])
    return rows.union([_read(spark, headed, table, style, unbalanced) for headed in groups])


def _read(spark: SparkSession, headed: Headed, table: Table, style: Csv, unbalanced: set[str]) -> DataFrame:
    fields = [f"c{index}" for index in range(len(headed.header))]
    frame = (
        spark.read.option("__globPaths__", "false")
        .option("recursiveFileLookup", "true")
        .csv(
            headed.paths,
            schema=T.StructType([T.StructField(field, T.StringType()) for field in [*fields, _CORRUPT]]),
            header=style.header,
            multiLine=True,
            sep=style.delimiter,
            quote='"',
            escape='"',
            encoding=style.encoding,
            columnNameOfCorruptRecord=_CORRUPT,
        )
    )
    where = {name: field for field, name in zip(fields, headed.header, strict=True)}
    located = frame.select(*rows.provenance(), *fields, _CORRUPT)
    record = F.to_json(
        F.struct(*[F.col(field).alias(name or field) for field, name in zip(fields, headed.header, strict=True)]),
        {"ignoreNullFields": "false"},
    )
    return located.select(
        *rows.PROVENANCE,
        F.coalesce(F.col(_CORRUPT), record).alias(rows.RAW),
        _fault(headed, table, style, fields, unbalanced).alias(rows.FAULT),
        F.array().cast("array<string>").alias(rows.UNKNOWN),
        *[
            # Spark cannot tell an empty field from none; in a row of the right length it was empty.
            (F.coalesce(F.col(where[column.source]), F.lit("")) if column.source in where else F.lit(None))
            .cast("string")
            .alias(rows.cell(index))
            for index, column in enumerate(table.columns)
        ],
    )


def _fault(headed: Headed, table: Table, style: Csv, fields: list[str], unbalanced: set[str]) -> Column:
    fault = header_fault(headed.header, table)
    if fault:
        return F.lit(fault)
    text = F.concat_ws("", *fields)
    expected = f"the header has {len(fields)}" if style.header else f"the table has {len(fields)} columns"
    reason = F.when(
        F.col(_CORRUPT).isNotNull(), F.lit(f"the row has more or fewer fields than it should: {expected}")
    ).when(text.contains("\ufffd"), F.lit(f"the row holds bytes that are not {style.encoding}"))
    suspects = sorted(unbalanced.intersection(headed.paths))
    if suspects:
        # A quote that is never closed swallows the rows after it, and what comes out looks like one good row.
        reason = reason.when(
            F.col(rows.FILE).isin(suspects) & text.contains("\n"),
            "the file has a quote that is never closed, and this row may hold several",
        )
    return reason


def _unbalanced(spark: SparkSession, paths: list[str]) -> set[str]:
    """The files whose number of quotes is odd, which in well-formed CSV it never is."""
    lines = (
        spark.read.option("__globPaths__", "false")
        .option("recursiveFileLookup", "true")
        .text(paths)
        .select(rows.provenance()[0], F.expr("length(value) - length(replace(value, '\"', ''))").alias("quotes"))
    )
    odd = lines.filter("quotes > 0").groupBy(rows.FILE).agg(F.sum("quotes").alias("quotes")).filter("quotes % 2 = 1")
    return {row[0] for row in odd.collect()}
