#!/usr/bin/env python3
"""Measures the whole ingest Lambda: megabytes of bulk JSONL a second of one core, and the most memory that it takes.

    benches/shopify_ingest.py [--bootstrap FILE] [ROWS …]

FILE is the packaged binary (default: what `pipectl package` has built), ROWS how many rows a result has (default: 10,000, 200,000 and
2,000,000). One server on loopback is everything that the Lambda speaks to: the Lambda Runtime API, Secrets Manager, Shopify
and S3. It sends a generated result and throws away what is uploaded.

The Lambda is bound to the last core and the server to the others, and each is told with its own processor time: `MB/s of core` is what the
Lambda does in a second of its processor time, which neither the server nor a busy machine changes much.
"""

import argparse
import http.server
import json
import multiprocessing
import os
import re
import socketserver
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import projects

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = {
    "version": 1,
    "prefix": "bench",
    "buckets": {"raw": "raw", "transformed": "t"},
    "sources": {
        "shop": {
            "type": "shopify",
            "store": "bench.myshopify.com",
            "api_version": "2026-10",
            "secret": "s",
            "objects": [
                {
                    "name": "orders",
                    "connection": "orders",
                    "type": "Order",
                    "fields": "id updatedAt",
                    "children": [{"connection": "lineItems", "type": "LineItem", "fields": "id"}],
                    "lists": [{"field": "transactions", "type": "OrderTransaction", "fields": "id"}],
                    "cursor": "Order",
                    "tables": {"Order": "orders", "LineItem": "order_lines", "OrderTransaction": "transactions"},
                }
            ],
        }
    },
}


