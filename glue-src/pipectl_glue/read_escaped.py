"""CSV whose writer puts an escape character before quotes, delimiters and line breaks: MySQL, Hive, UNLOAD, Spark.

Spark's own reader knows such a character before a quote in quotes only. So the escaped characters become code points
that stand for nothing else, the line is read as plain CSV, and each field gets its characters back. Of other pairs,
such as the `\\n` in `c:\\new`, both characters stay.
"""

from collections.abc import Callable

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from pipectl_glue import rows
from pipectl_glue.sql import literal

_ESCAPE, _QUOTE, _DELIMITER, _BREAK = "\ufdd0", "\ufdd1", "\ufdd2", "\ufdd3"


def marked(line: str, delimiter: str, escape: str) -> str:
    """A line with its escaped characters as marks, as Spark SQL."""
    # A pair of escape characters goes first: what follows it is not escaped.
    for text, mark in ((escape * 2, _ESCAPE), (f'{escape}"', _QUOTE), (escape + delimiter, _DELIMITER)):
        line = f"replace({line}, {literal(text)}, {literal(mark)})"
    # MySQL writes NUL so; it is refused later, by name.
    return f"replace({line}, {literal(f'{escape}0')}, {literal(chr(0))})"


def odd_quotes(line: str) -> str:
    """The number of quotes of a marked line, modulo 2, as Spark SQL."""
    return f"(length({line}) - length(replace({line}, '\"', ''))) % 2"


def ends_open(line: str, escape: str) -> str:
    """Whether the line break behind a marked line is escaped, as Spark SQL."""
    return f"endswith({line}, {literal(escape)})"


def records(lines: DataFrame, escape: str) -> DataFrame:
    """Joins the marked lines of a record, which quotes or escaped line breaks hold together, in `line`."""
    order = Window.partitionBy(rows.FILE).orderBy(rows.BLOCK, rows.PLACE)
    until = order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    before = order.rowsBetween(Window.unboundedPreceding, -1)
    quotes = lines.withColumn("quotes", F.sum(F.expr(odd_quotes("line"))).over(until))
    goes_on = (F.col("quotes") % 2 == 1) | F.expr(ends_open("line", escape))
    ends = quotes.withColumn("ends", F.when(goes_on, 0).otherwise(1))
    numbered = ends.withColumn("record", F.coalesce(F.sum("ends").over(before), F.lit(0)))
    together = numbered.groupBy(rows.FILE, "record").agg(
        F.min(rows.ARRIVED).alias(rows.ARRIVED),
        F.array_sort(F.collect_list(F.struct(rows.BLOCK, rows.PLACE, "line"))).alias("parts"),
    )
    joined = f"array_join(transform(parts, part -> part.line), {literal(_BREAK)})"
    return together.select(
        rows.ARRIVED,
        rows.FILE,
        F.col("parts")[0][rows.BLOCK].alias(rows.BLOCK),
        F.col("parts")[0][rows.PLACE].alias(rows.PLACE),
        F.expr(f"replace({joined}, {literal(escape + _BREAK)}, {literal(_BREAK)})").alias("line"),
    )


def unmarked(delimiter: str, escape: str) -> Callable[[Column], Column]:
    """Gives a field its escaped characters back."""
    marks = ((_ESCAPE, escape), (_QUOTE, '"'), (_DELIMITER, delimiter), (_BREAK, "\n"))

    def unmark(field: Column) -> Column:
        for mark, text in marks:
            field = F.replace(field, F.lit(mark), F.lit(text))
        return field

    return unmark
