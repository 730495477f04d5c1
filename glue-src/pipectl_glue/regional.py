"""Numbers and dates as people write them where a comma stands before the decimals, to how the casts want them."""

import re

from pipectl_glue.document import Csv
from pipectl_glue.sql import literal

_NUMBERS = ("smallint", "integer", "bigint", "decimal", "double")
_TIMES = ("date", "timestamp")
_HALF_DAY = "(?i)[ap]m$"


def plain(kind: str, text: str, style: Csv) -> str:
    """The text with a point before the decimals and nothing between thousands, or with its date as 2026-12-31."""
    if kind in _NUMBERS and (style.decimal != "." or style.thousands):
        return _number(text, style)
    if kind in _TIMES and style.date_format:
        return _time(text, style.date_format)
    return text


def _number(text: str, style: Csv) -> str:
    bare = text
    if style.thousands:
        mark = re.escape(style.thousands)
        # Thousands are three digits: 1.5 with a point between thousands is no 15.
        grouped = literal(rf"^[+-]?\d{{1,3}}({mark}\d{{3}})+({re.escape(style.decimal)}\d*)?$")
        bare = f"CASE WHEN {text} RLIKE {grouped} THEN replace({text}, {literal(style.thousands)}, '') ELSE {text} END"
    if style.decimal == ".":
        return bare
    # What has a point and no comma could be meant either way.
    unclear = f"concat({text}, ' (decimal comma)')"
    return f"CASE WHEN contains({bare}, '.') THEN {unclear} ELSE replace({bare}, {literal(style.decimal)}, '.') END"


def _time(text: str, pattern: str) -> str:
    """A date in the declared format, with an optional time: `14:05`, `8:26:09`, `1:05:09 PM`."""
    day_time = _timestamp(text, f"{pattern}[ H:mm[:ss]]")
    half_day = _timestamp(text, f"{pattern} h:mm[:ss][ ]a")
    is_half_day = f"{text} RLIKE {literal(_HALF_DAY)}"
    found = f"CASE WHEN {is_half_day} THEN {half_day} ELSE {day_time} END"
    shown = f"date_format({found}, 'yyyy-MM-dd HH:mm:ss')"
    iso = literal(r"^\d{4}-\d{2}-\d{2}")
    return f"CASE WHEN {text} RLIKE {iso} THEN {text} ELSE coalesce({shown}, {text}) END"


def _timestamp(text: str, pattern: str) -> str:
    return f"to_timestamp({text}, {literal(pattern)})"
