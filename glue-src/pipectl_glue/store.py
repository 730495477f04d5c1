"""S3 through its API: what Spark does not do, such as listing with etags and writing one small object at once."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
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
                    yield Object(found["Key"], found["ETag"].strip('"'), found["Size"])
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


def split_uri(uri: str) -> tuple[str, str]:
    """Splits `s3://bucket/key`."""
    parts = urlparse(uri)
    if parts.scheme != "s3" or not parts.netloc or not parts.path.strip("/"):
        raise Failure(f"`{uri}` is not an S3 address; it should look like s3://bucket/config/pipeline-<sha256>.json")
    return parts.netloc, parts.path.lstrip("/")
