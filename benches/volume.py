#!/usr/bin/env python3
"""Measures the jobs and the warehouse with many rows: orders and one and a half times as many lines, then one row more.

    benches/volume.py [--binary target/release/pipectl] [--orders 70000] [--orders 2300000] [--folder DIR]

Each size is rehearsed in a project of its own: JSON lines of a `files` source go through the jobs `clean` and `transform` on local Spark, and
by COPY and MERGE into the warehouse. Then one changed row is rehearsed in the same project. The times are those of the rehearsal's report:
by the clock, so that a busy machine shows in them. 2,300,000 orders take 8 GB in DIR while they are measured.
"""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import machine
import projects
from measurements import Skip
from processes import Run, run_once

ROOT = Path(__file__).resolve().parent.parent
_STATUS = ("PAID", "PENDING", "REFUNDED", "PARTIALLY_REFUNDED")
_MONEY = ("total", "subtotal", "tax", "shipping", "discount", "refunded")
MONEY_FIELDS = {name: f"{name}PriceSet" for name in _MONEY}

_PIPELINE = """\
name: volume
sources:
  bulk:
    files: {format: jsonl}
tables:
  orders:
    source: bulk
    columns:
      id: {type: bigint, required: true}
      name: {type: varchar(64), required: true}
      customer_id: {type: bigint, from: customer.id}
      financial_status: {type: varchar(32), from: displayFinancialStatus}
      currency: {type: varchar(3), from: currencyCode, required: true}
MONEY\
      is_test: {type: boolean, from: test}
      tags: super
      processed_at: {type: timestamp, from: processedAt}
      created_at: {type: timestamp, from: createdAt, required: true}
      updated_at: {type: timestamp, from: updatedAt, required: true}
    key: [id]
    order_by: updated_at
    checks:
      accepted_values: {financial_status: [PAID, PENDING, REFUNDED, PARTIALLY_REFUNDED]}
  order_lines:
    source: bulk
    columns:
      id: {type: bigint, required: true}
      order_id: {type: bigint, from: __parentId, required: true}
      product_id: {type: bigint, from: product.id}
      sku: varchar(255)
      title: varchar(1024)
      quantity: {type: integer, required: true}
      unit_price: {type: "decimal(14,2)", from: originalUnitPriceSet.shopMoney.amount, required: true}
      total: {type: "decimal(14,2)", from: discountedTotalSet.shopMoney.amount}
    key: [id]
"""


def pipeline() -> str:
    money = "".join(
        f'      {name}: {{type: "decimal(14,2)", from: {field}.shopMoney.amount}}\n'
        for name, field in MONEY_FIELDS.items()
    )
    return _PIPELINE.replace("MONEY", money)


def money(cents: int) -> str:
    return f'{{"shopMoney":{{"amount":"{cents / 100:.2f}","currencyCode":"USD"}}}}'


def order(number: int, changed: bool = False) -> str:
    """An order as the ingest Lambda lands it."""
    day = f"202{2 + number % 4}-{1 + number % 12:02}-{1 + number % 28:02}T{number % 24:02}:{number % 60:02}:00Z"
    sets = ",".join(f'"{field}":{money(number % 99999 + at)}' for at, field in enumerate(MONEY_FIELDS.values()))
    updated = "2026-11-01T00:00:00Z" if changed else day
    return (
        f'{{"id":"gid:\\/\\/shopify\\/Order\\/{number}","name":"#{number}",'
        f'"customer":{{"id":"gid:\\/\\/shopify\\/Customer\\/{number % 700_000}"}},'
        f'"displayFinancialStatus":"{_STATUS[number % 4]}","currencyCode":"USD",{sets},"test":false,'
        f'"tags":["web","t{number % 9}"],"processedAt":"{day}","createdAt":"{day}","updatedAt":"{updated}"}}\n'
    )


def lines(number: int) -> str:
    """One line of an odd order, two of an even one."""
    parent = f"gid:\\/\\/shopify\\/Order\\/{number}"
    text = ""
    for line in range(2 - number % 2):
        text += (
            f'{{"id":"gid:\\/\\/shopify\\/LineItem\\/{number * 2 + line}","__parentId":"{parent}",'
            f'"product":{{"id":"gid:\\/\\/shopify\\/Product\\/{number % 5000}"}},"sku":"SKU-{number % 900}",'
            f'"title":"Crispy \\/ Jaffle {number % 50}","quantity":{1 + line},'
            f'"originalUnitPriceSet":{money(1250)},"discountedTotalSet":{money(1250 * (1 + line))}}}\n'
        )
    return text


