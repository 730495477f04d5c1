"""Files of DMS: which row of a key is the last, what is deleted, and what a file may lack."""

from typing import Any

from conftest import Lake
from pyspark.sql import functions as F
from pyspark.sql import types as T
from tables import table

COLUMNS = "Op string, _commit_timestamp string, id bigint, name string, price decimal(12,2), raw binary"
THINGS = table(
    "id bigint!, name varchar(20)!, price decimal(10,2), raw varchar(20)",
    format="changes",
    landing="landing/crm/things/",
    deletes=True,
    key=["id"],
    load="upsert",
)
SECOND = "2026-11-21 10:00:00.000000"


def put(lake: Lake, name: str, rows: list[tuple[Any, ...]], schema: str = COLUMNS) -> None:
    """Puts one file as DMS names it, its rows in their order."""
    folder = lake.path("raw") / "written"
    struct = T._parse_datatype_string(schema)
    plain = T.StructType(
        [T.StructField(of.name, T.IntegerType() if of.name == "price" else of.dataType) for of in struct]
    )
    frame = lake.spark.createDataFrame(rows, plain).coalesce(1)
    frame = frame.select(*[F.col(of.name).cast(of.dataType) for of in struct])
    frame.write.mode("overwrite").option("compression", "gzip").parquet(f"s3://{lake.path('raw').name}/written/")
    (file,) = folder.glob("*.parquet")
    lake.drop(f"crm/things/{name}.parquet", file.read_bytes())
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def test_the_last_change_of_a_row_stays(lake: Lake) -> None:
    lake.document(things=THINGS)
    # The copy was written after the first change, which it has not seen.
    late = "2026-11-21 10:00:05.000000"
    put(lake, "LOAD00000001", [("I", late, 1, "copied", 1, None), ("I", late, 2, "copied", None, b"\x00\xff")])
    both = COLUMNS + ", _before_id bigint"
    changes = [
        ("U", SECOND, 1, "changed", 2, None, 1),
        ("U", SECOND, 1, "changed again", None, None, 1),
        ("D", SECOND, 2, None, None, None, None),
        ("I", SECOND, 3, "new", 3, None, None),
        ("U", SECOND, 30, "moved", 3, None, 3),
        ("I", SECOND, 4, "short", 4, None, None),
        ("D", SECOND, 4, None, None, None, None),
        ("I", SECOND, 4, "back", 4, None, None),
        ("X", SECOND, 5, "strange", 5, None, None),
    ]
    put(lake, "20261121-100001000", changes, both)
    entry = lake.clean()
    assert entry is not None
    end = ("1" + SECOND,)
    assert [tuple(str(value) for value in row) for row in lake.rows(entry, "things")] == [
        ("1", "changed again", "None", "None", *end, "False"),
        ("2", "None", "None", "None", *end, "True"),
        ("3", "None", "None", "None", *end, "True"),
        ("30", "moved", "3.00", "None", *end, "False"),
        ("4", "back", "4.00", "None", *end, "False"),
    ]
    (bad,) = lake.quarantine("cleaned", entry, "things")
    assert bad["reason"] == '`Op` is "X", and not I, U or D'
    counts = entry["tables"]["things"]
    # The update that moved a row is two: a deletion and a row.
    assert (counts["rows_in"], counts["rows_out"], counts["duplicates"], counts["deleted"]) == (12, 5, 6, 2)


def test_bytes_are_digits_and_new_columns_are_told(lake: Lake) -> None:
    lake.document(things=THINGS)
    put(lake, "LOAD00000001", [("I", SECOND, 1, "a", 1, b"\x00\xff")])
    put(lake, "20261121-100001000", [("I", SECOND, 2, "b", 1, None, "red")], COLUMNS + ", colour string")
    entry = lake.clean()
    assert entry is not None
    assert [row[3] for row in lake.rows(entry, "things")] == ["00ff", None]
    assert entry["tables"]["things"]["unknown_columns"] == ["colour"]


def test_files_that_are_none_are_refused_by_name(lake: Lake) -> None:
    lake.document(things=THINGS)
    put(lake, "LOAD00000001", [("I", SECOND, 1, "a", 1, None)])
    put(lake, "20261121-100001000", [("I", 1, "x")], "Op string, number int, name string")
    lake.drop("crm/things/20261121-100002000.parquet", b"PAR1 and no more")
    entry = lake.clean()
    assert entry is not None
    assert len(lake.rows(entry, "things")) == 1
    lacking, broken = [finding["text"] for finding in entry["tables"]["things"]["findings"]][-2:]
    assert lacking == (
        "landing/crm/things/20261121-100001000.parquet is not read: "
        "it lacks `id`, `_commit_timestamp` (it has: Op, number, name)"
    )
    assert broken.startswith(
        "landing/crm/things/20261121-100002000.parquet is not read: it is not a whole Parquet file"
    )
