"""JSON lines to rows of text cells: one line is one row, however broken."""

from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pipectl_glue import rows
from pipectl_glue.document import Table

_CORRUPT = "__corrupt"
# From 16 digits on, a JSON number read as a double is no longer the number that was written.
_EXACT_DIGITS = 15
_NUMBER = r"^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$"


def read_jsonl(spark: SparkSession, paths: list[str], table: Table) -> DataFrame:
    """Reads files of JSON objects, one a line, as cells of text with what is wrong with each line."""
    lines = (
        spark.read.option("__globPaths__", "false")
        .option("recursiveFileLookup", "true")
        .option("lineSep", "\n")
        .text(paths)
        .select(*rows.provenance(), F.btrim("value", F.lit(" \t\r\n\ufeff")).alias("line"))
        .filter("line != ''")
    )
    return jsonl_cells(lines, table)


def jsonl_cells(lines: DataFrame, table: Table) -> DataFrame:
    """Takes `line` apart into the table's columns."""
    tree = _tree([column.source.split(".") for column in table.columns if column.type.kind != "super"])
    schema = _struct(tree, T.StringType()).add(_CORRUPT, T.StringType())
    options = {"columnNameOfCorruptRecord": _CORRUPT, "allowSingleQuotes": "false"}
    parsed = lines.withColumn("json", F.from_json("line", schema, options))
    known = F.array(*[F.lit(name) for name in sorted({column.source.split(".")[0] for column in table.columns})])
    own = F.filter(F.array_except(F.json_object_keys("line"), known), lambda name: ~name.startswith("__"))
    return parsed.select(
        *rows.PROVENANCE,
        F.decode(F.col("line").cast("binary"), "UTF-8").alias(rows.RAW),
        _fault(table).alias(rows.FAULT),
        own.alias(rows.UNKNOWN),
        *[_cell(column, tree).alias(rows.cell(index)) for index, column in enumerate(table.columns)],
    )


def _fault(table: Table) -> Column:
    line = F.col("line")
    octets = line.cast("binary")
    # `from_json` stops at the end of the first object. Inside brackets, whatever follows it shows.
    alone = F.json_array_length(F.concat(F.lit("["), line, F.lit("]"))) == 1
    whole = F.coalesce(line.startswith("{") & alone, F.lit(False))
    deep = ", ".join(f"`{column.source}`" for column in table.columns if "." in column.source)
    return (
        F.when(F.encode(F.decode(octets, "UTF-8"), "UTF-8") != octets, "the line is not valid UTF-8")
        .when(~whole, "the line is not one JSON object")
        .when(
            F.col("json").getField(_CORRUPT).isNotNull(),
            f"a value stands where the columns expect an object ({deep})" if deep else "the line is not valid JSON",
        )
    )


def _cell(column: Any, tree: dict[str, Any]) -> Column:
    path = column.source.split(".")
    if column.type.kind == "super":
        # Spark gives a string without its quotes, except under a wildcard: there it stays the JSON that it was.
        text = F.get_json_object(F.concat(F.lit("["), "line", F.lit("]")), "$[*]" + _subscript(path))
        return F.when(text != "null", text)
    node: Any = tree
    value = F.col("json")
    for depth, name in enumerate(path):
        value, node = value.getField(name), node[name]
        if node is None and depth + 1 < len(path):
            # Another column wants this object whole, as text: the rest of the path goes into that text.
            return F.get_json_object(value, "$" + _subscript(path[depth + 1 :]))
    return _exact(column, path, value) if column.type.kind == "decimal" else value


def _exact(column: Any, path: list[str], text: Column) -> Column:
    """Reads a long number again, as a decimal, since the text has passed through a double."""
    digits = T.DecimalType(38, 38 - (column.type.precision - column.type.scale))
    exact = F.from_json("line", _struct(_tree([path]), digits))
    for name in path:
        exact = exact.getField(name)
    long = (F.length(text) > _EXACT_DIGITS) & text.rlike(_NUMBER)
    return F.when(long, F.coalesce(exact.cast("string"), text)).otherwise(text)


def _subscript(path: list[str]) -> str:
    return "".join(f"['{name}']" for name in path)


def _tree(paths: list[list[str]]) -> dict[str, Any]:
    """The paths as nested dictionaries; None is a leaf, and a leaf wins over what lies under it."""
    tree: dict[str, Any] = {}
    for path in sorted(paths, key=len):
        node: Any = tree
        for name in path[:-1]:
            node = node.setdefault(name, {})
            if node is None:
                break
        else:
            node[path[-1]] = None
    return tree


def _struct(tree: dict[str, Any], leaf: T.DataType) -> T.StructType:
    return T.StructType(
        [T.StructField(name, leaf if node is None else _struct(node, leaf)) for name, node in sorted(tree.items())]
    )
