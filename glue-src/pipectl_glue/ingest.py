"""The job that reads a database by watermark: new and changed rows of each table become one batch in the raw zone.

A run reads from a little before the last watermark, and leaves out the rows that it has taken before: it knows them by
the digests that the last run kept. So a row that is committed late, or with the very time of the watermark, is not
lost, and none comes twice. The watermark is taken from what was written, and is committed with it, by one object.
"""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipectl_glue import contract, ledger
from pipectl_glue import ingest_sql as sql
from pipectl_glue.document import Table, parse_document
from pipectl_glue.failure import Failure
from pipectl_glue.ingest_database import Database, connect
from pipectl_glue.ingest_state import Ledger, Reached, Taken
from pipectl_glue.observed import Observed
from pipectl_glue.session import WRITE_OPTIONS, prepare
from pipectl_glue.sql import identifier
from pipectl_glue.store import Object, Store, split_uri

_AT_ONCE = 4
# More rows than this are read over several connections.
_ROWS_A_CONNECTION = 500_000
_MOST_CONNECTIONS = 16
# How far before a watermark that is a number each run reads again.
_NUMBERS_AGAIN = 10_000
_MICROS = 1_000_000
_DAY = 86_400
_KEY, _ROW, _POSITION = "__key", "__row", "__position"


@dataclass(frozen=True)
class Wanted:
    """One table of the source, as the pipeline wants it."""

    table: Table
    # The table in the database.
    object: str
    # The pipeline's name of the watermark column.
    watermark: str


@dataclass
class Outcome:
    """What became of a table."""

    taken: Taken
    reached: Reached
    objects: list[Object]
    remarks: list[str]


def run(
    spark: SparkSession,
    document_uri: str,
    source: str,
    run_id: str,
    restart: frozenset[str] = frozenset(),
    store: Store | None = None,
    secrets: Any = None,
    tell: Callable[[str], None] = print,
) -> str | None:
    """Reads what is new in all tables of a source; returns the batch, or None when nothing is.

    A table that cannot be read does not stop the others: it fails the run after they are committed. Those in `restart`
    are read from their first row.
    """
    store = store or Store()
    text = store.get(*split_uri(document_uri)).decode()
    document = parse_document(text)
    root = json.loads(text)
    if source not in root["sources"]:
        raise Failure(f"the pipeline document has no source `{source}`; deploy the jobs and the document together")
    tables = {
        name: Wanted(document.tables[name], table["object"], table["watermark"])
        for name, table in sorted(root["tables"].items())
        if table["source"] == source
    }
    database = connect(source, root["sources"][source], secrets)
    books = Ledger(store, document.raw, source)
    if books.tell():
        tell("announced the last batch to the pipeline: the previous run stopped before that")
    books.sweep()
    for name in restart:
        if name not in tables:
            raise Failure(f"`--restart {name}`: the source has no such table; it has: {', '.join(tables)}")
        books.reached.pop(name, None)
    books.reached = {name: reached for name, reached in books.reached.items() if name in tables}
    batch = ledger.batch_name(datetime.now(UTC), [source, run_id], books.batches)
    overlap = int(root["sources"][source]["overlap_seconds"])
    reader = _Reader(prepare(spark), store, document.raw, source, database, books, batch, overlap)
    reader.probe({wanted.object for wanted in tables.values()})
    outcomes, failed = _each(tables, reader)
    for name, outcome in outcomes.items():
        taken = outcome.taken
        tell(f"ingest {name}: {taken.read} read = {taken.taken} taken + {taken.unchanged} unchanged")
        for remark in outcome.remarks:
            tell(f"ingest {name}: {remark}")
    moved = {name: outcome for name, outcome in outcomes.items() if outcome.taken.taken}
    if moved:
        books.reached |= {name: outcome.reached for name, outcome in moved.items()}
        objects = {name: outcome.objects for name, outcome in moved.items()}
        books.commit(batch, run_id, objects, {name: outcome.taken for name, outcome in outcomes.items()}, failed)
        books.tell()
        rows = sum(outcome.taken.taken for outcome in moved.values())
        tell(f"committed batch {batch}: {rows} rows of {', '.join(moved)}")
    else:
        tell(f"nothing new in the {database.place}")
    if failed:
        raise Failure("; ".join(failed.values()))
    return batch if moved else None


