"""What is to be known of a CSV file before Spark reads it: its encoding, its delimiter, its header, its quotes."""

import bz2
import codecs
import csv
import difflib
import io
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain

from pipectl_glue.contract import UNPACKED_FREE_BYTES, UNPACKED_RATIO
from pipectl_glue.document import Csv, Table

# What spreadsheets on Windows write where they do not write UTF-8.
WINDOWS = "windows-1252"
_GZIP = 31
# What is unpacked of a file's start.
_UNPACKED_START = 512 << 20
_DELIMITERS = (";", ",", "\t", "|")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    # Before UTF-16's, which it begins with.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NOT_CSV = (
    (b"PK\x03\x04", "an Excel workbook or a zip archive"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd, which the jobs cannot read"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"PAR1", "Parquet"),
    (b"%PDF", "a PDF"),
)
_SEPARATOR = re.compile(r"^sep=(.)\r?\n?$", re.IGNORECASE)
# How alike two names are, from 0 to 1, for one to be suggested for the other.
_CLOSE = 0.8
# A line that no file has.
_END = "\ufdd0end\ufdd0"
# Fields may be as long as they are.
csv.field_size_limit(1 << 31)
_SEPARATORS = re.compile(r"[\s_\-]+")


@dataclass(frozen=True)
class CsvDialect:
    """How one file is written."""

    header: tuple[str, ...]
    delimiter: str
    encoding: str
    # Whether the first line says the delimiter.
    has_separator_line: bool = False
    # The header's own line, as it was written.
    header_line: str = ""
    # Of a file that is known whole: how its quotes are, and whether its bytes are UTF-8.
    quotes: "Quotes | None" = None
    is_utf8: bool | None = None

    @property
    def is_wide(self) -> bool:
        """Whether a character may be several bytes of which one looks like another character."""
        return self.encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32", "utf16", "utf32"))


@dataclass(frozen=True)
class Quotes:
    """How the quotes of a whole file are."""

    # A record has a line break in it.
    is_multiline: bool = False
    # A quote is opened and never closed.
    is_open: bool = False
    # Text follows a closing quote, as where quotes are escaped in a way that is not declared.
    is_loose: bool = False


class _TooLarge(Exception):
    """A packed file holds too much to be unpacked."""


@dataclass(frozen=True)
class Refusal:
    """Why a file cannot be read at all."""

    reason: str


def detect(start: bytes, path: str, table: Table, style: Csv, whole: bool) -> CsvDialect | Refusal | None:
    """Reads a file's first bytes (or all, if `whole`); None when it needs more of them, no header for no rows."""
    try:
        start, whole = _unpacked(start, path, whole)
    except _TooLarge:
        return Refusal(f"it holds more than {UNPACKED_RATIO} times as much as its size; unpack it, or split it")
    except (zlib.error, OSError, EOFError) as error:
        return Refusal(f"it is not a whole {'bz2' if path.endswith('.bz2') else 'gzip'} file: {error}")
    for magic, what in _NOT_CSV:
        if start.startswith(magic):
            return Refusal(f"it is {what} and not CSV; save it as `CSV UTF-8` and drop that file")
    mark = next((name for bom, name in _MARKS if start.startswith(bom)), None)
    encoding = mark or (_guess(start) if style.encoding == "auto" else style.encoding)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(start).lstrip("\ufeff")
    if not mark and "\x00" in text[:1000]:
        return Refusal("it is not text; save it as `CSV UTF-8` and drop that file")
    line, _, rest = text.partition("\n")
    said = _SEPARATOR.match(line)
    delimiter = said[1] if said else style.delimiter
    body = rest if said else text
    found = _first_record(body, delimiter, whole, style.escape)
    if found is None:
        return None if not whole else CsvDialect((), delimiter, encoding)
    record, header_line = found
    if len(record) == 1 and style.header and not said:
        delimiter, record = _other_delimiter(body, table, whole, style.escape) or (delimiter, record)
    return CsvDialect(
        tuple(name.strip() for name in record),
        delimiter,
        encoding,
        has_separator_line=bool(said),
        header_line=header_line,
        quotes=quotes(lambda: io.StringIO(text, newline=""), delimiter, style.escape) if whole else None,
        is_utf8=_is_utf8(start) if whole else None,
    )


def _unpacked(start: bytes, path: str, whole: bool) -> tuple[bytes, bool]:
    if path.endswith(".gz"):
        unpack = zlib.decompressobj(_GZIP)
        plain = _bounded(unpack.decompress(start, _UNPACKED_START), start)
        if whole and not unpack.eof and not unpack.unconsumed_tail:
            raise EOFError("it ends too early")
        # Several archives may stand behind each other: only the first is taken apart here.
        return plain, whole and unpack.eof and not unpack.unused_data
    if path.endswith(".bz2"):
        unpack_bz2 = bz2.BZ2Decompressor()
        plain = _bounded(unpack_bz2.decompress(start, _UNPACKED_START), start)
        if whole and not unpack_bz2.eof and unpack_bz2.needs_input:
            raise EOFError("it ends too early")
        return plain, whole and unpack_bz2.eof and not unpack_bz2.unused_data
    return start, whole


def _bounded(plain: bytes, packed: bytes) -> bytes:
    if len(plain) > max(UNPACKED_FREE_BYTES, UNPACKED_RATIO * len(packed)):
        raise _TooLarge
    return plain


