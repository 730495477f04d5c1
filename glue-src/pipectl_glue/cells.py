"""One cell: its text to a value of the declared type, or the reason why not. All as Spark SQL.

A value is never bent to fit: a number that would be rounded, cut or overflow is a reason, as is text that is too long.
The expressions are text and not `Column` objects because each call that builds one of those is a trip to the JVM, and a
table of 300 columns takes seconds of them.
"""

from collections.abc import Callable

from pipectl_glue import regional
from pipectl_glue.contract import VARCHAR_BYTES
from pipectl_glue.document import Column, Csv
from pipectl_glue.schema import Type
from pipectl_glue.sql import literal

_SPACE = " \t\r\n\f\v\u00a0"
_INTEGER = r"^[+-]?\d{1,40}(\.0*)?$"
_NUMBER = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?$"
# A zero with 18 places is written as 0E-18.
_NOTHING_BEHIND = r"(\.0+|E-18)$"
_EXPONENT = r"^[+-]?(\d+(\.\d*)?|\.\d+)[eE][+-]?\d{1,3}$"
_DATE = r"^\d{4}-\d{2}-\d{2}"
_TIME = r"[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?"
_ZONE = r" ?(Z|UTC|[+-]\d{2}(:?\d{2})?)"
_TIMESTAMP = f"{_DATE}({_TIME}({_ZONE})?)?$"
# What Spark's cast takes as it is.
_WHOLE_TIMESTAMP = f"{_DATE}[T ]" + r"\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})?$"
_NO_SECONDS = r"^(\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2})( ?[A-Z+-].*)$"
_BARE_ZONE = r"([+-]\d{2})(\d{2})$"
_SHOPIFY_ID = r"^gid://shopify/\w+/(\d+)(\?.*)?$"
_TRUE = ("true", "t", "yes", "y", "1")
_FALSE = ("false", "f", "no", "n", "0")
_INTEGERS = ("smallint", "integer", "bigint")
_SHORT = 40
# The whole of a row.
_MOST_ROW_BYTES = 4 * 1024 * 1024
# Code points that Unicode reserves for programs' own use; Redshift refuses texts with them.
_NONCHARACTERS = (
    "[\\x{FDD0}-\\x{FDEF}" + "".join(f"\\x{{{plane:X}FFFE}}\\x{{{plane:X}FFFF}}" for plane in range(17)) + "]"
)
# A NUL as JSON writes it; a backslash before it would be one of the text.
_ESCAPED_NUL = "\\u0000"
_JSON_NUL = r"(?<!\\)(\\\\)*\\u0000"
# A number of JSON with so many digits in its exponent that it may be no double.
_LARGE_EXPONENT = r"[0-9][eE]\+?[0-9]{3}"
_NUMBERS_IN_JSON = r"-?[0-9]+(\.[0-9]+)?[eE]\+?[0-9]{3,}"


def trimmed(column: Column, text: str, style: Csv | None = None) -> str:
    """The text as it is read, null where the file's way of writing null stands.

    Space around a number or a date is not part of it; around a text it is.
    """
    null = style.null if style else ()
    if style and style.escape:
        # MySQL, Hive and PostgreSQL write "no value" so, whatever else is declared.
        null = (*null, f"{style.escape}N")
    bare = text
    if column.type.kind not in ("super", "varchar"):
        bare = f"btrim({text}, {literal(_SPACE)})"
    if style:
        bare = regional.plain(column.type.kind, bare, style)
    if column.type.kind in _INTEGERS:
        plain = bare
        # JSON writers print 12000000.0 as 1.2E7; written out, it is an integer if nothing is left behind the point.
        exact = f"CAST({bare} AS DECIMAL(38,18))"
        written = f"regexp_replace(CAST({exact} AS STRING), {literal(_NOTHING_BEHIND)}, '')"
        # The cast rounds; the double shows whether it did.
        kept = f"CAST({exact} AS DOUBLE) = CAST({bare} AS DOUBLE)"
        is_exact = f"{_may_have_exponent(bare)} AND {bare} RLIKE {literal(_EXPONENT)} AND {kept}"
        bare = f"CASE WHEN coalesce({is_exact}, false) THEN {written} ELSE {bare} END"
        if column.type.kind == "bigint":
            gid = f"regexp_replace({plain}, {literal(_SHOPIFY_ID)}, '$1')"
            bare = f"CASE WHEN startswith({plain}, 'gid:') THEN {gid} ELSE {bare} END"
        # Most numbers are written as they are printed, and need no pattern.
        bare = f"CASE WHEN {_is_plain(plain, 'BIGINT')} THEN {plain} ELSE {bare} END"
    return f"CASE WHEN NOT {bare} IN ({_list(null)}) THEN {bare} END" if null else bare