def _each(tables: dict[str, Wanted], reader: "_Reader") -> tuple[dict[str, Outcome], dict[str, str]]:
    """Reads several tables at once; what is wrong with one is kept with its name."""
    with ThreadPoolExecutor(_AT_ONCE) as workers:
        running = {name: workers.submit(reader.table, wanted) for name, wanted in tables.items()}
    outcomes, failed = {}, {}
    for name, future in running.items():
        error = future.exception()
        if error is None:
            outcomes[name] = future.result()
        elif isinstance(error, Failure):
            failed[name] = str(error)
        else:
            raise error
    return outcomes, failed


class _Reader:
    """One run on one database."""

    def __init__(
        self,
        spark: SparkSession,
        store: Store,
        bucket: str,
        source: str,
        database: Database,
        books: Ledger,
        batch: str,
        overlap: int,
    ) -> None:
        self._spark = spark
        self._store = store
        self._bucket = bucket
        self._source = source
        self._database = database
        self._engine = database.engine
        self._books = books
        self._batch = batch
        self._overlap = overlap
        self._there: dict[str, dict[str, sql.Found]] = {}

    def probe(self, objects: set[str]) -> None:
        """Asks for the columns of all tables; fails the run as a whole when the database does not answer."""
        schema = self._database.schema
        try:
            found = self._database.rows(self._spark, sql.columns(self._engine, schema, sorted(objects)))
        except Exception as error:
            reason = self._database.reason(error)
            if self._database.driver in reason:
                raise Failure(
                    f"source `{self._source}`: there is no driver {self._database.driver}; Glue has it built in, and "
                    "on this machine `.venv/bin/pip install --no-deps mkpipe-extractor-postgres==0.1.44` brings it"
                ) from error
            raise Failure(
                f"source `{self._source}`: cannot reach the {self._database.place}: {reason}; "
                f"{self._database.advice(reason)}"
            ) from error
        for row in sorted(found, key=lambda row: int(row["ordinal_position_is"])):
            column = sql.Found(row["column_name_is"], row["data_type_is"])
            self._there.setdefault(row["table_name_is"], {})[column.name] = column

    def table(self, wanted: Wanted) -> Outcome:
        """Reads what is new in a table. Nothing of it stays when that fails."""
        prefix = contract.ingest_batch_folder(self._source, wanted.object, self._batch)
        try:
            return self._table(wanted, prefix)
        except Failure:
            self._store.delete(self._bucket, prefix)
            raise
        except Exception as error:
            self._store.delete(self._bucket, prefix)
            reason = self._database.reason(error)
            raise Failure(
                f"table `{wanted.table.name}`: the {self._database.place} failed while it was read: {reason}; nothing "
                "of it is committed, the next run reads it again"
            ) from error

    def _table(self, wanted: Wanted, prefix: str) -> Outcome:
        table, remarks = wanted.table, []
        columns = self._columns(wanted, remarks)
        declared = {column.name: column for column in table.columns}
        mark = declared[wanted.watermark]
        watermark = sql.watermark(self._engine, table.name, columns[mark.source], mark.type.text)
        before = self._before(table, columns, watermark, remarks)
        key = [declared[name].source for name in table.key]
        cut = columns[key[0]] if len(key) == 1 and columns[key[0]].is_integer else None
        since = watermark.since(self._again(watermark, before.position if before else None))
        place = ".".join(sql.quote(self._engine, part) for part in (self._database.schema, wanted.object))
        [survey] = self._database.rows(self._spark, sql.survey(self._engine, place, watermark, cut, since))
        found, unusable = int(survey["found"]), int(float(survey["unusable"] or 0))
        if unusable:
            remarks.append(
                f"{unusable} rows have no usable `{mark.source}`; they are compared in every run, and cost time: give "
                "the column a value"
            )
        reached = before or Reached(watermark.kind, None, None)
        reached = Reached(**{**reached.__dict__, "columns": self._types(table, columns)})
        nothing = Outcome(Taken(found, 0, found, unusable), reached, [], remarks)
        if not found:
            return nothing
        frame = self._read(place, columns, since, self._conditions(survey, cut, watermark))
        boundary = self._boundary(before)
        if before and boundary is not None and found <= before.boundary_rows and self._fresh(frame, boundary).isEmpty():
            return nothing
        seen = Observed(frame, F.count(F.lit(1)).alias("rows"))
        fresh = seen.frame
        if boundary is not None:
            fresh = self._fresh(fresh, boundary)
        at = _position(identifier(mark.source), watermark.kind)
        latest = sql.position(watermark.kind, survey["latest"])
        # Of times in the future none is a watermark: what comes until then would be lost.
        passed = f"{at} <= {latest}" if latest is not None else "false"
        count, highest = (
            F.count(F.lit(1)).alias("rows"),
            F.expr(f"max(CASE WHEN {passed} THEN {at} END)").alias("position"),
        )
        path = f"s3://{self._bucket}/{prefix}"
        kept = Observed(fresh, count, highest)
        kept.frame.write.mode("error").options(**WRITE_OPTIONS).parquet(path)
        written = self._spark.read.schema(fresh.schema).parquet(path)
        # The database may have other rows by now than those that were written.
        kept_values = kept.values(written)
        read, taken = seen.values()["rows"], kept_values["rows"]
        if not taken:
            self._store.delete(self._bucket, prefix)
            return nothing
        positions = [kept_values["position"], before.position if before else None]
        position = max((int(known) for known in positions if known is not None), default=None)
        reached.kind, reached.position = watermark.kind, position
        reached.watermark = None if position is None else sql.as_text(watermark.kind, position)
        self._keep(table, written, boundary, key, mark.source, reached)
        objects = [found for found in self._store.objects(self._bucket, prefix) if found.key.endswith(".parquet")]
        return Outcome(Taken(read, taken, read - taken, unusable, path), reached, objects, remarks)

    def _columns(self, wanted: Wanted, remarks: list[str]) -> dict[str, sql.Found]:
        """The columns that the pipeline takes, as the database has them."""
        name, schema = wanted.table.name, self._database.schema
        there = self._there.get(wanted.object, {})
        if not there:
            found = self._database.rows(self._spark, sql.tables(self._engine, schema))
            raise Failure(
                f"table `{name}`: there is no table `{wanted.object}` in `{schema}` of the {self._database.place}, or "
                f"`{self._database.username}` may not read it; was it dropped or renamed? It has: "
                f"{', '.join(sorted(row['table_name_is'] for row in found)) or 'none'}"
            )
        by_case = {column.lower(): found for column, found in there.items()}
        columns, missing = {}, []
        for column in wanted.table.columns:
            found = there.get(column.source) or by_case.get(column.source.lower())
            if found is None:
                missing.append(column.source)
            else:
                columns[column.source] = found
        if missing:
            lost = ", ".join(f"`{column}`" for column in missing)
            raise Failure(
                f"table `{name}`: `{wanted.object}` has no column {lost}; was it "
                f"dropped or renamed? It has: {', '.join(there)}. Change `from`, or remove the column from the pipeline"
            )
        unknown = sorted(set(there) - {found.name for found in columns.values()})
        if unknown:
            remarks.append(f"columns that the pipeline does not take: {', '.join(unknown)}")
        return columns

    def _types(self, table: Table, columns: dict[str, sql.Found]) -> dict[str, dict[str, str]]:
        declared = {column.source: column.type.text for column in table.columns}
        return {name: {"is": found.type, "declared": declared[name]} for name, found in columns.items()}

    def _before(
        self, table: Table, columns: dict[str, sql.Found], watermark: sql.Watermark, remarks: list[str]
    ) -> Reached | None:
        """How far the table was read; None when it is to be read from its first row."""
        before = self._books.reached.get(table.name)
        if before is None:
            return None
        now = self._types(table, columns)
        for name, known in before.columns.items():
            if name in now and known["declared"] == now[name]["declared"]:
                was = sql.Found(name, known["is"]).family(self._engine)
                if was != columns[name].family(self._engine):
                    raise Failure(
                        f"table `{table.name}`: the column `{name}` was {known['is']} in the database and is "
                        f"{now[name]['is']} now; declare its new type in the pipeline, then the table is read further"
                    )
        added = sorted(set(now) - set(before.columns))
        if added:
            remarks.append(f"new columns in the pipeline: {', '.join(added)}; the table is read from its first row")
            return None
        if before.kind != watermark.kind:
            remarks.append("its watermark is of another kind now; the table is read from its first row")
            return None
        return before

    def _again(self, watermark: sql.Watermark, position: int | None) -> int | None:
        """Where to read from: a little before the position."""
        if position is None:
            return None
        return position - self._back(watermark.kind)

    def _back(self, kind: str) -> int:
        if kind == "number":
            return _NUMBERS_AGAIN
        return -(-self._overlap // _DAY) if kind == "date" else self._overlap * _MICROS

    def _read(self, place: str, columns: dict[str, sql.Found], since: str, conditions: list[str]) -> DataFrame:
        """The rows, over as many connections as there are conditions."""
        frames = [
            self._database.query(self._spark, sql.select(self._engine, place, columns, f"{since} AND {condition}"))
            for condition in conditions
        ]
        frame = frames[0]
        for other in frames[1:]:
            frame = frame.unionAll(other)
        return frame.select(*[F.col(identifier(name)).cast("string").alias(name) for name in columns])

    def _conditions(self, survey: dict[str, Any], cut: sql.Found | None, watermark: sql.Watermark) -> list[str]:
        parts = min(-(-int(survey["found"]) // _ROWS_A_CONNECTION), _MOST_CONNECTIONS)
        if parts < 2 or survey["low"] is None:
            return ["1 = 1"]
        if cut:
            low, high = int(survey["low"]), int(survey["high"])
            return sql.ranges(sql.quote(self._engine, cut.name), low, high, parts, str)
        low, high = (sql.position(watermark.kind, survey[edge]) for edge in ("low", "high"))
        if low is None or high is None:
            return ["1 = 1"]
        return sql.ranges(watermark.name, low, high, parts, watermark.literal)

    def _boundary(self, before: Reached | None) -> DataFrame | None:
        if before is None or before.boundary is None:
            return None
        schema = f"{_KEY} string, {_ROW} string, {_POSITION} decimal(38,0)"
        return self._spark.read.schema(schema).parquet(f"s3://{self._bucket}/{before.boundary}")

    def _fresh(self, frame: DataFrame, boundary: DataFrame) -> DataFrame:
        """The rows that were not taken before just as they are."""
        names = frame.columns
        digests = frame.select("*", _digest(names).alias(_ROW))
        return digests.join(boundary.select(_ROW).distinct(), _ROW, "left_anti").select(
            *[F.col(identifier(name)) for name in names]
        )

    def _keep(
        self,
        table: Table,
        written: DataFrame,
        boundary: DataFrame | None,
        key: list[str],
        column: str,
        reached: Reached,
    ) -> None:
        """Keeps the digests of the rows that the next run will read again."""
        rows = written.select(
            _digest(key).alias(_KEY),
            _digest(written.columns).alias(_ROW),
            F.expr(_position(identifier(column), reached.kind)).cast("decimal(38,0)").alias(_POSITION),
        )
        again = F.col(_POSITION).isNull()
        if reached.position is None:
            again = F.lit(True)
        else:
            again |= F.col(_POSITION) >= F.lit(reached.position - self._back(reached.kind)).cast("decimal(38,0)")
        kept = rows.filter(again)
        if boundary is not None:
            # A row that was taken again is not what it was.
            kept = kept.unionByName(boundary.filter(again).join(rows.select(_KEY).distinct(), _KEY, "left_anti"))
        folder = f"{self._books.state}{self._batch}/{table.name}/"
        path = f"s3://{self._bucket}/{folder}"
        counted = Observed(kept.coalesce(1), F.count(F.lit(1)).alias("rows"))
        counted.frame.write.mode("error").options(**WRITE_OPTIONS).parquet(path)
        reached.boundary, reached.boundary_rows = folder, counted.values()["rows"]


def _position(text: str, kind: str) -> str:
    if kind == "timestamp":
        return f"unix_micros(CAST({text} AS TIMESTAMP))"
    if kind == "date":
        return f"unix_date(CAST({text} AS DATE))"
    return f"CAST({text} AS DECIMAL(38,0))"


def _digest(names: list[str]) -> Any:
    """Distinguishes rows. A missing value is not an empty one: it has no name in the JSON."""
    return F.sha2(F.to_json(F.struct(*[F.col(identifier(name)) for name in names])), 256)
