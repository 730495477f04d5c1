"""Tables that are made by SQL: they follow what they read, and lose nothing."""

import json

import pytest
from conftest import Lake
from tables import table

from pipectl_glue.failure import Failure

ORDERS = table("id bigint!, customer varchar(9), at timestamp", key=["id"], order_by="at", load="upsert")
LINES = table("id bigint!, order_id bigint!, total decimal(8,2)", key=["id"], load="upsert")
FACTS = table(
    "order_id bigint!, customer varchar(9), lines bigint, revenue decimal(8,2)", key=["order_id"], load="upsert"
)
SQL = """
WITH touched AS (SELECT id FROM changed_orders UNION SELECT order_id FROM changed_lines)
SELECT o.ID AS order_id, o.customer, count(l.id) AS lines, CAST(sum(l.total) AS decimal(8,2)) AS revenue
FROM orders o JOIN touched t ON t.id = o.id LEFT JOIN lines l ON l.order_id = o.id
GROUP BY o.id, o.customer
"""


def transform(sql: str) -> dict:
    return {"facts": {"sql": sql, "reads": ["orders", "lines"], "reads_changed": ["orders", "lines"]}}


def lines(*records: dict) -> str:
    return "".join(f"{json.dumps(record)}\n" for record in records)


def order(id: int, customer: str, day: int) -> dict:
    return {"id": id, "customer": customer, "at": f"2026-01-{day:02d}T00:00:00Z"}


def line(id: int, order_id: int, total: str) -> dict:
    return {"id": id, "order_id": order_id, "total": total}


def facts(lake: Lake, entry: dict) -> list[tuple]:
    return [(row[0], row[1], row[2], row[3] and str(row[3])) for row in lake.rows(entry, "facts")]


def test_a_table_made_by_sql_follows_what_it_reads(lake: Lake):
    tables = {"orders": ORDERS, "lines": LINES, "facts": FACTS}
    lake.document_options = {"transforms": transform(SQL)}
    lake.document(**tables)
    lake.drop("orders/a.jsonl", lines(order(1, "ann", 1), order(2, "bob", 1)))
    lake.drop("lines/a.jsonl", lines(line(10, 1, "5.00"), line(11, 1, "2.50")))
    # Nobody fills it from files.
    lake.drop("facts/a.jsonl", lines({"order_id": 9}))
    lake.clean()
    first = lake.transform()
    assert facts(lake, first) == [(1, "ann", 2, "7.50"), (2, "bob", 0, None)]
    # Only rows that depend on a new row are computed again, from all of their inputs.
    lake.drop("lines/b.jsonl", lines(line(12, 2, "1.00"), line(10, 1, "6.00")))
    lake.clean()
    lake.drop("orders/b.jsonl", lines(order(1, "eve", 3), order(1, "old", 2)))
    lake.clean()
    second = lake.transform()
    assert facts(lake, second) == [(1, "eve", 2, "8.50"), (2, "bob", 1, "1.00")]
    assert second["tables"]["facts"]["rows_in"] == 2

    # SQL that Spark does not take stops its own table; the others go on, and what it missed it makes later.
    lake.document_options = {"transforms": transform("SELECT nothing FROM orders")}
    lake.document(**tables)
    lake.drop("lines/c.jsonl", lines(line(13, 2, "3.00")))
    lake.clean()
    with pytest.raises(Failure, match=r"table `facts`: Spark does not take its SQL: .*nothing.*committed in batch"):
        lake.transform()
    stopped = lake.entries("transformed")[-1]
    assert "facts" in stopped["stopped"]
    assert stopped["tables"]["lines"]["rows_out"] == 1
    lake.document_options = {"transforms": transform(SQL)}
    lake.document(**tables)
    lake.drop("orders/c.jsonl", lines(order(3, "dan", 4)))
    lake.clean()
    last = lake.transform()
    assert facts(lake, last) == [(2, "bob", 2, "4.00"), (3, "dan", 0, None)]


def test_rows_that_do_not_fit_go_to_quarantine(lake: Lake):
    sql = "SELECT id AS order_id, concat(customer, customer) AS customer, 1 AS lines, 2 AS revenue FROM changed_orders"
    lake.document_options = {"transforms": transform(sql)}
    lake.document(orders=ORDERS, lines=LINES, facts=FACTS)
    lake.drop("orders/a.jsonl", lines(order(1, "ann", 1), order(2, "barbara", 1)))
    lake.clean()
    entry = lake.transform()
    assert facts(lake, entry) == [(1, "annann", 1, "2.00")]
    (bad,) = lake.quarantine("transformed", entry, "facts")
    assert bad["reason"] == '`customer`: 14 bytes do not fit varchar(9): "barbarabarbara"'
