"""The checks that a table declares: of each row, of rows among themselves, and of the whole."""

from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from pipectl_glue import cells, rows
from pipectl_glue.deduplicate import latest_first
from pipectl_glue.document import Table
from pipectl_glue.sql import identifier, literal


@dataclass(frozen=True)
class RowCheck:
    """One check of one column: its name, the column, and why a row breaks it, as Spark SQL; null when it does not."""

    name: str
    column: str
    fault: str


def row_checks(table: Table) -> list[RowCheck]:
    """The checks of each row by itself. As in SQL, a null breaks `not_null` only."""
    checks = table.checks
    found = []
    for column in checks.not_null:
        reason = literal(f"`{column}` is null, and `not_null` forbids it")
        found.append(RowCheck("not_null", column, f"CASE WHEN {identifier(column)} IS NULL THEN {reason} END"))
    for column, accepted in checks.accepted_values.items():
        known = ", ".join(map(literal, accepted)) or "NULL"
        text = _text(column)
        unknown = f"NOT coalesce({text} IN ({known}), {text} IS NULL)"
        found.append(_values(table, "accepted_values", column, unknown, f" is not one of {', '.join(accepted)}"))
    for column, (least, most) in checks.between.items():
        kind = next(named for named in table.columns if named.name == column).type
        # A bound is compared as a time, or else as the widest number: 2.5 is a bound of an integer as well.
        of = (
            "TIMESTAMP"
            if kind.kind in ("date", "timestamp")
            else "DOUBLE"
            if kind.kind == "double"
            else "DECIMAL(38,9)"
        )
        value = f"CAST({identifier(column)} AS {of})"
        outside = [f"{value} < CAST({literal(least)} AS {of})"] if least is not None else []
        outside += [f"{value} > CAST({literal(most)} AS {of})"] if most is not None else []
        bounds = " and ".join(
            [*([f"at least {least}"] if least is not None else []), *([f"at most {most}"] if most is not None else [])]
        )
        found.append(_values(table, "between", column, " OR ".join(outside) or "false", f" is not {bounds}"))
    for column, pattern in checks.matches.items():
        other = f"NOT {_text(column)} RLIKE {literal(f'^(?:{pattern})$')}"
        found.append(_values(table, "matches", column, other, f" does not match {pattern}"))
    return found


def row_fault(table: Table) -> str:
    """Why a row may not be loaded, as Spark SQL; empty when it may."""
    return cells.together([check.fault for check in row_checks(table) if check.name not in table.checks.warn])


def check_unique(frame: DataFrame, table: Table, ties: tuple[str, ...]) -> DataFrame:
    """Gives all but the latest of several rows with equal values a reason. As in SQL, nulls are equal to nothing."""
    for names in table.checks.unique:
        if table.key and set(table.key) <= set(names):
            # One row a key is what `ranked` leaves: no two can agree in more columns than that.
            continue
        columns = [rows.named(name) for name in names]
        eligible = (F.col(rows.RANK) == 1) & F.col(rows.REASON).isNull()
        if table.deletes:
            eligible = eligible & ~F.col(rows.DELETED)
        for column in columns:
            eligible = eligible & column.isNotNull()
        window = Window.partitionBy(*columns, "__eligible").orderBy(*latest_first(table, ties, table.order_by))
        reason = f"another row has the same {', '.join(f'`{name}`' for name in names)}, which `unique` forbids"
        frame = (
            frame.withColumn("__eligible", eligible)
            .withColumn("__again", F.col("__eligible") & (F.row_number().over(window) > 1))
            .withColumn(rows.REASON, F.when(F.col("__again"), reason).otherwise(F.col(rows.REASON)))
            .drop("__eligible", "__again")
        )
    return frame


def row_count_fault(table: Table, count: int) -> str | None:
    """Why a batch has too few or too many rows."""
    least, most = table.checks.rows_min, table.checks.rows_max
    if least is not None and count < least:
        return f"table `{table.name}` has {count} rows, and its check wants at least {least}"
    if most is not None and count > most:
        return f"table `{table.name}` has {count} rows, and its check wants at most {most}"
    return None


def age_fault(table: Table, column: str, newest: int | None, now: datetime) -> str | None:
    """Why the rows of a batch are too old, by the newest of them in seconds since 1970; rows without a time are not."""
    hours = table.checks.fresh_within[column]
    if newest is None or now.timestamp() - newest <= hours * 3600:
        return None
    shown = f"{datetime.fromtimestamp(newest, UTC):%Y-%m-%d %H:%M}"
    return (
        f"table `{table.name}`: the newest `{column}` is {shown}, more than {hours} hours ago, "
        "and `fresh_within` allows no more"
    )


def _text(column: str) -> str:
    return f"CAST({identifier(column)} AS STRING)"


def _values(table: Table, name: str, column: str, broken: str, end: str) -> RowCheck:
    begin = literal(f"`{column}`: ")
    reason = f"concat({begin}, {cells.quote(_text(column))}, {literal(end)})"
    return RowCheck(name, column, f"CASE WHEN {broken} THEN {reason} END")
