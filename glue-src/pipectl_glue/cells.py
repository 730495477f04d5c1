"""One cell: its text to a value of the declared type, or the reason why not.

A value is never bent to fit: a number that would be rounded, cut or overflow is a reason, as is text that is too long.
"""

from collections.abc import Callable

from pyspark.sql import Column as Expression
from pyspark.sql import functions as F

from pipectl_glue.document import Column
from pipectl_glue.rows import quote
from pipectl_glue.schema import Type

_SPACE = " \t\r\n\f\v\u00a0"
_INTEGER = r"^[+-]?\d{1,40}(\.0*)?$"
_NUMBER = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?$"
_EXPONENT = r"\d[eE][+-]?\d"
_DATE = r"^\d{4}-\d{2}-\d{2}"
_TIME = r"[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?"
_ZONE = r" ?(Z|UTC|[+-]\d{2}(:?\d{2})?)"
_TIMESTAMP = f"{_DATE}({_TIME}({_ZONE})?)?$"
_SHOPIFY_ID = r"^gid://shopify/\w+/(\d+)(\?.*)?$"
_TRUE = ("true", "t", "yes", "y", "1")
_FALSE = ("false", "f", "no", "n", "0")
_INTEGERS = ("smallint", "integer", "bigint")


def trimmed(column: Column, text: Expression, null: tuple[str, ...]) -> Expression:
    """The text as it is read: without the space around it, null where the file's way of writing null stands."""
    if column.type.kind == "super":
        return F.when(~text.isin(*null), text) if null else text
    bare = F.btrim(text, F.lit(_SPACE))
    if column.type.kind in _INTEGERS:
        # JSON writers print 12000000.0 as 1.2E7; written out, it is an integer if nothing is left behind the point.
        long = F.when(bare.rlike(_EXPONENT), F.regexp_replace(bare.cast("decimal(38,9)").cast("string"), r"\.0+$", ""))
        bare = F.coalesce(long, bare)
    if column.type.kind == "bigint":
        bare = F.regexp_replace(bare, _SHOPIFY_ID, "$1")
    return F.when(~bare.isin(*null), bare) if null else bare


def value(column: Column, text: Expression) -> Expression:
    """The text as a value of the column's type; null where it is none."""
    return _READERS[column.type.kind](column.type, text)


def fault(column: Column, text: Expression, found: Expression, required: bool) -> Expression:
    """Why the cell may not pass, naming the column, the value and the type; null when it may."""
    name = F.lit(f"`{column.name}`")
    wrong = F.when(
        text.isNotNull() & found.isNull(),
        F.concat(name, F.lit(": "), quote(text), F.lit(f" is not {_article(column.type)}")),
    )
    if required:
        wrong = wrong.when(text.isNull(), F.concat(name, F.lit(" is missing, and it is required")))
    if column.type.kind in ("varchar", "super"):
        wrong = wrong.when(text.contains("\x00"), F.concat(name, F.lit(" holds a NUL character")))
    if column.type.kind == "varchar":
        length = F.octet_length(text)
        too_long = F.concat(
            name, F.lit(": "), length.cast("string"), F.lit(f" bytes do not fit {column.type.text}: "), quote(text)
        )
        wrong = wrong.when(length > column.type.size, too_long)
    return wrong


def _article(kind: Type) -> str:
    return f"an {kind.text}" if kind.text[0] in "i" else f"a {kind.text}"


def _integer(kind: Type, text: Expression) -> Expression:
    return F.when(text.rlike(_INTEGER), text.cast(kind.spark))


def _decimal(kind: Type, text: Expression) -> Expression:
    found = text.cast(kind.spark)
    plain = rf"^[+-]?\d*(\.\d{{0,{kind.scale}}}0*)?$"
    # The cast rounds. With an exponent, the double tells whether it did.
    kept = F.when(text.rlike(_EXPONENT), found.cast("double") == text.cast("double")).otherwise(text.rlike(plain))
    return F.when(text.rlike(_NUMBER) & kept, found)


def _double(kind: Type, text: Expression) -> Expression:
    found = text.cast(kind.spark)
    return F.when(text.rlike(_NUMBER) & (F.abs(found) < float("inf")), found)


def _boolean(_: Type, text: Expression) -> Expression:
    word = F.lower(text)
    return F.when(word.isin(*_TRUE), F.lit(True)).when(word.isin(*_FALSE), F.lit(False))


def _timestamp(_: Type, text: Expression) -> Expression:
    return F.when(text.rlike(_TIMESTAMP), F.regexp_replace(text, r"([+-]\d{2})(\d{2})$", "$1:$2").cast("timestamp"))


def _date(kind: Type, text: Expression) -> Expression:
    """A date, or the UTC date of a timestamp."""
    return F.when(text.rlike(_DATE + "$"), text.cast("date")).otherwise(_timestamp(kind, text).cast("date"))


def _super(_: Type, text: Expression) -> Expression:
    return F.when(F.json_array_length(F.concat(F.lit("["), text, F.lit("]"))) == 1, text)


_READERS: dict[str, Callable[[Type, Expression], Expression]] = {
    "smallint": _integer,
    "integer": _integer,
    "bigint": _integer,
    "decimal": _decimal,
    "double": _double,
    "boolean": _boolean,
    "date": _date,
    "timestamp": _timestamp,
    "varchar": lambda _, text: text,
    "super": _super,
}
