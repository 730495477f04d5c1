"""Runs each kind of work that the jobs do once, so that the JVM can write an archive of the classes it took."""

import json
import sys
import tempfile
from pathlib import Path

import local_spark

sys.path.insert(0, str(Path(__file__).parents[1]))

from pipectl_glue import clean_stage, transform_stage
from pipectl_glue.store import Object

_COLUMNS = [
    ("id", "bigint"),
    ("total", "decimal(12,2)"),
    ("share", "double"),
    ("open", "boolean"),
    ("name", "varchar(20)"),
    ("day", "date"),
    ("at", "timestamp"),
    ("extra", "super"),
]
_ROW = [1, "2.50", 0.5, True, "a name", "2026-01-31", "2026-01-31T10:00:00Z", {"a": [1]}]


class Folder:
    """The part of `Store` that the stages use, on a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def objects(self, bucket: str, prefix: str) -> list[Object]:
        files = sorted(path for path in (self._root / bucket).rglob("*") if path.is_file())
        found = [(str(path.relative_to(self._root / bucket)), path.stat().st_size) for path in files]
        return [Object(key, "etag", size) for key, size in found if key.startswith(prefix)]

    def get(self, bucket: str, key: str, most: int | None = None) -> bytes:
        return (self._root / bucket / key).read_bytes()[:most]

    def get_all(self, bucket: str, keys: list[str], most: int | None = None) -> list[bytes]:
        return [self.get(bucket, key, most) for key in keys]

    def put(self, bucket: str, key: str, body: bytes) -> None:
        path = self._root / bucket / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    def find(self, bucket: str, key: str) -> Object | None:
        return next(iter(self.objects(bucket, key)), None)

    def delete(self, bucket: str, prefix: str) -> None:
        for found in self.objects(bucket, prefix):
            (self._root / bucket / found.key).unlink()


def _document() -> bytes:
    columns = [{"name": name, "type": kind, "from": name, "required": name == "id"} for name, kind in _COLUMNS]
    table = {
        "columns": columns,
        "key": ["id"],
        "order_by": "at",
        "load": "upsert",
        "checks": {"not_null": ["name"], "unique": [["name"]], "accepted_values": {"name": ["a name"]}},
        "quarantine_limit": 1.0,
    }
    return json.dumps(
        {
            "version": 1,
            "pipeline": "train",
            "environment": "local",
            "buckets": {"raw": "raw", "cleaned": "cleaned", "transformed": "transformed"},
            "tables": {
                "lines": {**table, "format": "jsonl", "csv": None},
                "sheets": {**table, "format": "csv", "csv": {}},
            },
        }
    ).encode()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        store = Folder(root)
        store.put("raw", "document.json", _document())
        row = dict(zip([name for name, _ in _COLUMNS], _ROW, strict=True))
        store.put("raw", "landing/lines/a.jsonl", f"{json.dumps(row)}\n{{broken\n{json.dumps(row)}\n".encode())
        header = ",".join(name for name, _ in _COLUMNS[:-1])
        cells = ",".join(map(str, _ROW[:-1]))
        store.put("raw", "landing/sheets/a.csv", f"{header}\n{cells}\n1,2\n{cells}\n".encode())
        work = root / "work"
        work.mkdir()
        buckets = {name: str(root / name) for name in ("raw", "cleaned", "transformed")}
        session = local_spark.start(buckets, work, [f"-XX:ArchiveClassesAtExit={sys.argv[1]}"])
        for stage in (clean_stage, transform_stage):
            stage.run(session, "s3://raw/document.json", "train", store)  # type: ignore[arg-type]
        local_spark.stop(session)


if __name__ == "__main__":
    main()
