"""An account in a process of its own, and a proxy before it whose every answer takes a while, as that of AWS does."""

import asyncio
import contextlib
import re
import subprocess
import threading
import urllib.parse
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_CHANGES = ("Create", "Execute", "Delete", "Update", "Put", "Set")


@dataclass
class Calls:
    """What was asked for: operation and stack, in the order of asking."""

    made: list[tuple[str, str]] = field(default_factory=list)

    def take(self) -> list[tuple[str, str]]:
        made, self.made = self.made, []
        return made


def writes(calls: list[tuple[str, str]]) -> int:
    """How many of the calls change something."""
    return sum(operation.startswith(_CHANGES) for operation, _ in calls)


def by_stack(calls: list[tuple[str, str]]) -> Counter[str]:
    """How many calls were about each stack."""
    return Counter(stack for _, stack in calls if stack)


@contextlib.contextmanager
def account(program: Path, folder: Path, number: str, region: str) -> Iterator[tuple[str, str]]:
    """Runs an account with its state in a folder; yields its address, `127.0.0.1:PORT`, and an access key."""
    process = subprocess.Popen(
        [program, folder, number, region, "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        url, access_key = process.stdout.readline().split()
        yield url.removeprefix("http://"), access_key
    finally:
        process.stdin.close()
        process.wait(timeout=30)
        process.stdout.close()


@contextlib.contextmanager
def distance(address: str, seconds: float) -> Iterator[tuple[str, Calls]]:
    """Puts an account so far away that every answer takes this much longer; yields the URL and the log of the calls."""
    calls = Calls()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    proxy = _Proxy(address, seconds, calls)
    server = asyncio.run_coroutine_threadsafe(asyncio.start_server(proxy.serve, "127.0.0.1", 0), loop).result()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", calls
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


class _Proxy:
    def __init__(self, address: str, seconds: float, calls: Calls) -> None:
        self._host, _, port = address.partition(":")
        self._port = int(port)
        self._seconds = seconds
        self._calls = calls
        self._owners: dict[str, str] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # One connection to the account for each of the client's, kept as long.
        there, back = await asyncio.open_connection(self._host, self._port)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if b"\r\nexpect:" in head.lower():
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                    head = re.sub(rb"(?i)\r\nexpect:[^\r]*", b"", head)
                body = await reader.readexactly(_length(head))
                operation, stack = self._describe(head, body)
                self._calls.made.append((operation, stack))
                back.write(head + body)
                answer = await there.readuntil(b"\r\n\r\n")
                empty = head.startswith(b"HEAD ") or b" 204 " in answer[:16]
                content = b"" if empty else await there.readexactly(_length(answer))
                self._learn(operation, stack, content)
                await asyncio.sleep(self._seconds)
                writer.write(answer + content)
                await writer.drain()
        for one in (writer, back):
            one.close()

    def _describe(self, head: bytes, body: bytes) -> tuple[str, str]:
        if b"/s3/aws4_request" in head:
            method = head.split(b" ", 1)[0].decode().title()
            return f"{method}Object", ""
        fields = dict(urllib.parse.parse_qsl(body.decode(errors="replace")))
        change_set = fields.get("ChangeSetName", "")
        name = self._owners.get(change_set) or fields.get("StackName", "")
        return fields.get("Action", "?"), name.split(":stack/")[-1].split("/")[0]

    def _learn(self, operation: str, stack: str, content: bytes) -> None:
        if operation == "CreateChangeSet" and (found := re.search(rb"<Id>([^<]+)</Id>", content)):
            self._owners[found[1].decode()] = stack


def _length(head: bytes) -> int:
    found = re.search(rb"(?i)\r\ncontent-length: *([0-9]+)", head)
    return int(found[1]) if found else 0