def value(column: Column, text: str) -> str:
    """The text as a value of the column's type; null where it is none."""
    if column.timezone:
        return _zoned_date(column.type, text, column.timezone)
    return _READERS[column.type.kind](column.type, text)


def fault(column: Column, text: str, found: str, required: bool) -> str:
    """Why the cell may not pass, naming the column, the value and the type; null when it may."""
    kind = column.type
    missing = literal(f"`{column.name}` is missing, and it is required")
    cases = [f"WHEN {text} IS NULL THEN {missing}"] if required else []
    if kind.kind in ("varchar", "super"):
        nul = literal(f"`{column.name}` holds a NUL character")
        cases.append(f"WHEN contains({text}, {literal(chr(0))}) THEN {nul}")
        strange = literal(f"`{column.name}` holds a character that is none (U+FDD0 to U+FDEF, U+FFFE, U+FFFF)")
        # Only texts beyond ASCII can hold one.
        is_long = f"octet_length({text}) > length({text})"
        cases.append(f"WHEN {is_long} AND {text} RLIKE {literal(_NONCHARACTERS)} THEN {strange}")
    if kind.kind == "super":
        escaped = f"contains({text}, {literal(_ESCAPED_NUL)}) AND {text} RLIKE {literal(_JSON_NUL)}"
        cases.append(f"WHEN {escaped} THEN {nul}")
        large = literal(f"`{column.name}` holds a number that no double can be, and the warehouse refuses it")
        cases.append(f"WHEN {beyond_double(text)} THEN {large}")
        begin, end = literal(f"`{column.name}`: "), literal(f" bytes do not fit a super column ({VARCHAR_BYTES}): ")
        reason = f"concat({begin}, octet_length({text}), {end}, {quote(text)})"
        cases.append(f"WHEN octet_length({text}) > {VARCHAR_BYTES} THEN {reason}")
    if kind.kind == "varchar":
        begin, end = literal(f"`{column.name}`: "), literal(f" bytes do not fit {kind.text}: ")
        reason = f"concat({begin}, octet_length({text}), {end}, {quote(text)})"
        cases.append(f"WHEN octet_length({text}) > {kind.size} THEN {reason}")
    else:
        article = "an" if kind.text.startswith("i") else "a"
        begin, end = literal(f"`{column.name}`: "), literal(f" is not {article} {kind.text}")
        cases.append(f"WHEN {text} IS NOT NULL AND {found} IS NULL THEN concat({begin}, {quote(text)}, {end})")
    return f"CASE {' '.join(cases)} END"


def beyond_double(json: str) -> str:
    """Whether a number of a JSON value, outside of its texts, is larger than a double can be."""
    escapes, texts = literal(r"\\."), literal('"[^"]*"')
    bare = f"regexp_replace(regexp_replace({json}, {escapes}, ''), {texts}, '')"
    numbers = f"regexp_extract_all({bare}, {literal(_NUMBERS_IN_JSON)}, 0)"
    is_infinite = f"exists({numbers}, number -> abs(CAST(number AS DOUBLE)) = double('infinity'))"
    return f"({json} RLIKE {literal(_LARGE_EXPONENT)} AND {is_infinite})"


def row_fault(columns: list[tuple[Column, str]]) -> str | None:
    """Why a row as a whole is too large, as Spark SQL; None when the columns cannot hold so much."""
    texts = [(column, text) for column, text in columns if column.type.kind in ("varchar", "super")]
    if sum(column.type.size or VARCHAR_BYTES for column, _ in texts) <= _MOST_ROW_BYTES:
        return None
    total = " + ".join(f"coalesce(octet_length({text}), 0)" for _, text in texts)
    begin, end = literal("the row has "), literal(f" bytes of text, and the warehouse takes {_MOST_ROW_BYTES}")
    return f"CASE WHEN {total} > {_MOST_ROW_BYTES} THEN concat({begin}, {total}, {end}) END"


def quote(text: str) -> str:
    """A value as a reason shows it: in quotes, shortened."""
    short = f"CASE WHEN length({text}) > {_SHORT} THEN concat(left({text}, {_SHORT}), '…') ELSE {text} END"
    return f"concat('\"', {short}, '\"')"


