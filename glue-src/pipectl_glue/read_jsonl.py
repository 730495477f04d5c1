"""JSON lines to rows of text cells: one line is one row, however broken.

A line is parsed once, for all its values. Only what that leaves open is parsed again: a line that is broken, for the
reason; a long decimal; a `super` value that may be a string.
"""

import re
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from pipectl_glue import cells, rows
from pipectl_glue.document import Table
from pipectl_glue.readers import Given, Read
from pipectl_glue.sql import literal

# From 16 digits on, a JSON number read as a double is no longer the number that was written.
_EXACT_DIGITS = 15
_NUMBER = r"^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$"
# All names are looked at in this many bytes; of more, those of one line in 64.
_ALL_NAMES_BYTES = 16 * 1024 * 1024
# An escape \\ud800 to \\udfff without its other half; the backslash must not itself be escaped.
_HIGH, _LOW = r"\\u[dD][89abAB][0-9a-fA-F]{2}", r"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_HALF_PAIR = rf"(?<!\\)(?:\\\\)*(?:{_HIGH}(?!{_LOW})|(?<!\\u[dD][89abAB][0-9a-fA-F]{{2}}){_LOW})"
# What Jackson, with which Spark parses JSON, takes at most.
_MOST_LEVELS, _MOST_CHARACTERS = 1_000, 20_000_000
_TOO_DEEP = f"the line is not one JSON object, or is nested in more than {_MOST_LEVELS} levels"
_TOO_LONG = f"a text of the line has more than {_MOST_CHARACTERS} characters"
_STRICT = {"allowSingleQuotes": "false"}
_ARCHIVES = (".xlsx", ".xls", ".zip", ".zst", ".7z", ".rar", ".tar", ".tgz")


def read(given: Given) -> Read:
    """Reads files of JSON objects, one a line, as cells of text with what is wrong with each line."""
    found = Read()
    for entry in given.inputs:
        if entry.key.lower().endswith(_ARCHIVES):
            found.refused[entry.key] = (
                "it is not JSON lines but an archive or a workbook; write one JSON object a line, plain or as .gz"
            )
    paths = [given.path(entry) for entry in given.inputs if entry.key not in found.refused]
    if paths:
        lines = (
            given.spark.read.option("__globPaths__", "false")
            .option("recursiveFileLookup", "true")
            .option("lineSep", "\n")
            .text(paths)
            .select(*rows.provenance(), F.btrim("value", F.lit(" \t\r\n\ufeff")).alias("line"))
            .filter("line != ''")
        )
        found.frame = cells_of(lines, given.table, given.size <= _ALL_NAMES_BYTES)
    return found


def cells_of(lines: DataFrame, table: Table, all_names: bool) -> DataFrame:
    """Takes `line` apart into the table's columns."""
    tree, whole = _wanted(table)
    inside = _struct(tree, T.StringType())
    if table.deletes:
        inside = inside.add(rows.DELETED, T.StringType()).add(rows.POSITION, T.StringType())
    # Inside of brackets, what follows the object on its line shows: it makes a second element, or breaks the array.
    schema = T.ArrayType(inside)
    parsed = lines.withColumn("found", F.from_json(F.concat(F.lit("["), "line", F.lit("]")), schema, _STRICT))
    parsed = parsed.withColumn("json", F.expr("CASE WHEN size(found) = 1 THEN found[0] END"))
    looked = F.lit(True) if all_names else F.expr("pmod(xxhash64(line), 64) = 0")
    extra = []
    if table.deletes:
        extra = [
            F.col("json").getField(rows.POSITION).alias(rows.POSITION),
            (F.lower(F.coalesce(F.col("json").getField(rows.DELETED), F.lit(""))) == "true").alias(rows.DELETED),
        ]
    values = [_cell(column, tree, whole) for column in table.columns]
    objects = [value for column, value in zip(table.columns, values, strict=True) if column.type.kind == "super"]
    return parsed.select(
        *rows.PROVENANCE,
        F.decode(F.col("line").cast("binary"), "UTF-8").alias(rows.RAW),
        _fault(table, objects).alias(rows.FAULT),
        F.when(looked, F.json_object_keys("line")).alias(rows.NAMES),
        *extra,
        *[value.alias(rows.cell(index)) for index, value in enumerate(values)],
    )


def _wanted(table: Table) -> tuple[dict[str, Any], set[str]]:
    """The tree of what is parsed, and the sources of `super` columns in it."""
    plain = [column.source.split(".") for column in table.columns if column.type.kind != "super"]
    objects = [column.source.split(".") for column in table.columns if column.type.kind == "super"]
    whole = set()
    for column in table.columns:
        path = column.source.split(".")
        others = [*plain, *[other for other in objects if other != path]]
        # In the tree a value stands in nobody's way only if no other column looks into it, or is what it lies in.
        apart = all(path[: len(other)] != other and other[: len(path)] != path for other in others)
        if column.type.kind == "super" and apart:
            whole.add(column.source)
    return _tree([*plain, *[source.split(".") for source in sorted(whole)]]), whole


def _fault(table: Table, objects: list[Column]) -> Column:
    line = F.col("line")
    octets = line.cast("binary")
    alone = F.json_array_length(F.concat(F.lit("["), line, F.lit("]"))) == 1
    whole = F.coalesce(line.startswith("{") & alone, F.lit(False))
    deep = ", ".join(f"`{column.source}`" for column in table.columns if "." in column.source)
    # Only a line that did not become an object is looked at again.
    levels = F.expr("length(line) - length(translate(line, '[{', ''))")
    why = (
        F.when(~whole & line.startswith("{") & (levels > _MOST_LEVELS), _TOO_DEEP)
        .when(~whole, "the line is not one JSON object")
        .when(F.length(line) > _MOST_CHARACTERS, _TOO_LONG)
        .otherwise(
            f"a value stands where the columns expect an object ({deep})" if deep else "the line is not valid JSON"
        )
    )
    # Decoding would replace it by a question mark.
    half = line.contains("\\ud") | line.contains("\\uD")
    fault = (
        F.when(F.encode(F.decode(octets, "UTF-8"), "UTF-8") != octets, "the line is not valid UTF-8")
        .when(F.col("json").isNull(), why)
        .when(half & line.rlike(_HALF_PAIR), "the line holds one half of a surrogate pair, which is no character")
    )
    # Spark writes Infinity instead, in quotes or bare.
    changed = [value.contains("Infinity") for value in objects]
    if changed:
        is_changed = reduce(Column.__or__, changed) & F.expr(cells.beyond_double("line"))
        fault = fault.when(is_changed, "the line holds a number that no double can be")
    return fault


def _cell(column: Any, tree: dict[str, Any], whole: set[str]) -> Column:
    path = column.source.split(".")
    if column.type.kind == "super":
        # Spark gives a string without its quotes, except under a wildcard: there it stays the JSON that it was.
        text = F.get_json_object(F.concat(F.lit("["), "line", F.lit("]")), "$[*]" + _subscript(path))
        exact = F.when(text != "null", text)
        if column.source not in whole:
            return exact
        # An array or an object is the JSON that it was already, unless it is a string that looks like one.
        value = F.col("json")
        for name in path:
            value = value.getField(name)
        string = literal(rf'"{re.escape(path[-1])}"\s*:\s*"')
        container = value.rlike(r"^[\[{]") & ~F.expr(f"line RLIKE {string}")
        return F.when(value.isNotNull(), F.when(container, value).otherwise(exact))
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
    """The paths as nested dictionaries; None is a leaf, and a leaf wins over paths below it."""
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
