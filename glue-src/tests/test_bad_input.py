"""Bad input, row by row: the same table of it in each form in which rows arrive.

A row is loaded, a duplicate, or in quarantine with its reason; nothing else becomes of it. What is wrong with a file as
a whole (cut off, in another encoding) is in test_clean.py, test_files.py and test_changes.py, what is wrong with a
database in test_ingest_faults.py.
"""

import csv
import io
import json
from typing import Any

import pytest
from conftest import BUCKETS, Lake
from pyspark.sql import types as T
from tables import table

WIDE = [f"c{number}" for number in range(300)]
COLUMNS = (
    "id bigint!, note varchar(40), short varchar(4), small smallint, whole bigint, money decimal(12,2), ratio double, "
    "day date, at timestamp, paid boolean"
)
# What is wrong, the row, and the reason for which it is in quarantine: none if it is loaded.
ROWS: list[tuple[str, dict[str, Any], str | None]] = [
    ("nothing", {"id": 1, "note": "first"}, None),
    ("line breaks in a text", {"id": 2, "note": 'a\nb\r\n"c",\td'}, None),
    ("300 columns", {"id": 3, **dict.fromkeys(WIDE, "7")}, None),
    ("one of 300 columns", {"id": 4, **dict.fromkeys(WIDE, "7"), "c299": "x"}, '`c299`: "x" is not an integer'),
    ("large numbers", {"id": 5, "small": "-32768", "whole": "9223372036854775807", "money": "9999999999.99"}, None),
    ("a smallint out of range", {"id": 6, "small": "32768"}, '`small`: "32768" is not a smallint'),
    (
        "a bigint out of range",
        {"id": 7, "whole": "9223372036854775808"},
        '`whole`: "9223372036854775808" is not a bigint',
    ),
    ("a key out of range", {"id": "9223372036854775808"}, '`id`: "9223372036854775808" is not a bigint'),
    ("too many digits", {"id": 8, "money": "10000000000.00"}, '`money`: "10000000000.00" is not a decimal(12,2)'),
    ("digits that would be lost", {"id": 9, "money": "0.005"}, '`money`: "0.005" is not a decimal(12,2)'),
    ("a fraction out of range", {"id": 10, "ratio": "1e999"}, '`ratio`: "1e999" is not a double'),
    ("a text of too many bytes", {"id": 11, "short": "äöü"}, '`short`: 6 bytes do not fit varchar(4): "äöü"'),
    ("a day that is none", {"id": 12, "day": "2026-02-30"}, '`day`: "2026-02-30" is not a date'),
    ("a month that is none", {"id": 13, "day": "2026-13-01"}, '`day`: "2026-13-01" is not a date'),
    ("MySQL's zero date", {"id": 14, "day": "0000-00-00"}, '`day`: "0000-00-00" is not a date'),
    ("words for a date", {"id": 15, "day": "tomorrow"}, '`day`: "tomorrow" is not a date'),
    ("an hour that is none", {"id": 16, "at": "2026-01-01 25:00:00"}, '`at`: "2026-01-01 25:00:00" is not a timestamp'),
    ("PostgreSQL's infinity", {"id": 17, "at": "infinity"}, '`at`: "infinity" is not a timestamp'),
    ("a truth that is none", {"id": 18, "paid": "perhaps"}, '`paid`: "perhaps" is not a boolean'),
    ("no key", {"note": "nobody"}, "`id` is missing, and it is required"),
    ("a key that is no number", {"id": "x"}, '`id`: "x" is not a bigint'),
    (
        "two things at once",
        {"id": 19, "small": "x", "day": "y"},
        '`small`: "x" is not a smallint; `day`: "y" is not a date',
    ),
    ("a key for the second time in the file", {"id": 1, "note": "second"}, None),
    ("a clock that runs ahead", {"id": 20, "at": "2099-01-01 00:00:00"}, None),
]
NAMES = ["id", "note", "short", "small", "whole", "money", "ratio", "day", "at", "paid"]

Rows = list[dict[str, Any]]


def as_csv(_: Lake, names: list[str], given: Rows) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows(given)
    return text.getvalue().encode()


def as_jsonl(_: Lake, names: list[str], given: Rows) -> bytes:
    return "".join(f"{json.dumps(row)}\n" for row in given).encode()


def as_parquet(lake: Lake, names: list[str], given: Rows, *beside: tuple[str, str]) -> bytes:
    schema = T.StructType([T.StructField(name, T.StringType()) for name in [*dict(beside), *names]])
    given = [dict(beside) | {name: str(value) for name, value in row.items()} for row in given]
    frame = lake.spark.createDataFrame([[row.get(name) for name in schema.names] for row in given], schema)
    frame.coalesce(1).write.mode("overwrite").parquet(f"s3://{BUCKETS['raw']}/work/")
    (file,) = (lake.path("raw") / "work").glob("*.parquet")
    return file.read_bytes()


def as_changes(lake: Lake, names: list[str], given: Rows) -> bytes:
    """As DMS writes them; a real one has no text where a date should be, but may have any other of these."""
    return as_parquet(lake, names, given, ("Op", "I"), ("_commit_timestamp", "2026-11-21 10:00:00.000000"))


@pytest.mark.parametrize(
    ("write", "name", "width", "options"),
    [
        # What 300 columns cost is Spark's code for them, which is the same for two of the forms as for the other two.
        (as_csv, "a.csv", 300, {"csv": {"delimiter": ",", "encoding": "utf-8", "header": True, "null": [""]}}),
        (as_jsonl, "a.jsonl", 20, {}),
        (as_parquet, "a.parquet", 20, {"format": "parquet"}),
        (as_changes, "20261121-100001000.parquet", 300, {"format": "changes", "deletes": True}),
    ],
    ids=["csv", "jsonl", "parquet", "changes"],
)
def test_every_row_is_accounted_for(lake: Lake, write: Any, name: str, width: int, options: dict[str, Any]):
    wide = WIDE[-width:]
    columns = ", ".join([COLUMNS, *[f"{name} integer" for name in wide]])
    lake.document(t=table(columns, key=["id"], load="upsert", **options))
    names = [*NAMES, *wide]
    given = [{name: value for name, value in row.items() if name in names} for _, row, _ in ROWS]
    lake.drop(f"t/{name}", write(lake, names, given))
    entry = lake.clean()
    counts = entry["tables"]["t"]
    bad = [(reason, what) for what, _, reason in ROWS if reason]
    found = sorted(row["reason"] for row in lake.quarantine("cleaned", entry, "t"))
    assert found == sorted(reason for reason, _ in bad)
    loaded = {str(row["id"]): row["note"] for row in lake.frame(counts).select("id", "note").collect()}
    # A line break within a CSV field is `\n`, however the file ends its lines.
    breaks = ROWS[1][1]["note"].replace("\r\n", "\n") if write is as_csv else ROWS[1][1]["note"]
    assert loaded == {"1": "second", "2": breaks, "3": None, "5": None, "20": None}
    books = {of: counts[of] for of in ("rows_in", "rows_out", "quarantined", "duplicates", "unchanged")}
    assert books == {"rows_in": len(ROWS), "rows_out": 5, "quarantined": len(bad), "duplicates": 1, "unchanged": 0}
    (said,) = [line for line in lake.said if line.startswith("clean t: ")]
    assert f"{len(ROWS)} in = 5 out + {len(bad)} quarantined" in said
    # Nothing comes twice.
    assert lake.clean() is None
