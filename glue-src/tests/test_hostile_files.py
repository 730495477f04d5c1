"""Files that cannot be read as they should, all in one table: each is refused or quarantined, and the rest is loaded.

What is loaded of a file has the file's name in `name`.
"""

import bz2
import gzip
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conftest import Lake
from pyspark.sql import SparkSession
from tables import table
from test_no_input_blocks import SECONDS, within
from test_parquet_types import write

CSV = {"delimiter": ",", "encoding": "utf-8", "header": True, "null": [""]}
BOM = b"\xef\xbb\xbf"
HEAD = b"id,name\n"
DEEP = 200_000
NOT_UTF8, NOT_AN_OBJECT = "the line is not valid UTF-8", "the line is not one JSON object"
CUT_GZIP = "it is not a whole gzip file: "
CUT_BZ2 = "it is not a whole bz2 file: "
NO_TEXT = "it is not text; save it as `CSV UTF-8` and drop that file"
NO_PARQUET = "it is not a whole Parquet file: "


def many(line: Callable[[int], bytes]) -> bytes:
    return b"".join(line(number) for number in range(2, 3000))


MANY = many(lambda number: b"%d,name number %d\n" % (number, number * 7919))

# The content, then how many rows are loaded, and the start of each reason why a row or the whole file is not.
Files = dict[str, tuple[bytes, int, list[str]]]
IN_CSV: Files = {
    "empty.csv": (b"", 0, []),
    "blank.csv": (b"  \n\n \t \r\n", 0, []),
    "mark.csv": (BOM, 0, []),
    "mark_blank.csv": (BOM + b"\n\n", 0, []),
    "header.csv": (b"id,name", 0, []),
    "commas.csv": (b",,,\n,,,\n", 0, []),
    "separator.csv": (b"sep=;\n", 0, []),
    "separator_header.csv": (b"sep=;\nid;name\n", 0, []),
    "quote.csv": (b'"', 0, ["a quote is opened in its header and never closed"]),
    "open.csv": (
        HEAD + b'2,"never closed\n3,open.csv\n',
        1,
        ["the file has a quote that is never closed, so each line is read by itself; this one has an odd quote"],
    ),
    "mac.csv": (b"id,name\r2,mac.csv\r3,mac.csv\r", 2, []),
    "nul.csv": (HEAD + b"2,\x00\n\x003,x\n", 0, [NO_TEXT]),
    "zeros.csv": (b"\x00" * 1000, 0, [NO_TEXT]),
    "binary.csv": (bytes(range(256)) * 20, 0, [NO_TEXT]),
    "latin.csv": (HEAD + "2,Käse\n3,Öl\n".encode("latin-1"), 0, ["the row holds bytes that are not utf-8"] * 2),
    "utf16.csv": ("id,name\n2,x\n".encode("utf-16-le"), 0, [NO_TEXT]),
    "utf16_mark.csv": ("id,name\n2,utf16_mark.csv\n".encode("utf-16"), 1, []),
    "utf16_odd.csv": (
        "id,name\n2,utf16_odd.csv\n".encode("utf-16") + b"\x41",
        1,
        ["the row has more or fewer fields than it should: the header has 2"],
    ),
    "utf32.csv": ("id,name\n2,utf32.csv\n".encode("utf-32"), 1, []),
    "twice.csv": (b"id,x,x,name\n2,a,b,twice.csv\n", 1, []),
    "wide.csv": (b"id,name" + b",c" * 1000 + b"\n2,wide.csv" + b"," * 1000 + b"\n", 1, []),
    "long.csv": (HEAD + b"2," + b"x" * 3_000_000 + b"\n", 0, ["`name`: 3000000 bytes do not fit varchar(40): "]),
    "html.csv": (b"<html>\n<body>Sign in</body></html>\n", 0, ["the header lacks the required column `id`"]),
    "no_gzip.csv.gz": (HEAD + b"2,y\n", 0, [CUT_GZIP]),
    "cut.csv.gz": (gzip.compress(HEAD + MANY)[:-900], 0, [CUT_GZIP]),
    "cut_early.csv.gz": (gzip.compress(HEAD + MANY)[:12], 0, [CUT_GZIP]),
    "damaged.csv.gz": (gzip.compress(HEAD + MANY)[:-8] + b"\x00" * 8, 0, [CUT_GZIP]),
    "nothing.csv.gz": (gzip.compress(b""), 0, []),
    "empty.csv.gz": (b"", 0, []),
    "two.csv.gz": (gzip.compress(HEAD + b"2,two.csv.gz\n") + gzip.compress(b"3,two.csv.gz\n"), 2, []),
    "rubbish_behind.csv.gz": (gzip.compress(HEAD + b"2,x\n") + b"rubbish", 0, [CUT_GZIP]),
    "cut.csv.bz2": (bz2.compress(HEAD + MANY)[:-100], 0, [CUT_BZ2]),
    "no_bzip2.csv.bz2": (HEAD + b"2,x\n", 0, [CUT_BZ2]),
    "nothing.csv.bz2": (bz2.compress(b""), 0, []),
    "workbook.csv": (b"PK\x03\x04" + b"\x00" * 100, 0, ["it is an Excel workbook or a zip archive and not CSV"]),
    "a b%20c+d#e?f=[g]*.csv": (HEAD + b"2,a b%20c+d#e?f=[g]*.csv\n", 1, []),
    "sub/folder/x.csv": (HEAD + b"2,sub/folder/x.csv\n", 1, []),
    "12:30.csv": (HEAD + b"2,12:30.csv\n", 1, []),
    "folder_$folder$": (b"", 0, []),
}
_LATIN = '{"id": 2, "name": "Käse"}\n'.encode("latin-1")
_TOO_LARGE = "the line holds a number that no double can be"
_TOO_DEEP = f"{NOT_AN_OBJECT}, or is nested in more than 1000 levels"
IN_JSON: Files = {
    "empty.jsonl": (b"", 0, []),
    "blank.jsonl": (b" \n\n\t\n", 0, []),
    "mark.jsonl": (BOM, 0, []),
    "nothing.jsonl.gz": (gzip.compress(b""), 0, []),
    "cut.jsonl.gz": (gzip.compress(many(lambda n: b'{"id": %d, "n": %d}\n' % (n, n * 7919)))[:-900], 0, [CUT_GZIP]),
    "no_gzip.jsonl.gz": (b'{"id": 2}\n', 0, [CUT_GZIP]),
    "cut.jsonl.bz2": (bz2.compress(b'{"id": 2}\n' * 1000)[:-20], 0, [CUT_BZ2]),
    "utf16.jsonl": ('{"id": 2}\n'.encode("utf-16"), 0, [NOT_AN_OBJECT, NOT_UTF8]),
    "latin.jsonl": (_LATIN, 0, [NOT_UTF8]),
    "deep_array.jsonl": (b'{"id": 2, "doc": ' + b"[" * DEEP + b"]" * DEEP + b"}\n", 0, [_TOO_DEEP]),
    "deep_object.jsonl": (b'{"id": 2, "x": ' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}\n", 0, [_TOO_DEEP]),
    "deep_open.jsonl": (b"[" * DEEP + b"\n", 0, [NOT_AN_OBJECT]),
    "deep_900.jsonl": (b'{"id": 2, "name": "deep_900.jsonl", "doc": ' + b"[" * 900 + b"]" * 900 + b"}\n", 1, []),
    "digits.jsonl": (b'{"id": ' + b"1" * 100_000 + b"}\n", 0, [NOT_AN_OBJECT]),
    "exponent.jsonl": (b'{"id": 2, "total": 1.0000000000000000e400000000}\n', 0, ["`total`: "]),
    "exponent_less.jsonl": (
        b'{"id": 2, "name": "exponent_less.jsonl", "total": 1.0000000000000000e-400000000}\n',
        1,
        [],
    ),
    "exponent_id.jsonl": (b'{"id": 1e400000000}\n', 0, ["`id`: "]),
    "exponent_text.jsonl": (b'{"id": "1e999999999"}\n', 0, ["`id`: "]),
    "exponent_doc.jsonl": (
        b'{"id": 2, "doc": {"x": [1e400]}}\n{"id": 3, "doc": -1.5E+309}\n'
        b'{"id": 4, "name": "exponent_doc.jsonl", "doc": {"x": ", 1e400, \\" 2e999 ", "y": 1e-400, "z": 1e308}}\n',
        1,
        [_TOO_LARGE] * 2,
    ),
    "long.jsonl": (
        b'{"id": 2, "name": "' + b"x" * 21_000_000 + b'"}\n',
        0,
        ["a text of the line has more than 20000000 characters"],
    ),
    "pretty.jsonl": (json.dumps([{"id": 2}], indent=2).encode(), 0, [NOT_AN_OBJECT] * 5),
    "values.jsonl": (b'null\n1\n[]\n"x"\n{}\n', 0, ["`id` is missing, and it is required", *[NOT_AN_OBJECT] * 4]),
    "twice.jsonl": (b'{"id": 2, "id": 3, "name": "twice.jsonl"}\n', 1, []),
    "nul.jsonl": (b'{"id": 2, "name": "\x00"}\n\x00\x00\n', 0, [NOT_AN_OBJECT, "the line is not valid JSON"]),
    "escape.jsonl": (b'{"id": 2, "name": "\\x"}\n{"id": 2, "name": "\\u12"}\n', 0, [NOT_AN_OBJECT] * 2),
    "cut.jsonl": (b'{"id": 2, "name": "cut o', 0, [NOT_AN_OBJECT]),
    "table.jsonl": (HEAD + b"2,x\n", 0, [NOT_AN_OBJECT] * 2),
    "workbook.jsonl": (b"PK\x03\x04" + b"\x00" * 100, 0, [NOT_AN_OBJECT]),
}