def write(folder: Path, orders: int) -> None:
    """The data of one size. The files are split as an ingest that runs for years would leave them."""
    piece = 200_000
    for table, row in (("orders", order), ("order_lines", lines)):
        (folder / table).mkdir(parents=True)
        for start in range(0, orders, piece):
            with (folder / table / f"{start:09}.jsonl").open("w", encoding="utf-8") as out:
                out.writelines(row(number) for number in range(start, min(orders, start + piece)))


def rehearse(binary: Path, project: Path, python: Path, data: Path) -> tuple[Run, dict[str, Any]]:
    command = [str(binary), "rehearse", "--env", "local", "--format", "json", "--project", str(project)]
    run = run_once([*command, "--data", f"bulk={data}"], environment={"PIPECTL_PYTHON": str(python)}, watch=True)
    return run, json.loads(run.output)


def seconds(told: dict[str, Any], kind: str, word: str) -> float:
    """What the steps of a kind took that have this word in their name."""
    steps = [step for step in told["timeline"] if step["kind"] == kind and word in step["name"]]
    return sum(step["seconds"] or 0.0 for step in steps)


def rows(told: dict[str, Any], table: str) -> int:
    return next(found["after"] for found in told["warehouse"] if found["table"] == table)


def line(what: str, run: Run, told: dict[str, Any]) -> str:
    parts = (
        ("clean", "job", "-clean"),
        ("transform", "job", "-transform"),
        ("COPY + MERGE", "statement", "load "),
    )
    shown = ", ".join(f"{name} {seconds(told, kind, word):.1f} s" for name, kind, word in parts)
    memory = f"pipectl {run.memory / 2**20:.0f} MiB"
    return f"{what}: {run.seconds:.0f} s ({shown}), {memory}"


def measure(binary: Path, folder: Path, python: Path, orders: int) -> None:
    project, data, one = folder / "project", folder / "data", folder / "one"
    projects.reference(binary, project, ROOT)
    (project / "stacks" / "pipeline.yaml").write_text(pipeline(), encoding="utf-8")
    (project / "stacks" / "local.yaml").write_text('account: "000000000000"\nregion: us-east-1\nlocal: true\n')
    shutil.rmtree(project / "sql", ignore_errors=True)
    archive = ROOT / ".pipectl" / "spark"
    if archive.is_dir():
        (project / ".pipectl" / "spark").symlink_to(archive)
    projects.prepare_spark(python, project)
    write(data, orders)
    size = sum(file.stat().st_size for file in data.rglob("*.jsonl"))
    run, told = rehearse(binary, project, python, data)
    expected = (orders, orders + (orders + 1) // 2)
    found = (rows(told, "orders"), rows(told, "order_lines"))
    if found != expected:
        raise SystemExit(f"error: {found} rows of {expected} are in the warehouse")
    print(line(f"{orders:,} orders and {expected[1]:,} lines, {size / 1e6:,.0f} MB", run, told), flush=True)
    shutil.rmtree(data)
    (one / "orders").mkdir(parents=True)
    (one / "orders" / "changed.jsonl").write_text(order(orders // 2, changed=True), encoding="utf-8")
    run, told = rehearse(binary, project, python, one)
    if rows(told, "orders") != orders:
        raise SystemExit(f"error: {rows(told, 'orders')} orders after one has changed")
    print(line("  one changed order more", run, told), flush=True)


def main() -> int:
    options = argparse.ArgumentParser(description="Measures the jobs and the warehouse with many rows.")
    options.add_argument("--binary", default=ROOT / "target" / "release" / "pipectl")
    options.add_argument("--orders", type=int, action="append", help="default: 1, 70000 and 2300000")
    options.add_argument("--folder", help="where there is room (default: the system's)")
    given = options.parse_args()
    binary = Path(given.binary).resolve()
    if not binary.exists():
        print(f"error: there is no `{binary}`\n= hint: cargo build --release", file=sys.stderr)
        return 1
    try:
        python = projects.python_with_spark(ROOT)
        for orders in given.orders or (1, 70_000, 2_300_000):
            with tempfile.TemporaryDirectory(prefix="pipectl-volume-", dir=given.folder) as folder:
                measure(binary, Path(folder), python, orders)
    except Skip as reason:
        print(f"skipped: {reason}", file=sys.stderr)
    print(machine.describe(binary))
    return 0


if __name__ == "__main__":
    sys.exit(main())
