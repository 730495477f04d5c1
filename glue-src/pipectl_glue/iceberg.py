"""Iceberg tables beside the warehouse's: the rows as they are now, for Athena, Redshift and every other engine.

A batch that `transform` has committed is applied to a table in one commit of Iceberg, batch after batch, by the rules
by which the load applies it to the warehouse. Then a mark in the bucket says how far the table is. A run that dies
between the two leaves a commit without its mark. A table that merges by its key takes the same batch again and is the
same afterwards; one that only appends finds the batch's name in the snapshot.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pipectl_glue import contract, output, rows
from pipectl_glue.deduplicate import ranked
from pipectl_glue.document import Document, Table
from pipectl_glue.failure import Failure
from pipectl_glue.session import prepare
from pipectl_glue.sql import identifier
from pipectl_glue.store import Store

# The folder of the transformed bucket, and the name by which Spark knows the catalog.
FOLDER = contract.ICEBERG.rstrip("/")
CATALOG = "lake"
_SETTING = f"spark.sql.catalog.{CATALOG}"
# What a snapshot of rows that were added says of itself.
_BATCH = "pipectl.batch"
# As many files as this, each far smaller than Iceberg wants them, become one.
_SMALL_FILES = 32
_DAY_MS = 24 * 60 * 60 * 1000
# The changes of a type that Iceberg makes without rewriting a file.
_WIDER = {("int", "bigint"), ("float", "double")}


@dataclass
class Written:
    """What came of a table."""

    batches: int = 0
    expired: int = 0
    rows: int = 0
    seconds: float = 0.0


def catch_up(
    spark: SparkSession,
    store: Store,
    document: Document,
    done: list[dict[str, Any]],
    tell: Callable[[str], None],
) -> dict[str, Exception]:
    """Applies the batches of `transform` that the Iceberg tables do not have yet; gives what stopped which table."""
    if document.iceberg is None:
        return {}
    batches = {name: _batches(name, done) for name in document.tables}
    marks = {name: _mark(store, document, name) for name, found in batches.items() if found}
    due = [name for name, mark in marks.items() if batches[name][-1]["batch"] > mark]
    if not due:
        return {}
    _catalog(prepare(spark), document)
    tables = {name: _Table(spark, store, document, document.tables[name]) for name in due}
    written, stopped = output.each_table(due, lambda name: tables[name].apply(batches[name], marks[name]))
    for name, one in written.items():
        gone = f", {one.expired} batches have expired" if one.expired else ""
        tell(f"iceberg {name}: {one.rows} rows after {one.batches} batches{gone}")
    return {f"{name} in Iceberg": _failure(name, error) for name, error in stopped.items()}


def _failure(name: str, error: Exception) -> Failure:
    cause = getattr(error, "java_exception", None)
    while cause is not None and cause.getCause() is not None:
        cause = cause.getCause()
    told = output.told(error) if cause is None else cause.toString().partition("\n")[0]
    return Failure(
        f"table `{name}`: the warehouse gets its rows, the Iceberg table does not have them; the next run makes up for "
        f"it: {told}"
    )


def _catalog(spark: SparkSession, document: Document) -> None:
    """Glue's catalog, and files through S3's API, unless Spark was started with other settings."""
    if spark.conf.get(_SETTING, None) is not None:
        return
    for name, value in {
        ".catalog-impl": "org.apache.iceberg.aws.glue.GlueCatalog",
        ".io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        ".warehouse": f"s3://{document.transformed}/{FOLDER}",
        "": "org.apache.iceberg.spark.SparkCatalog",
    }.items():
        spark.conf.set(f"{_SETTING}{name}", value)


def _batches(name: str, done: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [entry for entry in done if entry["tables"].get(name, {}).get("rows_out")]


def _mark(store: Store, document: Document, name: str) -> str:
    """The last batch that the table is known to have."""
    key = contract.iceberg_mark(name)
    if store.find(document.transformed, key) is None:
        return ""
    return json.loads(store.get(document.transformed, key))["batch"]


class _Table:
    """One Iceberg table on its way."""

    def __init__(self, spark: SparkSession, store: Store, document: Document, table: Table) -> None:
        self._spark = spark
        self._store = store
        self._document = document
        self._table = table
        self._days = document.iceberg.snapshot_days
        self._name = self._named(table.name)
        # Deletions that a row may still come after; the warehouse remembers them in the same way.
        remembers = table.deletes and table.key and table.order_by and table.load == "upsert"
        self._gone = self._named(f"{table.name}__deleted") if remembers else None
        self._columns = [T.StructField(column.name, _type(column.type.spark)) for column in table.columns]
        self._all = self._columns
        self._view = f"__iceberg_{table.name}"

    def apply(self, batches: list[dict[str, Any]], mark: str) -> Written:
        """Applies the batches after the mark in their order, and moves the mark."""
        written = Written()
        if self._make(self._name, self._columns):
            mark = ""
        if self._gone:
            wanted = [*self._table.key, self._table.order_by]
            self._make(self._gone, [field for field in self._columns if field.name in wanted])
        # What the pipeline has dropped stays in the table, and is empty in new rows.
        self._all = self._spark.table(self._name).schema.fields
        known = max([mark, *(snapshot["summary"].get(_BATCH, "") for snapshot in self._snapshots())])
        there = self._there()
        for group in self._groups([entry for entry in batches if entry["batch"] > known]):
            parts = [entry for entry in group if entry["batch"] in there]
            written.expired += len(group) - len(parts)
            if parts:
                self._commit(parts)
                written.batches += len(parts)
        self._marked(batches[-1]["batch"])
        snapshots = self._snapshots()
        if snapshots:
            written.rows = int(snapshots[-1]["summary"]["total-records"])
            self._maintain(snapshots)
        return written

    def _named(self, table: str) -> str:
        return ".".join(identifier(part) for part in (CATALOG, self._document.iceberg.database, table))

    def _snapshots(self) -> list[Any]:
        """The states of the table, the newest last: when each was committed (in ms since 1970), and its summary."""
        found = f"SELECT unix_millis(committed_at) AS at, summary FROM {self._name}.snapshots ORDER BY committed_at"
        return self._spark.sql(found).collect()

    def _there(self) -> set[str]:
        """The batches whose files have not expired."""
        start = contract.batches_prefix(self._table.name)
        found = self._store.objects(self._document.transformed, start)
        return {entry.key[len(start) :].partition("/")[0] for entry in found}

    def _make(self, name: str, columns: list[T.StructField]) -> bool:
        """Makes the table, or brings what is there to the columns that it should have; whether it is new."""
        age = str(self._days * _DAY_MS)
        if not self._spark.catalog.tableExists(name):
            declared = ", ".join(f"{identifier(field.name)} {field.dataType.simpleString()}" for field in columns)
            properties = {
                "format-version": "2",
                "history.expire.max-snapshot-age-ms": age,
                "write.metadata.delete-after-commit.enabled": "true",
                "write.metadata.previous-versions-max": "20",
            }
            # Where it lies says the database.
            self._spark.sql(f"CREATE TABLE {name} ({declared}) USING iceberg TBLPROPERTIES ({_pairs(properties)})")
            return True
        known = {field.name: field.dataType for field in self._spark.table(name).schema.fields}
        for field in columns:
            column, kind = identifier(field.name), field.dataType.simpleString()
            if field.name not in known:
                self._spark.sql(f"ALTER TABLE {name} ADD COLUMNS ({column} {kind})")
            elif known[field.name] != field.dataType:
                if not _widens(known[field.name], field.dataType):
                    raise Failure(
                        f"`{field.name}` is {known[field.name].simpleString()} in the Iceberg table and {kind} in the "
                        "pipeline, and Iceberg cannot change the one to the other; give the column a new name, or "
                        f"drop the table {self._document.iceberg.database}.{name.rpartition('.')[2].strip('`')}: it is "
                        "created again from all batches that have not expired"
                    )
                self._spark.sql(f"ALTER TABLE {name} ALTER COLUMN {column} TYPE {kind}")
        kept = self._spark.sql(f"SHOW TBLPROPERTIES {name}").collect()
        if ("history.expire.max-snapshot-age-ms", age) not in {(row["key"], row["value"]) for row in kept}:
            properties = _pairs({"history.expire.max-snapshot-age-ms": age})
            self._spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ({properties})")
        return False

    def _groups(self, batches: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
        """All at once where that comes to the same as one after the other."""
        table = self._table
        order = next((column for column in table.columns if column.name == table.order_by), None)
        alike = not table.deletes and (order is None or table.is_required(order))
        return [batches] if alike and batches else [[entry] for entry in batches]

    def _stage(self, entries: list[dict[str, Any]]) -> DataFrame:
        """The rows of batches, one a key, in the columns of the Iceberg table."""
        frames = []
        for entry in entries:
            frame = self._spark.read.parquet(entry["tables"][self._table.name]["path"])
            there = set(frame.columns)
            values = [
                (rows.named(field.name) if field.name in there else F.lit(None)).cast(field.dataType).alias(field.name)
                for field in self._all
            ]
            deleted = F.coalesce(F.col(rows.DELETED), F.lit(False)) if rows.DELETED in there else F.lit(False)
            frames.append(frame.select(*values, deleted.alias(rows.DELETED), F.lit(entry["batch"]).alias(rows.BATCH)))
        frame = rows.union(frames)
        if len(entries) > 1 and self._table.key:
            # Of an append table the first row of a key stays, else the latest.
            if self._table.load == "append":
                alike = Window.partitionBy(*[rows.named(name) for name in self._table.key])
                first = F.row_number().over(alike.orderBy(F.col(rows.BATCH).asc()))
                frame = frame.withColumn(rows.RANK, first)
            else:
                frame = ranked(frame, self._table, (rows.BATCH,))
            frame = frame.filter(F.col(rows.RANK) == 1)
        return frame.select(*[rows.named(field.name) for field in self._all], rows.DELETED)

    def _commit(self, entries: list[dict[str, Any]]) -> None:
        stage, table = self._stage(entries), self._table
        if not table.key:
            lean = stage.drop(rows.DELETED).writeTo(self._name)
            lean.option(f"snapshot-property.{_BATCH}", entries[-1]["batch"]).append()
            return
        stage.createOrReplaceTempView(self._view)
        try:
            self._spark.sql(self._merge())
            if self._gone:
                self._spark.sql(self._remember())
        finally:
            self._spark.catalog.dropTempView(self._view)

    def _merge(self) -> str:
        """What the load does to the warehouse's table: the newer row stays, an append leaves what is there alone."""
        applies = self._not_newer("t")
        clauses = [f"WHEN MATCHED AND s.{rows.DELETED} AND {applies} THEN DELETE"] if self._table.deletes else []
        if self._table.load == "upsert":
            named = [identifier(field.name) for field in self._columns]
            pairs = ", ".join(f"t.{name} = s.{name}" for name in named)
            clauses.append(f"WHEN MATCHED AND NOT s.{rows.DELETED} AND {applies} THEN UPDATE SET {pairs}")
        names = [identifier(field.name) for field in self._all]
        values = ", ".join(f"s.{name}" for name in names)
        clauses.append(f"WHEN NOT MATCHED AND NOT s.{rows.DELETED} THEN INSERT ({', '.join(names)}) VALUES ({values})")
        source = self._view
        if self._gone:
            source = f"(SELECT s.* FROM {self._view} s LEFT ANTI JOIN {self._gone} g ON {self._newer('g')})"
        return f"MERGE INTO {self._name} t USING {source} s ON {self._same('t')} {' '.join(clauses)}"

    def _remember(self) -> str:
        """Keeps when rows were deleted. Runs after the merge, and finds what was too late there too late again."""
        names = [identifier(name) for name in dict.fromkeys([*self._table.key, self._table.order_by])]
        order = identifier(self._table.order_by)
        kept = f"s.{rows.DELETED} AND s.{order} IS NOT NULL"
        source = (
            f"SELECT s.* FROM {self._view} s LEFT ANTI JOIN {self._gone} g ON {self._newer('g')} "
            f"LEFT ANTI JOIN {self._name} t ON {self._newer('t')}"
        )
        return (
            f"MERGE INTO {self._gone} t USING ({source}) s ON {self._same('t')} "
            f"WHEN MATCHED AND {kept} THEN UPDATE SET t.{order} = s.{order} WHEN MATCHED THEN DELETE "
            f"WHEN NOT MATCHED AND {kept} THEN INSERT ({', '.join(names)}) "
            f"VALUES ({', '.join(f's.{name}' for name in names)})"
        )

    def _same(self, target: str) -> str:
        return " AND ".join(f"{target}.{identifier(name)} = s.{identifier(name)}" for name in self._table.key)

    def _newer(self, target: str) -> str:
        order = identifier(self._table.order_by)
        return f"{self._same(target)} AND {target}.{order} > s.{order}"

    def _not_newer(self, target: str) -> str:
        if not self._table.order_by:
            return "true"
        order = identifier(self._table.order_by)
        return f"NOT coalesce({target}.{order} > s.{order}, false)"

    def _maintain(self, snapshots: list[Any]) -> None:
        """Puts many small files together; about once a day forgets the states that are too old, with their files."""
        table = f"{self._document.iceberg.database}.{self._table.name}"
        if int(snapshots[-1]["summary"].get("total-data-files", 0)) >= _SMALL_FILES:
            options = f"options => map('min-input-files', '{_SMALL_FILES}')"
            self._spark.sql(f"CALL {CATALOG}.system.rewrite_data_files(table => '{table}', {options})")
        if len(snapshots) > 1 and snapshots[0]["at"] <= time.time() * 1000 - (self._days + 1) * _DAY_MS:
            # How old they may be is a property of the table.
            self._spark.sql(f"CALL {CATALOG}.system.expire_snapshots(table => '{table}')")

    def _marked(self, batch: str) -> None:
        mark = {"version": contract.LEDGER_VERSION, "batch": batch, "marked_at": contract.rfc3339(datetime.now(UTC))}
        self._store.put(self._document.transformed, contract.iceberg_mark(self._table.name), json.dumps(mark).encode())


def _type(kind: T.DataType) -> T.DataType:
    """The type in Iceberg: it has no smallint, and the warehouse's timestamps are without a zone (in UTC)."""
    if isinstance(kind, T.ShortType):
        return T.IntegerType()
    return T.TimestampNTZType() if isinstance(kind, T.TimestampType) else kind


def _widens(old: T.DataType, new: T.DataType) -> bool:
    if isinstance(old, T.DecimalType) and isinstance(new, T.DecimalType):
        return new.scale == old.scale and new.precision > old.precision
    return (old.simpleString(), new.simpleString()) in _WIDER


def _pairs(properties: dict[str, str]) -> str:
    return ", ".join(f"'{name}' = '{value}'" for name, value in properties.items())
