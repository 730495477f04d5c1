"""A database, the lake, and the job that reads the one into the other."""

import json
from typing import Any

from conftest import BUCKETS, DOCUMENT, Lake
from databases import Server
from tables import table

from pipectl_glue import ingest

ORDERS = "id bigint!, status varchar(20), total decimal(12,2), updated_at timestamp"


class Secrets:
    """What the job asks of Secrets Manager."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def get_secret_value(self, **_: str) -> dict[str, str]:
        return {"SecretString": json.dumps(self.value)}


class Shop:
    """A database, the lake, and the job between them."""

    def __init__(self, server: Server, lake: Lake) -> None:
        self.server = server
        self.lake = lake
        self.secrets = Secrets(server.secret)
        self.port: int | None = None
        self.runs = 0
        server.fresh()

    def document(self, **tables: dict[str, Any]) -> None:
        self.lake.document(**{name: self._complete(name, columns) for name, columns in tables.items()})
        text = json.loads(self.lake.store.get(BUCKETS["raw"], "config/pipeline.json"))
        text["sources"] = {"crm": self.server.source(self.port)}
        self.lake.store.put(BUCKETS["raw"], "config/pipeline.json", json.dumps(text).encode())

    def _complete(self, name: str, options: dict[str, Any]) -> dict[str, Any]:
        place = {"landing": f"landing/crm/{name}/", "ingest_ledger": "_ledger/ingest/crm/", "format": "parquet"}
        read = {"source": "crm", "object": name, "watermark": "updated_at", "key": ["id"], "load": "upsert"}
        return {**options, **place, **read, **{key: options[key] for key in ("key", "watermark") if options.get(key)}}

    def orders(self, **more: Any) -> None:
        kind = "datetime(6)" if self.server.engine == "mysql" else "timestamp"
        self.server.run(
            "CREATE TABLE orders (id bigint PRIMARY KEY, status varchar(20), total decimal(14,2), "
            f"updated_at {kind} NULL)"
        )
        self.document(orders=table(ORDERS, **more))

    def ingest(self, *restart: str) -> dict[str, Any] | None:
        """One run; its entry."""
        self.lake.said.clear()
        self.runs += 1
        batch = ingest.run(
            self.lake.spark, DOCUMENT, "crm", f"jr_{self.runs}", frozenset(restart), self.lake.store, self.secrets,
            self.lake.said.append,
        )  # fmt: skip
        return self.lake.entry("raw", "ingest/crm", batch)

    def taken(self, entry: dict[str, Any] | None, name: str = "orders") -> list[tuple[Any, ...]]:
        """The rows that an entry names, as they landed."""
        keys = [found["key"] for found in (entry or {"objects": []})["objects"] if found["table"] == name]
        if not keys:
            return []
        frame = self.lake.spark.read.parquet(*[f"s3://{BUCKETS['raw']}/{key}" for key in keys])
        assert frame.count() == entry["tables"][name]["taken"]
        return sorted((tuple(row) for row in frame.collect()), key=str)

    def everything(self, name: str = "orders") -> list[tuple[Any, ...]]:
        """The rows of all entries together."""
        paths = sorted(self.lake.path("raw").glob("_ledger/ingest/crm/*.json"))
        return sorted((row for path in paths for row in self.taken(json.loads(path.read_text()), name)), key=str)
