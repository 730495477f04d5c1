"""S3 through its API: what Spark does not do, such as listing with etags and writing one small object at once."""

import contextlib
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import urlparse

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pipectl_glue.failure import Failure

_READERS = 16


@dataclass(frozen=True)
class Object:
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

    def objects(self, bucket: str, prefix: str) -> Iterator[Object]:
        """Yields all objects under a prefix, in key order."""
        try:
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                for found in page.get("Contents", []):
                    yield Object(
                        found["Key"], found["ETag"].strip('"'), found["Size"], found["LastModified"].timestamp()
                    )
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

    def put(self, bucket: str, key: str, body: bytes) -> None:
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


def split_uri(uri: str) -> tuple[str, str]:
    """Splits `s3://bucket/key`."""
    parts = urlparse(uri)
    if parts.scheme != "s3" or not parts.netloc or not parts.path.strip("/"):
        raise Failure(f"`{uri}` is not an S3 address; it should look like s3://bucket/config/pipeline-<sha256>.json")
    return parts.netloc, parts.path.lstrip("/")
