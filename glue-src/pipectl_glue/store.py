"""S3 through its API: what Spark does not do, such as listing with etags and writing one small object at once."""

import contextlib
import re
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from html import unescape
from itertools import pairwise
from typing import IO, Any, NamedTuple
from urllib.parse import unquote_plus, urlparse

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pipectl_glue.failure import Failure

_READERS = 16
# botocore's own parser takes most of the time of a long listing.
_LISTED = "Listed"
_FIELDS = [re.compile(f"<{name}>([^<]*)</{name}>") for name in ("Key", "ETag", "Size", "LastModified")]


class Object(NamedTuple):
    """One object as a listing shows it."""

    key: str
    etag: str
    size: int
    # Seconds since 1970.
    modified: float = 0.0


class Store:
    """A client for the pipeline's buckets whose failures name the object."""

    def __init__(self, client: Any = None) -> None:
        config = Config(retries={"mode": "standard", "max_attempts": 5}, max_pool_connections=_READERS)
        self._client = client or boto3.session.Session().client("s3", config=config)
        # First: botocore looks for errors in the body by parsing it as well.
        self._client.meta.events.register_first(
            "before-parse.*.ListObjectsV2", _take_listing, unique_id="pipectl-listing"
        )

    def objects(self, bucket: str, prefix: str, splits: Sequence[str] = ()) -> Iterator[Object]:
        """Yields all objects under a prefix, in key order.

        The parts between the keys of `splits`, which are sorted, are listed at the same time.
        """
        if not splits:
            for page in self._pages(bucket, prefix):
                yield from page
            return
        bounds = [None, *splits, None]
        with ThreadPoolExecutor(_READERS) as readers:
            running: deque[Future[list[Object]]] = deque()
            for after, last in pairwise(bounds):
                running.append(readers.submit(self._part, bucket, prefix, after, last))
                # No more parts wait in memory than are listed at once.
                if len(running) >= _READERS:
                    yield from running.popleft().result()
            while running:
                yield from running.popleft().result()

    def _part(self, bucket: str, prefix: str, after: str | None, last: str | None) -> list[Object]:
        """The objects behind the key `after`, up to the key `last`."""
        found: list[Object] = []
        for page in self._pages(bucket, prefix, after):
            if last is not None and page and page[-1].key >= last:
                found += [entry for entry in page if entry.key <= last]
                break
            found += page
        return found

    def _pages(self, bucket: str, prefix: str, after: str | None = None) -> Iterator[list[Object]]:
        start = {"StartAfter": after} if after else {}
        try:
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **start):
                # A client that does not announce its answers has parsed it itself.
                yield page[_LISTED] if _LISTED in page else [_object(found) for found in page.get("Contents", [])]
        except (ClientError, BotoCoreError) as error:
            raise Failure(f"cannot list s3://{bucket}/{prefix}: {error}") from error

    def get(self, bucket: str, key: str, most: int | None = None) -> bytes:
        """Reads an object, or its first `most` bytes."""
        part = {} if most is None else {"Range": f"bytes=0-{most - 1}"}
        try:
            return self._client.get_object(Bucket=bucket, Key=key, **part)["Body"].read()
        except (ClientError, BotoCoreError) as error:
            raise Failure(f"cannot read s3://{bucket}/{key}: {error}") from error

    def get_all(self, bucket: str, keys: Iterable[str], most: int | None = None) -> list[bytes]:
        """Reads many small objects at a time, and gives them in the order asked."""
        with ThreadPoolExecutor(_READERS) as readers:
            return list(readers.map(lambda key: self.get(bucket, key, most), keys))

    @contextlib.contextmanager
    def file(self, bucket: str, key: str) -> Iterator[IO[bytes]]:
        """An object as a file on this machine, however large it is."""
        with tempfile.TemporaryFile() as file:
            try:
                for chunk in self._client.get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(1 << 20):
                    file.write(chunk)
            except (ClientError, BotoCoreError) as error:
                raise Failure(f"cannot read s3://{bucket}/{key}: {error}") from error
            file.seek(0)
            yield file

    def find(self, bucket: str, key: str) -> Object | None:
        """An object as it is now; None when it is not there."""
        try:
            found = self._client.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404:
                return None
            raise Failure(f"cannot find s3://{bucket}/{key}: {error}") from error
        except BotoCoreError as error:
            raise Failure(f"cannot find s3://{bucket}/{key}: {error}") from error
        return Object(key, found["ETag"].strip('"'), found["ContentLength"], found["LastModified"].timestamp())

    def find_all(self, bucket: str, keys: Iterable[str]) -> list[Object]:
        """Those of some objects that are there now."""

        def find(key: str) -> Object | None:
            # A listing shows that an object is gone; HEAD would need the right to list the whole bucket for that.
            return next((found for found in self.objects(bucket, key) if found.key == key), None)

        with ThreadPoolExecutor(_READERS) as readers:
            return [found for found in readers.map(find, keys) if found]

    def put(self, bucket: str, key: str, body: bytes | IO[bytes]) -> None:
        """Writes an object whole or not at all."""
        try:
            self._client.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")
        except (ClientError, BotoCoreError) as error:
            raise Failure(f"cannot write s3://{bucket}/{key}: {error}; nothing is committed, run it again") from error

    def delete(self, bucket: str, prefix: str) -> None:
        """Deletes every object under a prefix."""
        keys = [found.key for found in self.objects(bucket, prefix)]
        try:
            for key in keys:
                self._client.delete_object(Bucket=bucket, Key=key)
        except (ClientError, BotoCoreError) as error:
            raise Failure(f"cannot delete under s3://{bucket}/{prefix}: {error}") from error

    def remove(self, bucket: str, entry: Object) -> bool:
        """Deletes an object if it is still what it was; whether it did."""
        condition = {"IfMatch": f'"{entry.etag}"'} if self._deletes_on_condition else {}
        if not condition and self.find(bucket, entry.key) != entry:
            return False
        try:
            self._client.delete_object(Bucket=bucket, Key=entry.key, **condition)
        except (ClientError, BotoCoreError) as error:
            if getattr(error, "response", {}).get("ResponseMetadata", {}).get("HTTPStatusCode") in (404, 412):
                return False
            raise Failure(f"cannot delete s3://{bucket}/{entry.key}: {error}") from error
        return True

    @property
    def _deletes_on_condition(self) -> bool:
        """Whether this version of the client knows the condition; Glue's may be older."""
        return "IfMatch" in self._client.meta.service_model.operation_model("DeleteObject").input_shape.members


