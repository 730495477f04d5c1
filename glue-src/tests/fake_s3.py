"""A small S3 on the wire over a folder: list, get, head, put and delete, and failures on order.

Spark has the same folder mounted, so that what one side writes the other sees.
"""

import hashlib
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

_PAGE = 7  # Small, so that the tests page.


class FakeS3:
    """Serves `root/<bucket>/<key>` on loopback."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.fails: Callable[[str, str], bool] = lambda method, key: False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(s3: FakeS3) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def handle_expect_100(self) -> bool:
            # The client waits a second for this before it sends a body.
            going_on = super().handle_expect_100()
            self.wfile.flush()
            return going_on

        def _serve(self) -> None:
            url = urlsplit(self.path)
            bucket, _, key = unquote(url.path).lstrip("/").partition("/")
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = s3.root / bucket / key
            if s3.fails(self.command, key):
                return self._reply(403, b"<Error><Code>AccessDenied</Code><Message>told to fail</Message></Error>")
            if not key and self.command == "GET":
                return self._reply(200, _listing(s3.root / bucket, parse_qs(url.query)))
            if self.command == "PUT":
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(body)
                return self._reply(200, b"", _etag(body))
            if self.command == "DELETE":
                wanted = self.headers.get("If-Match")
                if wanted and (not path.is_file() or _etag(path.read_bytes()) != wanted):
                    return self._reply(412, b"<Error><Code>PreconditionFailed</Code><Message>changed</Message></Error>")
                path.unlink(missing_ok=True)
                return self._reply(204, b"")
            if not path.is_file():
                return self._reply(404, b"<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>")
            content = path.read_bytes()
            wanted = self.headers.get("Range")
            if wanted and not content:
                return self._reply(416, b"<Error><Code>InvalidRange</Code><Message>no bytes</Message></Error>")
            part = content[: int(wanted.rpartition("-")[2]) + 1] if wanted else content
            return self._reply(206 if wanted else 200, part, _etag(content))

        def _reply(self, status: int, body: bytes, etag: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if etag:
                self.send_header("ETag", etag)
                self.send_header("Last-Modified", formatdate(usegmt=True))
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else body)

        do_GET = do_PUT = do_HEAD = do_DELETE = _serve  # noqa: N815 (http.server's names)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _modified(path: Path) -> str:
    return f"{datetime.fromtimestamp(path.stat().st_mtime, UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def _etag(content: bytes) -> str:
    return f'"{hashlib.md5(content).hexdigest()}"'


def _listing(bucket: Path, query: dict[str, list[str]]) -> bytes:
    prefix = query.get("prefix", [""])[0]
    after = query.get("continuation-token", query.get("start-after", [""]))[0]
    keys = sorted(str(path.relative_to(bucket)) for path in bucket.rglob("*") if path.is_file())
    keys = [key for key in keys if key.startswith(prefix) and key > after]
    page = keys[:_PAGE]
    contents = "".join(
        f"<Contents><Key>{escape(key)}</Key><ETag>{escape(_etag(content))}</ETag><Size>{len(content)}</Size>"
        f"<LastModified>{_modified(bucket / key)}</LastModified></Contents>"
        for key in page
        for content in [(bucket / key).read_bytes()]
    )
    more = len(keys) > len(page)
    token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
    return (
        f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{token}{contents}</ListBucketResult>".encode()
    )
