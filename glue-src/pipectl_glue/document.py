"""The pipeline document: what the jobs know of the tables, made by pipectl from the spec."""

import json
from dataclasses import dataclass, field
from typing import Any

from pipectl_glue import contract
from pipectl_glue.failure import Failure
from pipectl_glue.schema import Type, parse_type


@dataclass(frozen=True)
class Column:
    """One column of a table and where its values come from."""

    name: str
    type: Type
    source: str
    required: bool = False
    # The time zone in which a time with a zone becomes a date.
    timezone: str | None = None


@dataclass(frozen=True)
class Csv:
    """How a table's CSV files are written."""

    delimiter: str = ","
    encoding: str = "utf-8"
    header: bool = True
    null: tuple[str, ...] = ("",)
    decimal: str = "."
    thousands: str | None = None
    date_format: str | None = None
    # What stands before a quote, a delimiter or a line break that belongs to a value.
    escape: str | None = None


@dataclass(frozen=True)
class Checks:
    """What must hold of a table before it may be loaded; those in `warn` are counted and no more."""

    not_null: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    accepted_values: dict[str, tuple[str, ...]] = field(default_factory=dict)
    # The least and the most of a column, as text.
    between: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)
    matches: dict[str, str] = field(default_factory=dict)
    # The table and its column in which a column's values must be.
    references: dict[str, tuple[str, str]] = field(default_factory=dict)
    rows_min: int | None = None
    rows_max: int | None = None
    # The hours that the newest value of a column may be old.
    fresh_within: dict[str, int] = field(default_factory=dict)
    warn: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Table:
    """One table, from its files to its checks."""

    name: str
    # The prefix of its objects in the raw bucket.
    landing: str
    # Which reader reads them.
    format: str
    columns: tuple[Column, ...]
    csv: Csv | None
    # Each object is the whole table.
    snapshot: bool
    # Rows may be deletions.
    deletes: bool
    # Objects count only when an entry below this prefix of the raw bucket names them.
    ingest_ledger: str | None
    key: tuple[str, ...]
    order_by: str | None
    load: str
    # Whether the table waits when its files lose a column or change a type.
    stops_on_schema_changes: bool
    checks: Checks
    quarantine_limit: float

    @property
    def keeps_repeats(self) -> bool:
        """Whether only its file distinguishes a row from an equal one (an append table without a key)."""
        return self.load == "append" and not self.key

    def is_required(self, column: Column) -> bool:
        """A key's columns are required even when the document does not say so: a row without one has no identity."""
        return column.required or column.name in self.key


@dataclass(frozen=True)
class Iceberg:
    """Where the Iceberg tables are."""

    # The database of the catalog.
    database: str
    # How long a table's earlier states are kept.
    snapshot_days: int


@dataclass(frozen=True)
class Document:
    """The parts of the pipeline document that the jobs use."""

    pipeline: str
    environment: str
    raw: str
    cleaned: str
    transformed: str
    raw_archive: str | None
    cleaned_archive: str | None
    # Landing objects leave once they are loaded and archived.
    empty_after_load: bool
    tables: dict[str, Table]
    # The tables that are made by SQL from others, each with `sql`, `reads` and `reads_changed`.
    transforms: dict[str, dict[str, Any]] = field(default_factory=dict)
    iceberg: Iceberg | None = None


