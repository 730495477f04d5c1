"""Measures the jobs on databases: `ingest` by watermark, and `clean` and `transform` of changes that DMS has written.

    .venv/bin/python benches/databases.py [--rows 68883]… [--changes 1000000] [--engine postgresql]…

On local Spark, against servers of its own. In brackets, the processor time of Spark. Of the changes a third each is inserts, updates and deletes of the rows
that a copy brought before.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "glue-src" / name) for name in (".", "local", "tests")]

import databases  # noqa: E402
import local_spark  # noqa: E402
from conftest import BUCKETS, Lake  # noqa: E402
from fake_s3 import FakeS3  # noqa: E402
from pyspark.sql import functions as F  # noqa: E402
from shop import Shop  # noqa: E402
from tables import table  # noqa: E402

from pipectl_glue.session import prepare  # noqa: E402

_COLUMNS = "id bigint!, customer varchar(40), status varchar(20), total decimal(12,2), paid boolean, day date"
_COLUMNS += ", updated_at timestamp"
# Rows of a file, as many as fit in the 32 MB after which the endpoint begins another.
_ROWS_OF_A_FILE = 250_000
_LAST = "2026-01-01 00:00:00"


def seconds(lake: Lake, work: Callable[[], Any]) -> tuple[str, Any]:
    """How long something takes, with the processor time of Spark's JVM in it, which a busy machine hardly changes."""
    began, used = time.perf_counter(), _processor(lake)
    found = work()
    return f"{time.perf_counter() - began:.1f} s ({_processor(lake) - used:.1f} s)", found


def _processor(lake: Lake) -> float:
    try:
        process = lake.spark.sparkContext._gateway.proc.pid
        # Behind the name, which may hold anything, the 12th and 13th are ticks of user and system.
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return 0.0


def watermark(lake: Lake, engine: str, rows: int, folder: Path) -> str:
    """A first run, one that finds nothing new, and one that finds one row."""
    server = databases.start(engine, folder, lake.spark)
    try:
        shop = Shop(server, lake)
        kind = "datetime(6)" if engine == "mysql" else "timestamp"
        server.run(
            "CREATE TABLE orders (id bigint PRIMARY KEY, customer varchar(40), status varchar(20), "
            f"total decimal(12,2), paid boolean, day date, updated_at {kind})"
        )
        numbers = f"seq_1_to_{rows}" if engine == "mysql" else f"generate_series(1, {rows}) AS n(seq)"
        ago = f"INTERVAL ({rows} - seq) SECOND" if engine == "mysql" else f"INTERVAL '1 second' * ({rows} - seq)"
        server.run(
            f"INSERT INTO orders SELECT seq, concat('customer ', seq % 1000), 'paid', seq % 100000 / 100.0, "
            f"seq % 2 = 0, DATE '2025-06-01', TIMESTAMP '{_LAST}' - {ago} FROM {numbers}",
            "CREATE INDEX changed ON orders (updated_at)",
            "ANALYZE TABLE orders" if engine == "mysql" else "ANALYZE orders",
        )
        shop.document(orders=table(_COLUMNS))
        taken, found = [], []
        for number in (0, 0, 1):
            if number:
                server.run(f"INSERT INTO orders VALUES (0, 'new', 'new', 1, true, NULL, '{_LAST}')")
            took, entry = seconds(lake, shop.ingest)
            taken.append(entry["tables"]["orders"]["taken"] if entry else 0)
            found.append(took)
        if taken != [rows, 0, 1]:
            raise SystemExit(f"{taken} rows were taken, not {[rows, 0, 1]}")
        return f"| {rows:,} rows, {engine} | {' | '.join(found)} |"
    finally:
        server.close()