def quotes(lines: Callable[[], Iterable[str]], delimiter: str, escape: str | None) -> Quotes:
    """Reads a whole file for its quotes; `lines` gives its lines from the start.

    A quote within a field that does not begin with one is a letter: an inch mark opens nothing.
    """
    reader = csv.reader(lines(), delimiter=delimiter, escapechar=escape, strict=True)
    try:
        records = sum(1 for _ in reader)
    except csv.Error as error:
        if "unexpected end" in str(error):
            return Quotes(is_open=True)
    else:
        return Quotes(is_multiline=reader.line_num != records)
    # If a quote is open at the end, the last field takes in what is put there.
    reader = csv.reader(chain(lines(), ["\n", f"{_END}\n"]), delimiter=delimiter, escapechar=escape)
    records, last = 0, [_END]
    try:
        for record in reader:
            records, last = records + 1, record or last
    except csv.Error:
        # Spark reads it as it can; a row that is not whole goes to quarantine.
        return Quotes(is_multiline=True, is_loose=True)
    return Quotes(is_multiline=reader.line_num != records, is_open=last != [_END], is_loose=True)


def _first_record(text: str, delimiter: str, whole: bool, escape: str | None) -> tuple[list[str], str] | None:
    source = io.StringIO(text, newline="")
    records = csv.reader(source, delimiter=delimiter, escapechar=escape)
    try:
        for record in records:
            if record:
                # The only record may be cut off in the middle.
                if not whole and source.tell() >= len(text):
                    return None
                first = next((line for line in text.splitlines() if line.strip()), "")
                return record, first
    except csv.Error:
        pass
    return None


def _other_delimiter(body: str, table: Table, whole: bool, escape: str | None) -> tuple[str, list[str]] | None:
    """The delimiter that the header has instead of the declared one: a program's language decides what it writes."""
    for delimiter in _DELIMITERS:
        found = _first_record(body, delimiter, whole, escape)
        if found and len(found[0]) > 1 and column_indexes(tuple(name.strip() for name in found[0]), table):
            return delimiter, found[0]
    return None


def _guess(start: bytes) -> str:
    try:
        codecs.getincrementaldecoder("utf-8")("strict").decode(start)
    except UnicodeDecodeError:
        return WINDOWS
    return "utf-8"


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def positional(table: Table, style: Csv) -> CsvDialect:
    """What a file without a header is taken to be."""
    encoding = "utf-8" if style.encoding == "auto" else style.encoding
    return CsvDialect(tuple(column.source for column in table.columns), style.delimiter, encoding)


def column_indexes(header: tuple[str, ...], table: Table) -> dict[str, int]:
    """The position of each source column: of its exact name, or of the one name that differs in case and separators."""
    alike = _positions(header)
    found = {}
    for column in table.columns:
        if column.source in header:
            found[column.source] = header.index(column.source)
        elif len(alike.get(_alike(column.source), [])) == 1:
            found[column.source] = alike[_alike(column.source)][0]
    return found


def _positions(header: tuple[str, ...]) -> dict[str, list[int]]:
    positions: dict[str, list[int]] = {}
    for index, name in enumerate(header):
        positions.setdefault(_alike(name), []).append(index)
    return positions


def _alike(name: str) -> str:
    """What two spellings of one name have in common: letters and digits, without case."""
    return _SEPARATORS.sub("", name.strip().casefold())


def unknown_columns(header: tuple[str, ...], table: Table) -> set[str]:
    """The names in a header that the table does not use."""
    used = set(column_indexes(header, table).values())
    known = {column.source for column in table.columns}
    return {name for index, name in enumerate(header) if name and index not in used and name not in known}


def renamed(header: tuple[str, ...], table: Table) -> list[str]:
    """What was taken for a column although it is written in another way."""
    return [
        f"the header `{header[index]}` is read as `{source}`"
        for source, index in column_indexes(header, table).items()
        if header[index] != source
    ]


def misspelled(header: tuple[str, ...], table: Table, key: str) -> list[str]:
    """Warnings for optional columns that a header lacks while it has a name much like theirs."""
    found, unused = column_indexes(header, table), sorted(unknown_columns(header, table))
    warnings = []
    for column in table.columns:
        if column.source in found or table.is_required(column):
            continue
        names = {_alike(name): name for name in unused}
        for close in difflib.get_close_matches(_alike(column.source), names, n=1, cutoff=_CLOSE):
            warnings.append(
                f"the header of {key} lacks `{column.source}`, which is NULL in its rows; "
                f"if `{names[close]}` is meant, write `from: {names[close]}` for the column"
            )
    return warnings


def header_fault(header: tuple[str, ...], table: Table) -> str | None:
    """What makes every row under this header unusable."""
    counts = Counter(header)
    names = ", ".join(header)
    twice = [column.source for column in table.columns if counts[column.source] > 1]
    if twice:
        return f"the header names `{twice[0]}` twice (it has: {names})"
    alike = _positions(header)
    for column in table.columns:
        same = [header[index] for index in alike.get(_alike(column.source), [])]
        if column.source not in header and len(same) > 1:
            shown = " and ".join(f"`{name}`" for name in same)
            many = "two" if len(same) == 2 else str(len(same))
            return f"the header has {many} columns that could be `{column.source}`: {shown}; rename one of them"
    found = column_indexes(header, table)
    lacking = [column.source for column in table.columns if table.is_required(column) and column.source not in found]
    if lacking:
        return f"the header lacks the required column `{'`, `'.join(lacking)}` (it has: {names})"
    if not found:
        return f"the header has none of the table's columns (it has: {names})"
    return None
