"""Parquet types that Spark lacks or refuses: nanoseconds, times of day, INT96 before 1900, types nobody can read."""

import datetime
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import Lake
from pyspark.sql import SparkSession
from tables import table

SHARED = Path(__file__).parents[3] / "shared/cases/data/parquet-nanoseconds/nanos.parquet"


def write(spark: SparkSession, schema: str, records: list[dict[str, Any]], folder: Path) -> bytes:
    """A Parquet file as other programs than Spark write it."""
    jvm = spark._jvm
    message = jvm.org.apache.parquet.schema.MessageTypeParser.parseMessageType(schema)
    file = folder / "made.parquet"
    file.unlink(missing_ok=True)
    builder = jvm.org.apache.parquet.hadoop.example.ExampleParquetWriter.builder(
        jvm.org.apache.hadoop.fs.Path(f"file://{file}")
    )
    writer = builder.withType(message).build()
    groups = jvm.org.apache.parquet.example.data.simple.SimpleGroupFactory(message)
    for record in records:
        group = groups.newGroup()
        for name, value in record.items():
            group.append(name, value)
        writer.write(group)
    writer.close()
    return file.read_bytes()


def int96(spark: SparkSession, julian_day: int, seconds: int) -> Any:
    return spark._jvm.org.apache.parquet.example.data.simple.NanoTime(julian_day, seconds * 1_000_000_000)


def test_times_that_spark_has_no_type_for(lake: Lake, tmp_path: Path):
    spark = lake.spark
    lake.document(
        t=table(
            "id integer, zoned timestamp, plain timestamp, day date < zoned, clock varchar(15), old timestamp",
            format="parquet",
        )
    )
    schema = (
        "message m { optional int32 id; optional int64 zoned (TIMESTAMP(NANOS,true)); "
        "optional int64 plain (TIMESTAMP(NANOS,false)); optional int64 clock (TIME(NANOS,true)); optional int96 old; "
        "optional fixed_len_byte_array(12) gap (INTERVAL); }"
    )
    second = 1_000_000_000
    records = [
        {
            "id": 1,
            "zoned": 1_767_323_045 * second + 123_456_789,
            "plain": -3 * second - 1,
            "clock": 3_661 * second,
            "old": int96(spark, 2378497, 3600),  # 1 January 1800, one o'clock
        },
        {
            "id": 2,
            "old": int96(spark, 2299150, 0),
        },  # before the Gregorian calendar: 5 October 1582, as it is counted now
    ]
    lake.drop("t/a.parquet", write(spark, schema, records, tmp_path))
    entry = lake.clean()
    assert [given.get("refused") for given in entry["inputs"]] == [None]
    frame = lake.frame(entry["tables"]["t"])
    texts = frame.selectExpr("id", *[f"CAST({name} AS STRING)" for name in frame.columns[1:]])
    assert sorted(map(tuple, texts.collect())) == [
        (
            1,
            "2026-01-02 03:04:05.123456",
            "1969-12-31 23:59:56.999999",
            "2026-01-02",
            "01:01:01.000000",
            "1800-01-01 01:00:00",
        ),
        (2, None, None, None, None, "1582-10-04 00:00:00"),
    ]


def test_a_type_that_cannot_be_read_matters_only_if_the_table_takes_it(lake: Lake, tmp_path: Path):
    lake.document(
        t=table("id integer, gap varchar(20)", format="parquet"), others=table("id integer", format="parquet")
    )
    schema = "message m { optional int32 id; optional fixed_len_byte_array(12) gap (INTERVAL); }"
    content = write(lake.spark, schema, [{"id": 1}], tmp_path)
    lake.drop("t/a.parquet", content)
    lake.drop("others/a.parquet", content)
    entry = lake.clean()
    assert lake.rows(entry, "others") == [(1,)]
    (refused,) = [given["refused"] for given in entry["inputs"] if given.get("refused")]
    assert refused.startswith("the column `gap` has a type that the job cannot read (")


@pytest.mark.skipif(not SHARED.exists(), reason="shared (the case parquet-nanoseconds is not beside the checkout)")
def test_what_pandas_writes(lake: Lake):
    lake.document(t=table("id integer, at timestamp", format="parquet"))
    lake.path("raw").joinpath("landing/t").mkdir(parents=True)
    shutil.copy(SHARED, lake.path("raw") / "landing/t/nanos.parquet")
    entry = lake.clean()
    assert entry["tables"]["t"]["rows_out"] > 0
    assert entry["tables"]["t"]["quarantined"] == 0
    times = [row["at"] for row in lake.frame(entry["tables"]["t"]).collect()]
    assert all(isinstance(time, datetime.datetime) for time in times)
