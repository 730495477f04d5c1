"""No input makes a run wait for ever, stops another table, or leaves an entry that the loader cannot read."""

import threading

import pytest
from conftest import BUCKETS, Lake
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from tables import table

from pipectl_glue import arrivals, readers, spark_errors
from pipectl_glue.document import parse_document
from pipectl_glue.failure import Failure
from pipectl_glue.observed import Observed
from pipectl_glue.store import Object
from pipectl_glue.taken import Taken

CSV = {"delimiter": ",", "encoding": "utf-8", "header": True, "null": [""]}
ITEMS = "id integer!, name varchar(20)"
SECONDS = 120


def within(seconds: int, work):
    """What `work` returns; fails instead of waiting for ever."""
    result = []
    thread = threading.Thread(target=lambda: result.append(work()), daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), f"no end after {seconds} s"
    return result[0]


def test_files_whose_header_cannot_be_used(lake: Lake):
    items = table(ITEMS, csv=CSV, key=["id"], load="upsert")
    lake.document(
        lacks=items, twice=items, none=items, alike=table("id integer, user_name varchar(9)", csv=CSV), good=items
    )
    lake.drop("lacks/a.csv", "no,name\n1,a\n2,b\n")
    lake.drop("twice/a.csv", "id,name,id\n1,a,2\n")
    lake.drop("none/a.csv", "x,y\n1,a\n")
    lake.drop("alike/a.csv", "id,User Name,user-name\n1,a,b\n")
    lake.drop("good/a.csv", "id,name\n1,a\n")
    entry = within(SECONDS, lake.clean)
    counts = {name: (found["rows_in"], found["quarantined"]) for name, found in entry["tables"].items()}
    assert counts == {"lacks": (2, 2), "twice": (1, 1), "none": (1, 1), "alike": (1, 1), "good": (1, 0)}
    reasons = {name: lake.quarantine("cleaned", entry, name)[0]["reason"] for name in counts if name != "good"}
    assert reasons == {
        "lacks": "the header lacks the required column `id` (it has: no, name)",
        "twice": "the header names `id` twice (it has: id, name, id)",
        "none": "the header lacks the required column `id` (it has: x, y)",
        "alike": (
            "the header has two columns that could be `user_name`: `User Name` and `user-name`; rename one of them"
        ),
    }
    transformed = within(SECONDS, lake.transform)
    assert lake.rows(transformed, "good") == [(1, "a")]


def test_a_quarantine_limit_still_stops_only_its_table(lake: Lake):
    lake.document(
        lacks=table(ITEMS, csv=CSV, key=["id"], load="upsert", quarantine_limit=0.1), good=table(ITEMS, csv=CSV)
    )
    lake.drop("lacks/a.csv", "no,name\n1,a\n2,b\n")
    lake.drop("good/a.csv", "id,name\n1,a\n")
    with pytest.raises(Failure, match=r"table `lacks`: 2 of 2 rows .* the header lacks the required column `id`"):
        within_failure(lake.clean)
    (entry,) = lake.entries("cleaned")
    assert list(entry["tables"]) == ["good"]


def within_failure(work):
    def caught():
        try:
            return work()
        except Failure as failure:
            return failure

    found = within(SECONDS, caught)
    if isinstance(found, Failure):
        raise found
    return found


def test_what_has_nothing_to_load_has_a_path_and_no_rows(lake: Lake):
    """Each of these once wrote `"path": null`, which the loader does not read: the batch was never loaded."""
    snapshot = table(ITEMS, csv=CSV, key=["id"], load="upsert", snapshot=True, deletes=True)
    items, checked = table(ITEMS, csv=CSV), table(ITEMS, csv=CSV, checks={"not_null": ["name"]})
    lake.document(
        header=items, empty=items, bad=items, refused=items, checked=checked,
        same=snapshot, good=items,
    )  # fmt: skip
    lake.drop("same/a.csv", "id,name\n1,a\n2,b\n")
    lake.clean()
    lake.transform()
    lake.drop("header/a.csv", "id,name\n")
    lake.drop("empty/a.csv", "")
    lake.drop("bad/a.csv", "id,name\nx,y\n")
    lake.drop("refused/a.csv", b"PK\x03\x04 and so on")
    lake.drop("checked/a.csv", "id,name\n1,\n")
    lake.drop("same/b.csv", "id,name\n2,b\n1,a\n")
    lake.drop("good/a.csv", "id,name\n1,a\n")
    within(SECONDS, lake.clean)
    entry = within(SECONDS, lake.transform)
    tables = entry["tables"]
    assert sorted(tables) == ["bad", "checked", "empty", "good", "header", "refused", "same"]
    for name, counts in tables.items():
        assert counts["path"] == f"s3://transformed-bucket/{name}/batch={entry['batch']}/"
        assert counts["rows_out"] == (1 if name == "good" else 0), name
    assert lake.rows(entry, "good") == [(1, "a")]
    assert lake.clean() is None
    assert lake.transform() is None