def in_parquet(spark: SparkSession, folder: Path) -> Files:
    def made(columns: str, *records: dict[str, Any]) -> bytes:
        return write(spark, f"message m {{ {columns} }}", list(records), folder)

    def octets(content: bytes) -> Any:
        return spark._jvm.org.apache.parquet.io.api.Binary.fromConstantByteArray(bytearray(content))

    text = "optional binary name (UTF8);"
    rows = [{"id": number, "name": f"n{number * 7919}"} for number in range(2, 500)]
    large = made(f"optional int32 id; {text}", *rows)
    unreadable = "the column `id` has a type that the job cannot read ("
    return {
        "zero.parquet": (b"", 0, []),
        "magic.parquet": (b"PAR1PAR1", 0, [NO_PARQUET]),
        "text.parquet": (b"id,name\n1,x\n", 0, [NO_PARQUET]),
        "cut.parquet": (large[:-50], 0, [NO_PARQUET]),
        "cut_start.parquet": (large[20:], 0, [NO_PARQUET]),
        # Spark's vectorized reader loops for ever in these levels.
        "damaged.parquet": (large[:30] + b"\xff" * 400 + large[430:], 0, ["Spark cannot read it: "]),
        "encrypted.parquet": (b"PARE" + large[4:-4] + b"PARE", 0, [NO_PARQUET]),
        "no_rows.parquet": (made("optional int32 id;"), 0, []),
        "other.parquet": (made("optional int32 number;", {"number": 1}), 0, ["it has none of the table's columns"]),
        "no_key.parquet": (made(text, {"name": "x"}), 0, ["`id` is missing, and it is required"]),
        "id_text.parquet": (
            made(f"optional binary id (UTF8); {text}", {"id": "2", "name": "id_text.parquet"}, {"id": "x"}),
            1,
            ['`id`: "x" is not an integer'],
        ),
        "id_binary.parquet": (made("optional binary id;", {"id": octets(b"\xff\xfe")}), 0, ["`id`: "]),
        "name_binary.parquet": (
            made("optional int32 id; optional binary name;", {"id": 2, "name": octets(b"\xff\x00")}),
            0,
            ["`name` holds a NUL character"],
        ),
        "id_uint64.parquet": (
            made("optional int64 id (UINT_64);", {"id": -(2**40)}),
            0,
            ['`id`: "18446742974197923840" is not an integer'],
        ),
        "id_double.parquet": (made("optional double id;", {"id": 2.5}, {"id": float("inf")}), 0, ["`id`: "] * 2),
        "id_list.parquet": (made("repeated int32 id;", {"id": 2}), 0, ['`id`: "[2]" is not an integer']),
        "id_decimal.parquet": (
            made("optional fixed_len_byte_array(20) id (DECIMAL(45,2));", {"id": octets(b"\x00" * 20)}),
            0,
            [unreadable],
        ),
        "id_interval.parquet": (
            made("optional fixed_len_byte_array(12) id (INTERVAL);", {"id": octets(b"0" * 12)}),
            0,
            [unreadable],
        ),
        "id_date.parquet": (made("optional int32 id (DATE);", {"id": 2}), 0, ["`id`: "]),
        "twice.parquet": (
            made(f"optional int32 id; optional int32 ID; {text}", {"id": 2, "ID": 3, "name": "twice.parquet"}),
            1,
            [],
        ),
        "far.parquet": (
            made("optional int32 id; optional int64 at (TIMESTAMP(MICROS,true));", {"id": 2, "at": 2**62}),
            0,
            ["`at`: "],
        ),
        "overflow.parquet": (
            made("optional int32 id; optional int64 at (TIMESTAMP(MILLIS,true));", {"id": 2, "at": 2**62}),
            0,
            ["Spark cannot read it: "],
        ),
    }


