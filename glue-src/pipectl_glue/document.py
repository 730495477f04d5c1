"""The pipeline document: what the jobs know of the tables, made by pipectl from the spec."""

import json
from dataclasses import dataclass, field
from typing import Any

from pipectl_glue.failure import Failure
from pipectl_glue.schema import Type, parse_type

_VERSION = 1


@dataclass(frozen=True)
class Column:
    """One column of a table and where its values come from."""

    name: str
    type: Type
    source: str
    required: bool = False


@dataclass(frozen=True)
class Csv:
    """How a table's CSV files are written."""

    delimiter: str = ","
    encoding: str = "utf-8"
    header: bool = True
    null: tuple[str, ...] = ("",)


@dataclass(frozen=True)
class Checks:
    """What must hold of a table before it may be loaded."""

    not_null: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    accepted_values: dict[str, tuple[str, ...]] = field(default_factory=dict)
    rows_min: int | None = None
    rows_max: int | None = None


@dataclass(frozen=True)
class Table:
    """One table, from its files to its checks."""

    name: str
    columns: tuple[Column, ...]
    csv: Csv | None
    key: tuple[str, ...]
    order_by: str | None
    load: str
    checks: Checks
    quarantine_limit: float

    @property
    def keeps_repeats(self) -> bool:
        """Whether nothing but its file tells a row from its like (an append table without a key)."""
        return self.load == "append" and not self.key

    def is_required(self, column: Column) -> bool:
        """A key's columns are required even when the document does not say so: a row without one has no identity."""
        return column.required or column.name in self.key


@dataclass(frozen=True)
class Document:
    """The parts of the pipeline document that the jobs use."""

    pipeline: str
    environment: str
    raw: str
    cleaned: str
    transformed: str
    tables: dict[str, Table]


def parse_document(text: str) -> Document:
    """Reads a pipeline document, or says which part of it these jobs do not understand."""
    try:
        root = json.loads(text)
    except json.JSONDecodeError as error:
        raise Failure(f"the pipeline document is not JSON: {error}; deploy it again") from error
    if root.get("version") != _VERSION:
        raise Failure(
            f"the pipeline document has version {root.get('version')}, these jobs read version {_VERSION}; "
            "deploy the jobs and the document together"
        )
    try:
        return Document(
            pipeline=root["pipeline"],
            environment=root["environment"],
            raw=root["buckets"]["raw"],
            cleaned=root["buckets"]["cleaned"],
            transformed=root["buckets"]["transformed"],
            tables={name: _table(name, table) for name, table in sorted(root["tables"].items())},
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
    for column in [*named, *(column for unique in checks.unique for column in unique)]:
        if column not in known:
            raise Failure(f"table `{name}`: unknown column `{column}`; the columns are {', '.join(sorted(known))}")
    limit = table.get("quarantine_limit")
    return Table(
        name=name,
        columns=columns,
        csv=_csv(table.get("csv") or {}) if table["format"] == "csv" else None,
        key=key,
        order_by=order_by,
        load=table["load"],
        checks=checks,
        quarantine_limit=1.0 if limit is None else float(limit),
    )


def _column(table: str, column: dict[str, Any]) -> Column:
    try:
        kind = parse_type(column["type"])
    except Failure as failure:
        raise Failure(f"table `{table}`, column `{column['name']}`: {failure}") from failure
    return Column(column["name"], kind, column.get("from") or column["name"], bool(column.get("required")))


def _csv(csv: dict[str, Any]) -> Csv:
    default = Csv()
    null = csv.get("null")
    return Csv(
        delimiter=csv.get("delimiter") or default.delimiter,
        encoding=csv.get("encoding") or default.encoding,
        header=csv.get("header", True) is not False,
        null=default.null if null is None else tuple(null),
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
        rows_min=rows.get("min"),
        rows_max=rows.get("max"),
    )


def _text(value: Any) -> str:
    """Accepted values are compared as text, so that `true`, 1 and "PAID" can all be written plainly."""
    return json.dumps(value) if isinstance(value, bool) else str(value)
