"""Databases that go wrong while they are read, and rows that no warehouse takes: nothing is lost or comes twice."""

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from shop import Shop
from tables import table

from pipectl_glue.failure import Failure

WIDE = 200_000


class Cut:
    """A way to a server that breaks once so many bytes have come back in one connection."""

    def __init__(self, port: int, after: int) -> None:
        self.after: int | None = after
        self._server = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server))
                threading.Thread(target=self._pass_on, args=(client, server, False), daemon=True).start()
                threading.Thread(target=self._pass_on, args=(server, client, True), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                passed += len(data)
                if answers and self.after is not None and passed > self.after:
                    break
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def cut(shop: Shop) -> Iterator[Cut]:
    cut = Cut(shop.server.port, WIDE)
    yield cut
    cut.close()


def told(shop: Shop) -> str:
    with pytest.raises(Failure) as failure:
        shop.ingest()
    return str(failure.value)


def quarantined(shop: Shop, name: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Cleans what was taken: the counts, and the reason of each bad row by its id."""
    entry = shop.lake.clean()
    assert entry is not None
    counts = entry["tables"][name]
    others = counts["quarantined"] + counts["duplicates"] + counts["unchanged"]
    assert counts["rows_in"] == counts["rows_out"] + others
    found = shop.lake.quarantine("cleaned", entry, name) if counts["quarantined"] else []
    return counts, {re.search(r'"id":"(-?\d+)"', row["row"])[1]: row["reason"] for row in found}


def test_a_database_that_goes_away_in_mid_read(shop: Shop, cut: Cut):
    shop.server.run("CREATE TABLE long_one (id bigint PRIMARY KEY, name varchar(1000), updated_at date)")
    shop.server.run("CREATE TABLE short_one (id bigint PRIMARY KEY, updated_at date)")
    values = ", ".join(f"({number}, '{'x' * 900}', '2026-01-01')" for number in range(1000))
    shop.server.run(f"INSERT INTO long_one VALUES {values}", "INSERT INTO short_one VALUES (1, '2026-01-01')")
    shop.port = cut.port
    shop.document(
        long_one=table("id bigint!, name varchar(1000), updated_at date"),
        short_one=table("id bigint!, updated_at date"),
    )
    failure = told(shop)
    assert re.search(
        r"table `long_one`: the \w+ database `shop` at 127.0.0.1:\d+ failed while it was read: \S", failure
    )
    # The other table is there; of this one, nothing is.
    assert not list(shop.lake.path("raw").glob("landing/crm/long_one/**/*.parquet"))
    assert (len(shop.everything("short_one")), shop.everything("long_one")) == (1, [])
    cut.after = None
    assert len(shop.taken(shop.ingest(), "long_one")) == 1000
    assert shop.ingest() is None


def test_values_out_of_range(shop: Shop):
    big = "bigint unsigned" if shop.server.engine == "mysql" else "numeric"
    shop.server.run(
        f"CREATE TABLE big (id bigint PRIMARY KEY, small int, whole {big}, money numeric(20,4), name varchar(40), "
        "day date, updated_at date)"
    )
    shop.server.run(
        "INSERT INTO big VALUES (1, 32767, 9223372036854775807, 9999999999.99, 'fits', '2026-01-01', '2026-01-01'), "
        "(2, 32768, 1, 1, 'small', NULL, '2026-01-01'), (3, 1, 9223372036854775808, 1, 'whole', NULL, '2026-01-01'), "
        "(4, 1, 1, 10000000000.00, 'money', NULL, '2026-01-01'), (5, 1, 1, 0.001, 'rounded', NULL, '2026-01-01'), "
        "(6, 1, 1, 1, 'ääääääääääääääääääääää', NULL, '2026-01-01'), (7, 1, 1, 1, NULL, NULL, '2026-01-01')"
    )
    columns = "id bigint!, small smallint, whole bigint, money decimal(12,2), name varchar(40)!, day date"
    shop.document(big=table(f"{columns}, updated_at date"))
    assert len(shop.taken(shop.ingest(), "big")) == 7
    counts, reasons = quarantined(shop, "big")
    assert counts["rows_out"] == 1
    assert reasons == {
        "2": '`small`: "32768" is not a smallint',
        "3": '`whole`: "9223372036854775808" is not a bigint',
        "4": '`money`: "10000000000.0000" is not a decimal(12,2)',
        "5": '`money`: "0.0010" is not a decimal(12,2)',
        "6": '`name`: 44 bytes do not fit varchar(40): "ääääääääääääääääääääää"',
        "7": "`name` is missing, and it is required",
    }


def test_texts_in_other_encodings(shop: Shop):
    """MySQL converts texts whatever their column's encoding; bytes that are no text come as hexadecimal digits."""
    if shop.server.engine != "mysql":
        shop.server.run("CREATE TABLE odd (id bigint PRIMARY KEY, name varchar(20), raw bytea, updated_at date)")
        with pytest.raises(Exception, match="invalid byte sequence"):
            shop.server.run("INSERT INTO odd VALUES (1, convert_from('\\xe9', 'UTF8'), NULL, '2026-01-01')")
        shop.server.run("INSERT INTO odd VALUES (1, 'café €', '\\xe9', '2026-01-01')")
        expected = ("1", "café €", "\\xe9", "2026-01-01")
    else:
        shop.server.run(
            "CREATE TABLE odd (id bigint PRIMARY KEY, name varchar(20) CHARACTER SET latin1, raw varbinary(9), "
            "updated_at date)",
            "INSERT INTO odd VALUES (1, 'café €', x'e9', '2026-01-01')",
        )
        expected = ("1", "café €", "E9", "2026-01-01")
    shop.document(odd=table("id bigint!, name varchar(20), raw varchar(20), updated_at date"))
    assert shop.taken(shop.ingest(), "odd") == [expected]
    assert quarantined(shop, "odd")[0]["rows_out"] == 1


def test_a_key_that_is_there_twice(shop: Shop):
    shop.server.run("CREATE TABLE twice (id bigint, name varchar(20), updated_at date)")
    shop.server.run(
        "INSERT INTO twice VALUES (1, 'old', '2026-01-01'), (1, 'new', '2026-01-02'), (2, 'same', '2026-01-01'), "
        "(2, 'same', '2026-01-01'), (NULL, 'no key', '2026-01-01')"
    )
    shop.document(twice=table("id bigint!, name varchar(20), updated_at date", order_by="updated_at"))
    entry = shop.ingest()
    assert len(shop.taken(entry, "twice")) == 5
    counts = shop.lake.clean()["tables"]["twice"]
    assert (counts["rows_in"], counts["rows_out"], counts["duplicates"], counts["quarantined"]) == (5, 2, 2, 1)
    assert shop.ingest() is None


def test_a_password_that_has_expired(shop: Shop):
    shop.orders()
    if shop.server.engine == "mysql":
        expire, mend = "ALTER USER reader PASSWORD EXPIRE", "ALTER USER reader PASSWORD EXPIRE NEVER"
    else:
        expire, mend = "ALTER ROLE reader VALID UNTIL '2020-01-01'", "ALTER ROLE reader VALID UNTIL 'infinity'"
    shop.server.run(expire)
    try:
        failure = told(shop)
    finally:
        shop.server.run(mend)
        if shop.server.engine == "mysql":
            password = shop.server.secret["password"].replace("'", "''")
            shop.server.run(f"ALTER USER reader IDENTIFIED BY '{password}'")
    if shop.server.engine == "mysql":
        assert "the password of `reader` has expired: give it a new one" in failure
    else:
        assert "the secret's password is not that of `reader`, or has expired" in failure
    assert shop.server.secret["password"] not in failure
    shop.server.run("INSERT INTO orders VALUES (1, 'a', 1, '2026-01-01 10:00:00')")
    assert len(shop.taken(shop.ingest())) == 1
