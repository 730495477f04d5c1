"""The checks that a table declares: of each row, of rows among themselves, and of how many there are."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from pipectl_glue import cells, rows
from pipectl_glue.cells import identifier, literal
from pipectl_glue.document import Table
from pipectl_glue.latest import latest_first


def row_fault(table: Table) -> str:
    """Why a row breaks `not_null` or `accepted_values`, as Spark SQL; empty when it does not."""
    faults = []
    for column in table.checks.not_null:
        reason = literal(f"`{column}` is null, and `not_null` forbids it")
        faults.append(f"CASE WHEN {identifier(column)} IS NULL THEN {reason} END")
    for column, accepted in table.checks.accepted_values.items():
        text = f"CAST({identifier(column)} AS STRING)"
        begin, end = literal(f"`{column}`: "), literal(f" is not one of {', '.join(accepted)}")
        known = ", ".join(map(literal, accepted)) or "NULL"
        unknown = f"NOT coalesce({text} IN ({known}), {text} IS NULL)"
        faults.append(f"CASE WHEN {unknown} THEN concat({begin}, {cells.quote(text)}, {end}) END")
    return cells.together(faults)


def check_unique(frame: DataFrame, table: Table, ties: tuple[str, ...]) -> DataFrame:
    """Gives all but the latest of several rows with equal values a reason. As in SQL, nulls are equal to nothing."""
    for names in table.checks.unique:
        if table.key and set(table.key) <= set(names):
            # One row a key is what `ranked` leaves: no two can agree in more columns than that.
            continue
        columns = [rows.named(name) for name in names]
        eligible = (F.col(rows.RANK) == 1) & F.col(rows.REASON).isNull()
        for column in columns:
            eligible = eligible & column.isNotNull()
        window = Window.partitionBy(*columns, "__eligible").orderBy(*latest_first(table, ties))
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