def parse_document(text: str) -> Document:
    """Reads a pipeline document, or says which part of it these jobs do not understand."""
    try:
        root = json.loads(text)
    except json.JSONDecodeError as error:
        raise Failure(f"the pipeline document is not JSON: {error}; deploy it again") from error
    if root.get("version") != contract.DOCUMENT_VERSION:
        raise Failure(
            f"the pipeline document has version {root.get('version')}, these jobs read version "
            f"{contract.DOCUMENT_VERSION}; deploy the jobs and the document together"
        )
    try:
        return Document(
            pipeline=root["pipeline"],
            environment=root["environment"],
            raw=root["buckets"]["raw"],
            cleaned=root["buckets"]["cleaned"],
            transformed=root["buckets"]["transformed"],
            raw_archive=root["buckets"].get("raw_archive"),
            cleaned_archive=root["buckets"].get("cleaned_archive"),
            empty_after_load=bool(root.get("empty_after_load")),
            tables={name: _table(name, table) for name, table in sorted(root["tables"].items())},
            transforms=root.get("transforms") or {},
            iceberg=Iceberg(**root["iceberg"]) if root.get("iceberg") else None,
        )
    except KeyError as error:
        raise Failure(f"the pipeline document lacks {error}; deploy it again") from error


def _table(name: str, table: dict[str, Any]) -> Table:
    columns = tuple(_column(name, column) for column in table["columns"])
    known = {column.name for column in columns}
    key = tuple(table.get("key") or ())
    order_by = table.get("order_by")
    checks = _checks(table.get("checks") or {})
    named = [*key, *([order_by] if order_by else []), *checks.not_null, *checks.accepted_values]
    named += [*checks.between, *checks.matches, *checks.references, *checks.fresh_within]
    for column in [*named, *(column for unique in checks.unique for column in unique)]:
        if column not in known:
            raise Failure(f"table `{name}`: unknown column `{column}`; the columns are {', '.join(sorted(known))}")
    limit = table.get("quarantine_limit")
    return Table(
        name=name,
        landing=table.get("landing") or contract.landing_folder(name),
        format=table["format"],
        columns=columns,
        csv=_csv(table.get("csv") or {}) if table["format"] == "csv" else None,
        snapshot=bool(table.get("snapshot")),
        deletes=bool(table.get("deletes")),
        ingest_ledger=table.get("ingest_ledger"),
        key=key,
        order_by=order_by,
        load=table["load"],
        stops_on_schema_changes=table.get("schema_changes", "stop") == "stop",
        checks=checks,
        quarantine_limit=1.0 if limit is None else float(limit),
    )


def _column(table: str, column: dict[str, Any]) -> Column:
    try:
        kind = parse_type(column["type"])
    except Failure as failure:
        raise Failure(f"table `{table}`, column `{column['name']}`: {failure}") from failure
    source, required = column.get("from") or column["name"], bool(column.get("required"))
    return Column(column["name"], kind, source, required, column.get("timezone"))


def _csv(csv: dict[str, Any]) -> Csv:
    default = Csv()
    null = csv.get("null")
    return Csv(
        delimiter=csv.get("delimiter") or default.delimiter,
        encoding=csv.get("encoding") or default.encoding,
        header=csv.get("header", True) is not False,
        null=default.null if null is None else tuple(null),
        decimal=csv.get("decimal") or default.decimal,
        thousands=csv.get("thousands"),
        date_format=csv.get("date_format"),
        escape=csv.get("escape"),
    )


def _checks(checks: dict[str, Any]) -> Checks:
    rows = checks.get("rows") or {}
    return Checks(
        not_null=tuple(checks.get("not_null") or ()),
        unique=tuple(tuple(columns) for columns in checks.get("unique") or ()),
        accepted_values={
            column: tuple(_text(value) for value in values)
            for column, values in (checks.get("accepted_values") or {}).items()
        },
        between={
            column: (bounds.get("min"), bounds.get("max")) for column, bounds in (checks.get("between") or {}).items()
        },
        matches=dict(checks.get("matches") or {}),
        references={
            column: (target["table"], target["column"]) for column, target in (checks.get("references") or {}).items()
        },
        rows_min=rows.get("min"),
        rows_max=rows.get("max"),
        fresh_within=dict(checks.get("fresh_within_hours") or {}),
        warn=frozenset(checks.get("warn") or ()),
    )


def _text(value: Any) -> str:
    """Accepted values are compared as text, so that `true`, 1 and "PAID" can all be written plainly."""
    return json.dumps(value) if isinstance(value, bool) else str(value)
