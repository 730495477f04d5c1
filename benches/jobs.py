#!/usr/bin/env python3
"""Measures the jobs alone by their processor time, which a busy machine changes little: many rows, and one row more.

    benches/jobs.py [ROWS …]          orders; default: 1 and 100,000
    benches/jobs.py --columns 300     the first clean of 1,000 rows of a wide table

Behind each job stands its ratio to plain Spark on the same rows in the same session: a read of the columns from JSON and
a write as Parquet for `clean`, a read and write of the cleaned Parquet for `transform`. Run it with the Python that has Spark (`.venv/bin/python`). Each line is a session of its own; its time is that of the JVM.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "glue-src"), str(ROOT / "glue-src" / "local"), str(ROOT / "glue-src" / "tests")]

_KINDS = {
    "bigint": 5,
    "varchar(64)": "abc",
    "decimal(12,2)": 12.25,
    "timestamp": "2026-01-01 00:00:00",
    "boolean": True,
}
_PIECE = 100_000
RAW, PLAIN = "s3://raw-bucket/landing/", "s3://transformed-bucket/plain/"


def columns() -> str:
    """The columns of `volume.py`, in the words of the tests."""
    import volume

    money = ", ".join(f"{name} decimal(14,2) < {field}.shopMoney.amount" for name, field in volume.MONEY_FIELDS.items())
    return (
        "id bigint!, name varchar(64)!, customer_id bigint < customer.id, currency varchar(3) < currencyCode, "
        f"financial_status varchar(32) < displayFinancialStatus, {money}, is_test boolean < test, tags super, "
        "processed_at timestamp < processedAt, created_at timestamp < createdAt, updated_at timestamp < updatedAt"
    )


def session(folder: Path, what: str, count: int) -> None:
    """One session: `rows` or `one` of orders, or `wide`."""
    import conftest
    import local_spark
    import volume
    from fake_s3 import FakeS3
    from tables import table

    from pipectl_glue.session import prepare

    buckets, work = folder / "buckets", folder / f"work-{what}"
    work.mkdir()
    for bucket in conftest.BUCKETS.values():
        (buckets / bucket).mkdir(parents=True, exist_ok=True)
    mounts = {bucket: str(buckets / bucket) for bucket in conftest.BUCKETS.values()}
    archive = local_spark.build_archive(conftest.CACHE)
    spark = prepare(local_spark.start(mounts, work, [f"-XX:SharedArchiveFile={archive}"]))
    lake = conftest.Lake(spark, FakeS3(buckets))
    if what == "wide":
        kinds = [(f"c{at}", list(_KINDS)[at % len(_KINDS)]) for at in range(count - 1)]
        lake.document(orders=table("id bigint!, " + ", ".join(f"{name} {kind}" for name, kind in kinds)))
        row = {name: _KINDS[kind] for name, kind in kinds}
        lake.drop("orders/wide.jsonl", "".join(json.dumps({"id": at, **row}) + "\n" for at in range(1_000)))
    else:
        lake.document(orders=table(columns(), key=["id"], order_by="updated_at"))
        if what == "one":
            lake.drop("orders/one.jsonl", volume.order(count // 2, changed=True))
        for start in range(0, count if what == "rows" else 0, _PIECE):
            rows = (volume.order(at) for at in range(start, min(count, start + _PIECE)))
            lake.drop(f"orders/{start:09}.jsonl", "".join(rows))
    if what == "rows":
        # The first read pays for classes and compilation that the jobs would pay for otherwise.
        plain_json(lake, "warm")
    plain = timed(lambda: plain_json(lake, "json")) if what == "rows" else 0
    begin = work_of_jvm()
    entry = lake.clean()
    cleaned = work_of_jvm()
    lake.transform()
    transformed = work_of_jvm()
    names = {"rows": f"{count:,} orders", "one": "  one changed order more", "wide": f"1,000 rows of {count} columns"}
    if entry is None:
        raise SystemExit(f"error: {names[what]}: nothing was cleaned")
    clean, transform = cleaned - begin, transformed - cleaned
    path = entry["tables"]["orders"]["path"]
    copied = 0.0
    if plain:
        copied = timed(lambda: spark.read.parquet(path).write.mode("overwrite").parquet(f"{PLAIN}parquet/"))
    ratios = f" ({clean / plain:.1f} times {plain:.1f} s)" if plain else ""
    copies = f" ({transform / copied:.1f} times {copied:.1f} s)" if copied else ""
    print(f"{names[what]}: clean {clean:.1f} s{ratios}, transform {transform:.1f} s{copies}", flush=True)
    local_spark.stop(spark)


def plain_json(lake: Any, name: str) -> None:
    """What `clean` reads and writes, by Spark alone: the same columns of the same files."""
    import volume

    money = ", ".join(
        f"{field} struct<shopMoney: struct<amount: decimal(14,2)>>" for field in volume.MONEY_FIELDS.values()
    )
    schema = (
        "id string, name string, customer struct<id: string>, currencyCode string, displayFinancialStatus string, "
        f"{money}, test boolean, tags array<string>, processedAt timestamp, createdAt timestamp, updatedAt timestamp"
    )
    spark = lake.spark
    frame = spark.read.schema(schema).json(f"{RAW}orders/")
    frame.write.mode("overwrite").parquet(f"{PLAIN}{name}/")


def timed(work: Callable[[], None]) -> float:
    """The processor time of the JVM for some work."""
    begin = work_of_jvm()
    work()
    return work_of_jvm() - begin


def work_of_jvm() -> float:
    """Seconds of processor time of the JVM that this process has started."""
    found = subprocess.run(["pgrep", "-P", str(os.getpid()), "java"], capture_output=True, text=True, check=True)
    stat = Path(f"/proc/{found.stdout.split()[0]}/stat").read_text().rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    options = argparse.ArgumentParser(description="Measures the jobs by their processor time.")
    options.add_argument("rows", type=int, nargs="*", default=[1, 100_000])
    options.add_argument("--columns", type=int)
    options.add_argument("--session", nargs=2, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.session:
        session(Path(given.session[0]), given.session[1], given.columns or given.rows[0])
        return 0
    wanted = (
        [("wide", given.columns)]
        if given.columns
        else [(what, rows) for rows in given.rows for what in ("rows", "one")]
    )
    folder = None
    for what, count in wanted:
        if what != "one":
            folder = tempfile.TemporaryDirectory(prefix="pipectl-jobs-")
        size = ["--columns", str(count)] if what == "wide" else [str(count)]
        command = [sys.executable, __file__, *size, "--session", folder.name, what]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return 0


if __name__ == "__main__":
    sys.exit(main())
