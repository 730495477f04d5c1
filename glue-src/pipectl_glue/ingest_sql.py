"""The SQL queries for a database: MySQL and PostgreSQL.

Every value comes as text, as the database itself writes it: numbers of any size, zero dates, JSON, time in UTC. The
job `clean` reports each value that does not match the declared type, and no driver has changed it before.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from pipectl_glue.failure import Failure

MYSQL = "mysql"
POSTGRESQL = "postgresql"

_NUMBERS = {
    MYSQL: {"tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "float", "double", "bit", "year"},
    POSTGRESQL: {"smallint", "integer", "bigint", "numeric", "real", "double precision", "money"},
}
_INTEGERS = {"tinyint", "smallint", "mediumint", "int", "integer", "bigint"}
_TIMES = {"date", "datetime", "timestamp", "timestamp without time zone", "timestamp with time zone"}
_BINARY = {"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"}
_SHAPES = {"geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon"}
_SHAPES |= {"geometrycollection", "geomcollection"}
_WITH_ZONE = "timestamp with time zone"


@dataclass(frozen=True)
class Found:
    """A column as the database has it."""

    name: str
    # The type's name without its size, in lower case.
    type: str

    def family(self, engine: str) -> str:
        """A type as far as a change of it matters: a longer number is no change, a text instead of it is."""
        if self.type in _NUMBERS[engine]:
            return "number"
        if self.type in _TIMES:
            return "time"
        return "boolean" if self.type == "boolean" else "text"

    @property
    def is_integer(self) -> bool:
        """Whether it can be cut into ranges of whole numbers."""
        return self.type in _INTEGERS


@dataclass(frozen=True)
class Watermark:
    """The watermark column of a table; a position on it is a whole number."""

    engine: str
    column: Found
    # `timestamp` (positions are microseconds), `date` (days) or `number`.
    kind: str

    def literal(self, position: int) -> str:
        """A position as the database compares it with the column."""
        if self.kind == "number":
            return str(position)
        text = as_text(self.kind, position)
        if self.kind == "date":
            return f"DATE '{text}'"
        if self.column.type == _WITH_ZONE:
            return f"TIMESTAMPTZ '{text}+00'"
        return f"TIMESTAMP '{text}'"

    @property
    def name(self) -> str:
        """The column, quoted."""
        return quote(self.engine, self.column.name)

    def unusable(self) -> str:
        """The condition of rows that no watermark ever passes: nothing there, MySQL's zero date, infinity."""
        if self.kind == "number":
            return f"{self.name} IS NULL"
        if self.engine == MYSQL:
            return f"{self.name} IS NULL OR {self.name} < DATE '1000-01-01'"
        return f"{self.name} IS NULL OR {self.name} IN ('infinity', '-infinity')"

    def since(self, position: int | None) -> str:
        """The condition of rows to read: from the position on, and those that no position passes."""
        if position is None:
            return "1 = 1"
        return f"({self.name} >= {self.literal(position)} OR {self.unusable()})"

    def until_now(self) -> str:
        """The largest value that is not in the future, by the database's clock."""
        if self.kind == "number":
            return f"max({self.name})"
        if self.engine == MYSQL:
            now = "UTC_DATE()" if self.kind == "date" else "UTC_TIMESTAMP(6)"
        elif self.column.type == _WITH_ZONE:
            now = "now()"
        else:
            now = "(now() AT TIME ZONE 'UTC')"
        return f"max(CASE WHEN {self.name} <= {now} AND NOT ({self.unusable()}) THEN {self.name} END)"


def as_text(kind: str, position: int) -> str:
    """A position as people read it."""
    if kind == "number":
        return str(position)
    if kind == "date":
        return (date(1970, 1, 1) + timedelta(days=position)).isoformat()
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=position)).strftime("%Y-%m-%d %H:%M:%S.%f")


def position(kind: str, text: str | None) -> int | None:
    """A value of the watermark column, as the database writes it, as a position."""
    if text is None:
        return None
    if kind == "number":
        return int(Decimal(text))
    at = datetime.fromisoformat(text[:10])
    if kind == "date":
        return (at.date() - date(1970, 1, 1)).days
    clock, _, fraction = text[11:].partition(".")
    hours, minutes, seconds = (int(part) for part in (clock or "0:0:0").split(":"))
    at += timedelta(hours=hours, minutes=minutes, seconds=seconds, microseconds=int(f"{fraction:0<6}"[:6]))
    return (at - datetime(1970, 1, 1)) // timedelta(microseconds=1)


def quote(engine: str, name: str) -> str:
    """A quoted name, with any characters."""
    return f"`{name.replace('`', '``')}`" if engine == MYSQL else '"' + name.replace('"', '""') + '"'


