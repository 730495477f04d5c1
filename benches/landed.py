#!/usr/bin/env python3
"""Measures what `clean` needs to find nothing new among many landed objects: memory and processor time of the driver.

    benches/landed.py [OBJECTS [ENTRIES]]     default: 5,000,000 objects by 5,000 entries

The objects and the entries of the ledger are synthetic: a server on loopback makes the answers of S3 as they are asked
for, and keeps what is written. Three runs follow each other: without an index, with it, and with ten new objects.
"""

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "glue-src")]

_PAGE = 1000
_TABLES = 3


def key(number: int) -> str:
    """The key of an object; numbers are in the order of keys."""
    return f"landing/orders/{number:012}-20261101T080000Z.jsonl"


def listed(name: str, etag: str, size: int) -> str:
    return (
        f"<Contents><Key>{name}</Key><LastModified>2026-11-01T08:00:00.000Z</LastModified><ETag>&quot;{etag}&quot;"
        f"</ETag><Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )


def serve(folder: str, objects: int, entries: int, fresh: "multiprocessing.sharedctypes.Synchronized", port) -> None:
    """S3 with objects and entries that are made as they are asked for."""
    root, each = Path(folder), objects // entries

    def landed(after: str) -> tuple[list[str], str]:
        first = int(after.partition("orders/")[2][:12]) + 1 if "orders/" in after else 0
        last = min(objects + fresh.value, first + _PAGE)
        return [listed(key(n), f"{n:032x}", 4096) for n in range(first, last)], key(last - 1) if (
            last < objects + fresh.value
        ) else ""

    def entry(number: int) -> bytes:
        counts = {
            "rows_out": 1,
            "path": f"s3://c/orders/batch={number}/",
            "columns": {f"c{n}": "string" for n in range(20)},
        }
        # The objects of an entry are not neighbors.
        inputs = [
            {"key": key(n), "etag": f"{n:032x}", "size": 4096, "table": "orders"}
            for n in range(number, objects, entries)
        ]
        return json.dumps(
            {"batch": f"b{number:06}", "inputs": inputs, "tables": {f"t{n}": counts for n in range(_TABLES)}}
        ).encode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _reply(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:  # noqa: N802 (http.server's name)
            url = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            name = unquote(url.path).lstrip("/").partition("/")[2]
            if name.startswith("_ledger/clean/"):
                return self._reply(entry(int(name[15:21])))
            if name:
                return self._reply((root / name.replace("/", "|")).read_bytes())
            prefix = query["prefix"]
            after = query.get("continuation-token", query.get("start-after", ""))
            more = ""
            if prefix == "landing/":
                found, more = landed(after)
            elif prefix == "_ledger/clean/":
                names = [f"_ledger/clean/b{n:06}.json" for n in range(entries)]
                page = [n for n in names if n > after][:_PAGE]
                found = [listed(n, "e", 100) for n in page]
                more = page[-1] if page and page[-1] != names[-1] else ""
            else:
                files = sorted(root.iterdir())
                found = [listed(f.name.replace("|", "/"), "e", f.stat().st_size) for f in files]
                found = [text for text in found if f"<Key>{prefix}" in text]
            token = f"<NextContinuationToken>{more}</NextContinuationToken>" if more else ""
            truncated = f"<IsTruncated>{str(bool(more)).lower()}</IsTruncated>"
            self._reply(f"<ListBucketResult>{truncated}{token}{''.join(found)}</ListBucketResult>".encode())

        def do_PUT(self) -> None:  # noqa: N802
            name = unquote(urlsplit(self.path).path).lstrip("/").partition("/")[2]
            (root / name.replace("/", "|")).write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            self._reply(b"")

        def do_DELETE(self) -> None:  # noqa: N802
            name = unquote(urlsplit(self.path).path).lstrip("/").partition("/")[2]
            (root / name.replace("/", "|")).unlink(missing_ok=True)
            self._reply(b"")

        def log_message(self, *_: object) -> None:
            pass

    assert each
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port.value = server.server_port
    server.serve_forever()


def run(port: int, title: str) -> None:
    """One run of what `clean` does before it reads any row, in a process of its own."""
    import boto3

    from pipectl_glue import arrivals, taken
    from pipectl_glue.document import parse_document
    from pipectl_glue.store import Store

    session = boto3.session.Session(aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1")
    store = Store(session.client("s3", endpoint_url=f"http://127.0.0.1:{port}"))
    table = {"format": "jsonl", "columns": [{"name": "id", "type": "bigint"}], "load": "upsert", "key": ["id"]}
    buckets = {"raw": "raw", "cleaned": "cleaned", "transformed": "transformed"}
    text = {"version": 1, "pipeline": "p", "environment": "e", "buckets": buckets, "tables": {"orders": table}}
    document = parse_document(json.dumps(text))
    began, work = time.monotonic(), time.process_time()
    known = taken.read(store, "cleaned")
    read, read_work = time.monotonic(), time.process_time()
    found = arrivals.find(store.objects("raw", "landing/", known.splits()), known, document, lambda inputs: inputs)
    ended = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{title}: {len(known.entries):,} entries, {len(found.inputs)} new objects; ledger {read_work - work:.0f} s, "
        f"listing {ended - read_work:.0f} s of the processor ({read - began:.0f} s and {time.monotonic() - read:.0f} s "
        f"by the clock); {peak:.0f} MB",
        flush=True,
    )


def main() -> int:
    options = argparse.ArgumentParser(description="Measures `clean` over many landed objects.")
    options.add_argument("objects", type=int, nargs="?", default=5_000_000)
    options.add_argument("entries", type=int, nargs="?", default=5_000)
    given = options.parse_args()
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="pipectl-landed-") as folder:
        port, fresh = spawn.Value("i", 0), spawn.Value("i", 0)
        server = spawn.Process(target=serve, args=(folder, given.objects, given.entries, fresh, port), daemon=True)
        server.start()
        while not port.value:
            time.sleep(0.05)
        for title, new in (("without an index", 0), ("with an index", 0), ("with new objects", 10)):
            fresh.value = new
            process = spawn.Process(target=run, args=(port.value, title))
            process.start()
            process.join()
            if process.exitcode:
                return 1
        server.terminate()
    return 0


if __name__ == "__main__":
    sys.exit(main())