def _object(found: dict[str, Any]) -> Object:
    return Object(found["Key"], found["ETag"].strip('"'), found["Size"], found["LastModified"].timestamp())


def _take_listing(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    """Parses the objects of a page of a listing, and leaves the rest of the page to botocore."""
    if response_dict["status_code"] != 200:
        return
    body = response_dict["body"].decode()
    before, begin, objects = body.partition("<Contents>")
    objects, _, behind = objects.rpartition("</Contents>")
    keys, etags, sizes, times = (pattern.findall(objects) for pattern in _FIELDS)
    if not begin or not len(keys) == len(etags) == len(sizes) == len(times):
        return
    is_encoded = "<EncodingType>url</EncodingType>" in before or "<EncodingType>url</EncodingType>" in behind
    customized_response_dict[_LISTED] = [
        Object(_plain(key, is_encoded), etag.replace("&quot;", "").strip('"'), int(size), _seconds(time))
        for key, etag, size, time in zip(keys, etags, sizes, times, strict=True)
    ]
    response_dict["body"] = (before + behind).encode()


def _plain(key: str, is_encoded: bool) -> str:
    text = unescape(key) if "&" in key else key
    return unquote_plus(text) if is_encoded and ("%" in text or "+" in text) else text


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp()


def split_uri(uri: str) -> tuple[str, str]:
    """Splits `s3://bucket/key`."""
    parts = urlparse(uri)
    if parts.scheme != "s3" or not parts.netloc or not parts.path.strip("/"):
        raise Failure(f"`{uri}` is not an S3 address; it should look like s3://bucket/config/pipeline-<sha256>.json")
    return parts.netloc, parts.path.lstrip("/")