def literal(engine: str, text: str) -> str:
    """A text as SQL writes it."""
    escaped = text.replace("\\", "\\\\") if engine == MYSQL else text
    return "'" + escaped.replace("'", "''") + "'"


def columns(engine: str, schema: str, wanted: list[str]) -> str:
    """Asks for the columns of tables, in their order."""
    text = "CAST({} AS CHAR(64))" if engine == MYSQL else "{}::text"
    names = ", ".join(
        f"{text.format(name)} AS {name}_is" for name in ("table_name", "column_name", "data_type", "ordinal_position")
    )
    listed = ", ".join(literal(engine, table) for table in wanted)
    return (
        f"SELECT {names} FROM information_schema.columns "
        f"WHERE table_schema = {literal(engine, schema)} AND table_name IN ({listed})"
    )


def tables(engine: str, schema: str) -> str:
    """Asks for the tables that may be read."""
    name = "CAST(table_name AS CHAR(64))" if engine == MYSQL else "table_name::text"
    return (
        f"SELECT {name} AS table_name_is FROM information_schema.tables WHERE table_schema = {literal(engine, schema)}"
    )


def text_of(engine: str, column: Found) -> str:
    """A column's value as text."""
    name = quote(engine, column.name)
    if engine == POSTGRESQL:
        if column.type == _WITH_ZONE:
            return f"({name} AT TIME ZONE 'UTC')::text"
        if column.type == "ARRAY":
            return f"to_json({name})::text"
        return f"{name}::numeric::text" if column.type == "money" else f"{name}::text"
    if column.type in _BINARY:
        return f"HEX({name})"
    if column.type in _SHAPES:
        return f"ST_AsText({name})"
    if column.type == "bit":
        return f"CAST({name} + 0 AS CHAR)"
    if column.type == "float":
        # Written as a float, MySQL would leave out all but six digits.
        return f"CAST({name} + 0E0 AS CHAR)"
    return f"CAST({name} AS CHAR)"


def select(engine: str, place: str, wanted: dict[str, Found], condition: str) -> str:
    """Selects rows: each column of the table as text, under its name in the pipeline."""
    values = ", ".join(f"{text_of(engine, column)} AS {quote(engine, name)}" for name, column in wanted.items())
    return f"SELECT {values} FROM {place} WHERE {condition}"


def survey(engine: str, place: str, watermark: Watermark, cut: Found | None, condition: str) -> str:
    """Asks how much there is to read, and where it may be cut: by a key of whole numbers, or by the watermark."""
    text = (lambda value: f"CAST({value} AS CHAR)") if engine == MYSQL else (lambda value: f"({value})::text")
    edge = quote(engine, (cut or watermark.column).name)
    latest = watermark.until_now()
    if watermark.column.type == _WITH_ZONE:
        latest = f"{latest} AT TIME ZONE 'UTC'"
    usable = edge if cut else f"CASE WHEN NOT ({watermark.unusable()}) THEN {edge} END"
    low, high = f"min({usable})", f"max({usable})"
    if not cut and watermark.column.type == _WITH_ZONE:
        low, high = f"{low} AT TIME ZONE 'UTC'", f"{high} AT TIME ZONE 'UTC'"
    return (
        f"SELECT {text('count(*)')} AS found, {text(low)} AS low, {text(high)} AS high, {text(latest)} AS latest, "
        f"{text(f'sum(CASE WHEN {watermark.unusable()} THEN 1 ELSE 0 END)')} AS unusable "
        f"FROM {place} WHERE {condition}"
    )


def ranges(column: str, low: int, high: int, parts: int, write: object) -> list[str]:
    """Conditions that cut a range into parts; the outer ones are open, and the first takes what has no value."""
    edges = sorted({low + (high - low) * part // parts for part in range(1, parts)} - {low})
    if not edges:
        return ["1 = 1"]
    at = [write(edge) for edge in edges]  # type: ignore[operator]
    middle = [f"{column} >= {one} AND {column} < {next_one}" for one, next_one in pairwise(at)]
    return [f"({column} < {at[0]} OR {column} IS NULL)", *middle, f"{column} >= {at[-1]}"]


def watermark(engine: str, table: str, column: Found, declared: str) -> Watermark:
    """The watermark of a table; refuses a column that is not what the pipeline says it is."""
    kind = declared if declared in ("timestamp", "date") else "number"
    family = column.family(engine)
    if family != ("number" if kind == "number" else "time"):
        raise Failure(
            f"table `{table}`: its watermark `{column.name}` is {column.type} in the database, and {declared} in the "
            "pipeline; name a column that fits as `watermark`"
        )
    return Watermark(engine, column, kind)