def write_result(path: str, rows: int) -> None:
    """An order, its line, and so on: 700 bytes a row, of which a transaction is inside of each order."""

    def money(cents: int) -> dict:
        return {"shopMoney": {"amount": f"{cents / 100:.2f}", "currencyCode": "USD"}}

    with open(path, "w", encoding="utf-8") as out:
        for number in range(rows // 2):
            order = f"gid://shopify/Order/{3838572000001 + number}"
            moments = dict.fromkeys(("createdAt", "processedAt", "updatedAt"), f"2026-0{1 + number % 9}-01T00:00:00Z")
            sets = ("totalPriceSet", "subtotalPriceSet", "totalTaxSet", "totalShippingPriceSet", "totalDiscountsSet")
            row = {"id": order, **moments, "name": f"#{number}", **{name: money(number % 99999) for name in sets}}
            row["transactions"] = [
                {"id": f"gid://shopify/OrderTransaction/{number}", "kind": "SALE", "amountSet": money(number % 99999)}
            ]
            line = {"id": f"gid://shopify/LineItem/{number}", "sku": f"SKU-{number % 900}", "title": "Crispy / Jaffle"}
            line |= {"originalUnitPriceSet": money(1250), "discountedTotalSet": money(1250), "__parentId": order}
            for fields in (row, line):
                out.write(json.dumps(fields, separators=(",", ":")).replace("/", "\\/") + "\n")


class Everything(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    result, rows, done, told = "", 0, None, None

    def log_message(self, *_: object) -> None:
        pass

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(6, 1, 1)

    def reply(self, body: bytes = b"", status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def drain(self) -> bytes:
        left, kept = int(self.headers.get("content-length") or 0), b""
        while left > 0:
            piece = self.rfile.read(min(left, 1 << 20))
            left -= len(piece)
            kept = kept + piece if len(kept) < 1 << 16 else kept
        return kept

    def do_GET(self) -> None:
        if self.path.endswith("/invocation/next"):
            if self.told.is_set():
                return time.sleep(60)
            self.told.set()
            deadline = str(int((time.time() + 900) * 1000))
            return self.reply(
                b"{}",
                lambda_runtime_aws_request_id="r",
                lambda_runtime_deadline_ms=deadline,
                lambda_runtime_invoked_function_arn="arn:aws:lambda:us-east-1:000000000000:function:bench",
            )
        if self.path == "/result":
            size = os.path.getsize(self.result)
            self.send_response(200)
            self.send_header("content-length", str(size))
            self.end_headers()
            with open(self.result, "rb") as file:
                self.connection.sendfile(file)
            return None
        if "document.json" in self.path:
            return self.reply(json.dumps(DOCUMENT).encode())
        return self.reply(b"<Error><Code>NoSuchKey</Code></Error>", 404)

    def do_PUT(self) -> None:
        self.drain()
        self.reply(etag='"e"')

    def do_DELETE(self) -> None:
        self.reply(status=204)

    def do_POST(self) -> None:
        body = self.drain()
        if self.path.endswith(("/response", "/error")):
            self.done.put(body.decode())
            return self.reply(status=202)
        if "uploads" in self.path:
            return self.reply(b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
        if "uploadId" in self.path:
            return self.reply(b"<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>")
        if self.headers.get("x-amz-target"):
            return self.reply(json.dumps({"SecretString": '{"access_token":"t"}'}).encode())
        return self.reply(json.dumps({"data": self.graphql(body.decode())}).encode())

    def graphql(self, text: str) -> dict:
        if "accessScopes" in text:
            return {"currentAppInstallation": {"accessScopes": []}}
        operation = {"id": "gid://shopify/BulkOperation/1", "status": "CREATED", "createdAt": "2026-10-01T00:00:00Z"}
        if "bulkOperationRunQuery" in text:
            return {"bulkOperationRunQuery": {"bulkOperation": operation, "userErrors": []}}
        size, host = os.path.getsize(self.result), self.headers["host"]
        operation |= {"status": "COMPLETED", "objectCount": str(self.rows), "fileSize": str(size)}
        return {"node": operation | {"url": f"http://{host}/result", "partialDataUrl": None, "errorCode": None}}


_CORES = sorted(os.sched_getaffinity(0))
_TICKS = os.sysconf("SC_CLK_TCK")


def _bind(cores: list[int]) -> None:
    """Keeps this process to some cores, where there is more than one."""
    if cores:
        os.sched_setaffinity(0, cores)


def _work(process: int | None) -> float:
    """Seconds of processor time that a process has used."""
    with open(f"/proc/{process}/stat", encoding="utf-8") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """The Lambda is killed at the end, in the middle of its request for more work."""


def serve(result: str, rows: int, port: multiprocessing.Queue, done: multiprocessing.Queue) -> None:
    Everything.result, Everything.rows, Everything.done = result, rows, done
    Everything.told = multiprocessing.Event()
    _bind(_CORES[:-1])
    server = Server(("127.0.0.1", 0), Everything)
    port.put(server.server_port)
    server.serve_forever()


def measure(bootstrap: str, rows: int) -> str:
    with tempfile.TemporaryDirectory() as folder:
        result = os.path.join(folder, "result.jsonl")
        write_result(result, rows)
        port, done = multiprocessing.Queue(), multiprocessing.Queue()
        server = multiprocessing.Process(target=serve, args=(result, rows, port, done), daemon=True)
        server.start()
        url = f"127.0.0.1:{port.get()}"
        names = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1", "SOURCE": "shop"}
        names |= {
            "AWS_ENDPOINT_URL": f"http://{url}",
            "SHOPIFY_ENDPOINT": f"http://{url}",
            "AWS_LAMBDA_RUNTIME_API": url,
        }
        names |= {f"AWS_LAMBDA_FUNCTION_{name}": "bench" for name in ("NAME", "VERSION")}
        names |= {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256", "PIPELINE_DOCUMENT": "s3://raw/document.json"}
        began = time.monotonic()
        lambda_ = subprocess.Popen(
            [bootstrap], env=names, stdout=subprocess.DEVNULL, preexec_fn=lambda: _bind(_CORES[-1:])
        )
        answer = done.get(timeout=900)
        took, work, server_work = time.monotonic() - began, _work(lambda_.pid), _work(server.pid)
        with open(f"/proc/{lambda_.pid}/status", encoding="utf-8") as status:
            memory = int(re.search(r"VmHWM:\s+(\d+)", status.read())[1]) / 1024
        lambda_.kill()
        lambda_.wait()
        server.terminate()
        size = os.path.getsize(result) / 1e6
        delivered = json.loads(answer).get("objects", {}).get("orders", {}).get("rows")
        if delivered != rows + rows // 2:
            raise SystemExit(f"{delivered} rows were delivered, not {rows + rows // 2}: {answer}")
        return (
            f"{rows:>9,} rows {size:>6.0f} MB  {took:>6.2f} s  Lambda {work:>5.2f} s of core, server {server_work:>5.2f} s"
            f"  {size / max(work, 1 / _TICKS):>4.0f} MB/s of core  {size / took:>4.0f} MB/s by the clock  {memory:>3.0f} MiB"
        )


def main() -> int:
    options = argparse.ArgumentParser(description="Measures the whole ingest Lambda.")
    options.add_argument("rows", type=int, nargs="*", default=[10_000, 200_000, 2_000_000])
    options.add_argument("--bootstrap", help="the packaged binary (default: what `pipectl package` has built)")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="pipectl-bench-") as folder:
        bootstrap = given.bootstrap or dict(projects.functions(ROOT, Path(folder)))["shopify"]
        for rows in given.rows:
            print(measure(str(bootstrap), rows), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