def check(lake: Lake, files: Files, good: tuple[str, bytes], **options: Any) -> None:
    columns = "id integer!, name varchar(40), total decimal(12,2), at timestamp, doc super"
    lake.document(t=table(columns, **options))
    lake.drop(f"t/{good[0]}", good[1])
    for name, (content, _, _) in files.items():
        lake.drop(f"t/{name}", content)
    entry = within(SECONDS, lake.clean)
    found: dict[str, list[str]] = {name: [] for name in files}
    start = "landing/t/"
    for given in entry["inputs"]:
        if given.get("refused"):
            found[given["key"].removeprefix(start)].append(given["refused"])
    for row in lake.quarantine("cleaned", entry, "t"):
        found[row["source"].partition(start)[2]].append(row["reason"])
    wrong = {
        name: (sorted(found[name]), sorted(reasons))
        for name, (_, _, reasons) in files.items()
        if len(found[name]) != len(reasons)
        or not all(text.startswith(begin) for text, begin in zip(sorted(found[name]), sorted(reasons), strict=True))
    }
    assert wrong == {}
    loaded = Counter(row[1] for row in lake.rows(entry, "t"))
    assert loaded == Counter({"good": 1, **{name: rows for name, (_, rows, _) in files.items() if rows}})
    assert lake.clean() is None, "nothing of it comes again"


def test_hostile_csv(lake: Lake):
    check(lake, IN_CSV, ("good.csv", b"id,name\n1,good\n"), csv=CSV)


def test_hostile_json_lines(lake: Lake):
    check(lake, IN_JSON, ("good.jsonl", b'{"id": 1, "name": "good"}\n'))


def test_hostile_parquet(lake: Lake, tmp_path: Path):
    schema = "message m { optional int32 id; optional binary name (UTF8); }"
    good = write(lake.spark, schema, [{"id": 1, "name": "good"}], tmp_path)
    check(lake, in_parquet(lake.spark, tmp_path), ("good.parquet", good), format="parquet")