def changes(lake: Lake, count: int) -> str:
    """A copy, then as many changes: what `clean` and `transform` take for the changes alone."""
    things = table(_COLUMNS, format="changes", landing="landing/crm/things/", deletes=True, key=["id"], load="upsert")
    lake.document(things=things)
    copied = count // 3 * 2
    _land(lake, copied, "I", 0, "LOAD0000000")
    lake.clean()
    lake.transform()
    for number, operation in enumerate("IUD"):
        first = {"I": copied, "U": 0, "D": count // 3}[operation]
        _land(lake, count // 3, operation, first, f"20261121-10000{number}00")
    parts = []
    for stage in (lake.clean, lake.transform):
        took, entry = seconds(lake, stage)
        counts = entry["tables"]["things"]
        parts.append(took)
        if counts["rows_in"] != counts["rows_out"] or counts["rows_in"] != count // 3 * 3:
            raise SystemExit(f"{counts['rows_in']} rows in, {counts['rows_out']} out, of {count // 3 * 3}")
    return f"| {count:,} changes | {' | '.join(parts)} |"


def _land(lake: Lake, rows: int, operation: str, first: int, name: str) -> None:
    """Writes files as DMS does: their columns, their types, gzip."""
    for part, start in enumerate(range(0, rows, _ROWS_OF_A_FILE)):
        frame = lake.spark.range(first + start, first + min(start + _ROWS_OF_A_FILE, rows), numPartitions=1)
        gone = operation == "D"
        values = {
            "customer": "concat('customer ', id % 1000)",
            "status": "'paid'",
            "total": "CAST(id % 100000 / 100 AS decimal(12,2))",
            "paid": "id % 2 = 0",
            "day": "DATE'2025-06-01'",
            "updated_at": "TIMESTAMP'2026-01-01 00:00:00'",
        }
        frame = frame.select(
            F.lit(operation).alias("Op"),
            F.expr("date_format(timestamp_micros(1763719200000000 + id), 'yyyy-MM-dd HH:mm:ss.SSSSSS')").alias(
                "_commit_timestamp"
            ),
            "id",
            *[F.expr(f"CASE WHEN NOT {str(gone).lower()} THEN {value} END").alias(of) for of, value in values.items()],
            F.expr("id" if operation == "U" else "CAST(NULL AS bigint)").alias("_before_id"),
        )
        bucket, folder = BUCKETS["raw"], lake.path("raw") / "written"
        frame.write.mode("overwrite").option("compression", "gzip").parquet(f"s3://{bucket}/written/")
        (file,) = folder.glob("*.parquet")
        target = lake.path("raw") / f"landing/crm/things/{name}{part + 1}.parquet"
        target.parent.mkdir(parents=True, exist_ok=True)
        file.rename(target)


def main() -> int:
    options = _options()
    # The servers that run as somebody else must reach their folder.
    os.umask(0o022)
    with tempfile.TemporaryDirectory(prefix="pipectl-bench-", dir="/tmp") as name:  # nosec B108 # sockets need a short path
        folder = Path(name)
        for bucket in BUCKETS.values():
            (folder / "buckets" / bucket).mkdir(parents=True)
        archive = local_spark.build_archive(Path(options.cache))
        mounts = {bucket: str(folder / "buckets" / bucket) for bucket in BUCKETS.values()}
        (folder / "work").mkdir()
        spark = local_spark.start(mounts, folder / "work", [f"-XX:SharedArchiveFile={archive}"])
        s3 = FakeS3(folder / "buckets")
        prepare(spark)
        # What the first run of all pays for the JVM is none of the job's.
        (folder / "warm").mkdir()
        watermark(_lake(spark, s3), (options.engine or ["postgresql"])[0], 1_000, folder / "warm")
        print("| by watermark | first run | none new | one new |\n|---|--:|--:|--:|", flush=True)
        for engine in options.engine or ["postgresql", "mysql"]:
            for rows in options.rows or [68_883, 2_300_000]:
                place = folder / f"{engine}-{rows}"
                place.mkdir()
                print(watermark(_lake(spark, s3), engine, rows, place), flush=True)
        if options.changes:
            print("\n| followed | `clean` | `transform` |\n|---|--:|--:|", flush=True)
            print(changes(_lake(spark, s3), options.changes), flush=True)
        busy = os.getloadavg()[0] / (os.cpu_count() or 1)
        print(f"\n{os.cpu_count()} cores, Spark {spark.version}, load {busy:.1f} a core at the end")
        s3.close()
        local_spark.stop(spark)
    return 0


def _lake(spark: Any, s3: FakeS3) -> Lake:
    """Empty buckets."""
    for bucket in BUCKETS.values():
        for path in sorted((s3.root / bucket).rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
    return Lake(spark, s3)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures the jobs on databases.")
    parser.add_argument("--rows", type=int, action="append", help="rows of the table [default: 68883 and 2300000]")
    parser.add_argument("--changes", type=int, default=1_000_000, help="changes of a followed table; 0: none")
    parser.add_argument("--engine", action="append", choices=["postgresql", "mysql"])
    parser.add_argument("--cache", default=ROOT / ".pipectl" / "spark", help="where Spark's class archive is kept")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
