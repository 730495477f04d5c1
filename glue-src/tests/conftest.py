"""One Spark for all tests, and a fresh set of buckets for each."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import databases
import pytest
from databases import Server
from fake_s3 import FakeS3
from pyspark.sql import DataFrame, SparkSession

import local_spark
from pipectl_glue import clean_stage, transform_stage
from pipectl_glue.session import prepare
from pipectl_glue.store import Store

BUCKETS = {
    "raw": "raw-bucket",
    "cleaned": "cleaned-bucket",
    "transformed": "transformed-bucket",
    "raw_archive": "raw-archive-bucket",
}
# Where the set-up and the rehearsal keep Spark's class archive as well: it is built once.
CACHE = Path(os.environ.get("PIPECTL_GLUE_CACHE") or Path(__file__).parents[2] / ".pipectl" / "spark")
DOCUMENT = f"s3://{BUCKETS['raw']}/config/pipeline.json"


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("buckets")
    for bucket in BUCKETS.values():
        (folder / bucket).mkdir()
    return folder


@pytest.fixture(scope="session")
def spark(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    options = [f"-XX:SharedArchiveFile={local_spark.build_archive(CACHE)}"]
    mounts = {bucket: str(root / bucket) for bucket in BUCKETS.values()}
    session = local_spark.start(mounts, tmp_path_factory.mktemp("work"), options)
    yield prepare(session)
    local_spark.stop(session)


@pytest.fixture(scope="session")
def s3(root: Path) -> Iterator[FakeS3]:
    server = FakeS3(root)
    yield server
    server.close()


class Lake:
    """The buckets of one test, and the two jobs on them."""

    def __init__(self, spark: SparkSession, s3: FakeS3) -> None:
        self.spark = spark
        self.s3 = s3
        self.said: list[str] = []
        # What the next document says beside its tables.
        self.document_options: dict[str, Any] = {}
        client = boto3.session.Session().client(
            "s3", endpoint_url=s3.url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
        )
        self.store = Store(client)

    def path(self, bucket: str) -> Path:
        return self.s3.root / BUCKETS[bucket]

    def document(self, **tables: dict[str, Any]) -> None:
        document = {
            "version": 1,
            "pipeline": "shop",
            "environment": "local",
            "prefix": "shop-local",
            "buckets": BUCKETS,
            "sources": {},
            "tables": tables,
            "warehouse": {},
            **self.document_options,
        }
        self.store.put(BUCKETS["raw"], "config/pipeline.json", json.dumps(document).encode())

    def drop(self, key: str, content: str | bytes) -> None:
        body = content.encode() if isinstance(content, str) else content
        self.store.put(BUCKETS["raw"], f"landing/{key}", body)

    def archive(self) -> None:
        """Copies what landed, as the bucket's replication does."""
        shutil.copytree(self.path("raw") / "landing", self.path("raw_archive") / "landing", dirs_exist_ok=True)

    def clean(self) -> dict[str, Any] | None:
        self.said.clear()
        batch = clean_stage.run(self.spark, DOCUMENT, "jr_test", self.store, self.said.append)
        return self.entry("cleaned", "clean", batch)

    def transform(self) -> dict[str, Any] | None:
        self.said.clear()
        batch = transform_stage.run(self.spark, DOCUMENT, "jr_test", self.store, self.said.append)
        return self.entry("transformed", "transform", batch)

    def entry(self, bucket: str, stage: str, batch: str | None) -> dict[str, Any] | None:
        return json.loads((self.path(bucket) / f"_ledger/{stage}/{batch}.json").read_text()) if batch else None

    def entries(self, bucket: str) -> list[dict[str, Any]]:
        """The entries of the jobs, in batch order."""
        stage = {"cleaned": "clean", "transformed": "transform"}[bucket]
        return [json.loads(path.read_text()) for path in sorted(self.path(bucket).glob(f"_ledger/{stage}/*.json"))]

    def frame(self, counts: dict[str, Any]) -> DataFrame:
        return self.spark.read.parquet(counts["path"])

    def rows(self, entry: dict[str, Any], table: str) -> list[tuple[Any, ...]]:
        """A table's rows, sorted; the fields are in the order of the columns."""
        counts = entry["tables"][table]
        found = [tuple(row) for row in self.frame(counts).collect()] if counts["rows_out"] else []
        assert len(found) == counts["rows_out"]
        others = counts["quarantined"] + counts["duplicates"] + counts["unchanged"]
        assert counts["rows_in"] == counts["rows_out"] + others
        return sorted(found, key=str)

    def quarantine(self, bucket: str, entry: dict[str, Any], table: str) -> list[dict[str, str]]:
        files = self.path(bucket).glob(f"quarantine/{table}/batch={entry['batch']}/*.json")
        found = [json.loads(line) for file in files for line in file.read_text().splitlines()]
        assert len(found) == entry["tables"][table]["quarantined"]
        return sorted(found, key=lambda row: row["row"])


@pytest.fixture
def lake(spark: SparkSession, s3: FakeS3) -> Lake:
    for bucket in BUCKETS.values():
        shutil.rmtree(s3.root / bucket)
        (s3.root / bucket).mkdir()
    s3.fails = lambda method, key: False
    return Lake(spark, s3)


@pytest.fixture(scope="session", params=["mysql", "postgresql"])
def server(
    request: pytest.FixtureRequest, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    server = databases.start(request.param, tmp_path_factory.mktemp(request.param), spark)
    yield server
    server.close()


@pytest.fixture
def shop(server: Server, lake: Lake) -> Any:
    # Imported late: it needs what stands above.
    from shop import Shop

    return Shop(server, lake)