def test_a_key_that_spark_cannot_open_is_refused(lake: Lake):
    lake.document(t=table("id bigint"))
    document = parse_document(lake.store.get(BUCKETS["raw"], "config/pipeline.json").decode())
    objects = [Object("landing/t//a.jsonl", "e1", 9), Object("landing/t/b.jsonl", "e2", 9)]
    found = arrivals.find(objects, Taken(lake.store, "none"), document, lambda inputs: inputs)
    assert [(entry.key, entry.is_read) for entry in found.inputs] == [(objects[0].key, False), (objects[1].key, True)]
    assert found.inputs[0].refused == "its key has an empty part (`//`); copy it to another key"


@pytest.mark.parametrize("where", ["pruned", "kept"])
def test_counts_come_even_when_spark_removes_what_is_observed(spark: SparkSession, where: str):
    condition = F.lit(where == "kept")
    counted = Observed(spark.range(3), F.count(F.lit(1)).alias("rows"), F.max("id").alias("most"))
    counted.frame.filter(condition).write.format("noop").mode("overwrite").save()
    assert within(SECONDS, counted.values) == {"rows": 3, "most": 2}


def failing(spark: SparkSession, expression: str) -> Exception:
    try:
        spark.range(1).selectExpr(expression).write.format("noop").mode("overwrite").save()
    except Py4JJavaError as error:
        return error
    raise AssertionError("it did not fail")


def test_an_exception_of_spark_is_a_message_for_people(spark: SparkSession):
    error = failing(spark, "assert_true(id = 1, 'Error while reading file s3://raw/landing/t/a b.csv')")
    told = str(spark_errors.failure(error, "t"))
    assert "Py4J" not in told
    assert told.startswith("table `t`, file s3://raw/landing/t/a")
    assert told.endswith("correct the file or remove it, and run it again")
    memory = failing(spark, "raise_error('java.lang.OutOfMemoryError: Java heap space')")
    assert str(spark_errors.failure(memory, "t")).endswith(
        "the workers ran out of memory; raise `worker_type` or `workers` under `jobs:` and run it again"
    )
    assert spark_errors.is_environment(memory)


def test_a_table_that_fails_in_spark_stops_only_itself(lake: Lake, monkeypatch: pytest.MonkeyPatch):
    lake.document(bad=table("id bigint"), good=table("id bigint"))
    lake.drop("bad/a.jsonl", '{"id": 1}\n')
    lake.drop("good/a.jsonl", '{"id": 1}\n')
    read = readers.read

    def read_with_failure(given: readers.Given) -> readers.Read:
        found = read(given)
        if given.table.name == "bad":
            found.frame = found.frame.withColumn("__fault", F.expr("raise_error('the disk is on fire')"))
        return found

    monkeypatch.setattr(readers, "read", read_with_failure)
    with pytest.raises(Failure) as failure:
        lake.clean()
    assert str(failure.value).startswith("table `bad`: ")
    assert "the disk is on fire" in str(failure.value)
    assert "Py4JJavaError" not in str(failure.value)
    (entry,) = lake.entries("cleaned")
    assert lake.rows(entry, "good") == [(1,)]


def test_an_object_that_spark_names_is_refused_and_the_others_are_read(lake: Lake, monkeypatch: pytest.MonkeyPatch):
    lake.document(t=table("id bigint"))
    lake.drop("t/a.jsonl", '{"id": 1}\n')
    lake.drop("t/b.jsonl", '{"id": 2}\n')
    read = readers.read
    path = "s3://raw-bucket/landing/t/a.jsonl"

    def read_with_failure(given: readers.Given) -> readers.Read:
        found = read(given)
        if any(given.path(entry) == path for entry in given.inputs):
            reason = f"raise_error('Encountered error while reading file {path}. Details: x')"
            found.frame = found.frame.withColumn("__fault", F.expr(reason))
        return found

    monkeypatch.setattr(readers, "read", read_with_failure)
    entry = lake.clean()
    assert lake.rows(entry, "t") == [(2,)]
    (refused,) = [found["refused"] for found in entry["inputs"] if found.get("refused")]
    assert refused.startswith("Spark cannot read it: ")