def none_if_empty(text: str) -> str:
    """The text, or null instead of nothing."""
    return f"CASE WHEN {text} != '' THEN {text} END"


def together(faults: list[str]) -> str:
    """All reasons in one text, which is empty when there is none."""
    return f"concat_ws('; ', {', '.join(faults)})" if faults else "''"


def _list(texts: tuple[str, ...]) -> str:
    return ", ".join(map(literal, texts))


def _is_plain(text: str, kind: str) -> str:
    """Whether a text is what its number is printed as: then the cast is exact. Cheaper than any pattern."""
    return f"CAST(CAST({text} AS {kind}) AS STRING) = {text}"


def _may_have_exponent(text: str) -> str:
    return f"(contains({text}, 'e') OR contains({text}, 'E'))"


def _integer(kind: Type, text: str) -> str:
    found = f"CAST({text} AS {kind.kind})"
    return f"CASE WHEN {_is_plain(text, kind.kind)} OR {text} RLIKE {literal(_INTEGER)} THEN {found} END"


def _decimal(kind: Type, text: str) -> str:
    found = f"CAST({text} AS {kind.text})"
    plain = rf"^[+-]?\d*(\.\d{{0,{kind.scale}}}0*)?$"
    # The cast rounds. With an exponent, the double tells whether it did.
    kept = (
        f"CASE WHEN {_may_have_exponent(text)} AND {text} RLIKE {literal(_EXPONENT)} "
        f"THEN CAST({found} AS DOUBLE) = CAST({text} AS DOUBLE) ELSE {text} RLIKE {literal(plain)} END"
    )
    is_exact = f"{_is_plain(text, kind.text)} OR ({text} RLIKE {literal(_NUMBER)} AND {kept})"
    return f"CASE WHEN {is_exact} THEN {found} END"


def _double(_: Type, text: str) -> str:
    found = f"CAST({text} AS DOUBLE)"
    return f"CASE WHEN {text} RLIKE {literal(_NUMBER)} AND abs({found}) < double('infinity') THEN {found} END"


def _boolean(_: Type, text: str) -> str:
    yes, no = _list(_TRUE), _list(_FALSE)
    return f"CASE WHEN lower({text}) IN ({yes}) THEN true WHEN lower({text}) IN ({no}) THEN false END"


def _timestamp(_: Type, text: str) -> str:
    # Spark reads a zone only behind seconds.
    whole = f"regexp_replace({text}, {literal(_NO_SECONDS)}, '$1:00$2')"
    zoned = f"regexp_replace({whole}, {literal(_BARE_ZONE)}, '$1:$2')"
    # The session's zone is UTC; for a zone in the text, Spark compiles two patterns with each value.
    bare = f"CASE WHEN endswith({text}, 'Z') THEN left({text}, length({text}) - 1) ELSE {text} END"
    return (
        f"CASE WHEN {text} RLIKE {literal(_WHOLE_TIMESTAMP)} THEN CAST({bare} AS TIMESTAMP) "
        f"WHEN {text} RLIKE {literal(_TIMESTAMP)} THEN CAST({zoned} AS TIMESTAMP) END"
    )


def _date(kind: Type, text: str) -> str:
    """A date, or the UTC date of a timestamp."""
    plain = literal(f"{_DATE}$")
    return f"CASE WHEN {text} RLIKE {plain} THEN CAST({text} AS DATE) ELSE CAST({_timestamp(kind, text)} AS DATE) END"


def _zoned_date(kind: Type, text: str, zone: str) -> str:
    """A date; that of a time with a zone is the one that it has in another."""
    moment = f"from_utc_timestamp({_timestamp(kind, text)}, {literal(zone)})"
    is_zoned = f"{text} RLIKE {literal(f'{_TIME}{_ZONE}$')}"
    return f"CASE WHEN {is_zoned} THEN CAST({moment} AS DATE) ELSE {_date(kind, text)} END"


def _super(_: Type, text: str) -> str:
    array = f"concat('[', {text}, ']')"
    # `json_array_length` takes texts in single quotes, which Redshift does not.
    strict = f"size(from_json({array}, 'array<string>', map('allowSingleQuotes', 'false'))) = 1"
    valid = f"json_array_length({array}) = 1 AND (NOT contains({text}, {literal(chr(39))}) OR {strict})"
    return f"CASE WHEN {valid} THEN {text} END"


_READERS: dict[str, Callable[[Type, str], str]] = {
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
