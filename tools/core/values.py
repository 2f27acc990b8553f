"""Metadata values by type: what a cell of a file means as a boolean, a number, a date, a string."""

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from corpuscope.tools.core.schema import ColumnType, Scalar

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?", re.ASCII)
_DATE = re.compile(
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d+)?)?( ?(Z|UTC|[-+]\d\d(:?\d\d)?))?)?", re.ASCII
)
DAY_NUMBERS = (25_569, 54_789)
"""Excel's numbers of the days from 1970 to 2049; it counts from the end of 1899."""

EXCEL_EPOCH = datetime(1899, 12, 30)
_DAY_NUMBER = re.compile(r"\d{5}(\.\d+)?", re.ASCII)
_PLAIN_DAY = re.compile(r"(19|20)\d{6}", re.ASCII)

SINGLE = (str, int, float, Decimal, date, time, timedelta)
"""The types of single values; a list or an object is none."""


def is_missing(value: object) -> bool:
    """Whether a cell says nothing: None, a blank string, a number that is not finite."""
    if isinstance(value, str):
        return not value or value.isspace()
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().casefold() in ("true", "false"):
        return value.strip().casefold() == "true"
    raise ValueError("not a boolean")


def _number(value: object) -> int | float:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = int(value) if value.removeprefix("-").isdigit() else float(value)
    elif isinstance(value, Decimal):
        value = float(value)
    # Milvus keeps integers of 64 bits; longer ones are ids and stay strings.
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise ValueError("not a finite number")


def is_numeric(value: object) -> bool:
    """Whether a cell is a number, or is written like one."""
    if isinstance(value, str):
        return _NUMBER.fullmatch(value.strip()) is not None
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _date_of_number(value: object) -> datetime:
    """The moment of a day's number in Excel, 42059.48, or of a day written 20150224."""
    written = str(value).strip()
    if _PLAIN_DAY.fullmatch(written):
        return datetime.strptime(written, "%Y%m%d")
    if not _DAY_NUMBER.fullmatch(written):
        raise ValueError("not a date")
    days = float(written)
    if not DAY_NUMBERS[0] <= days < DAY_NUMBERS[1]:
        raise ValueError("not the number of a day")
    # Excel keeps 15 digits: a moment is right to the second.
    return EXCEL_EPOCH + timedelta(seconds=round(days * 86_400))


def _date(value: object) -> str:
    """ISO 8601, in UTC where a zone is given, so that the order of strings is that of time.

    Numbers are days where they can be: whether a column of numbers is one of dates, its name says.
    """
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, date):
        return value.isoformat()
    elif is_numeric(value):
        moment = _date_of_number(value)
    else:
        written = value.strip() if isinstance(value, str) else ""
        if not _DATE.fullmatch(written):
            raise ValueError("not an ISO date")
        clock = written[11:].replace(" ", "").replace("UTC", "Z")
        moment = datetime.fromisoformat(written[:11] + clock)
    if moment.tzinfo is not None:
        return moment.astimezone(UTC).isoformat()
    # Spreadsheets have no other way to say a day than its midnight.
    return moment.date().isoformat() if moment.time() == time(0) else moment.isoformat()


def _string(value: object) -> str:
    if isinstance(value, str):
        return without_controls(value)
    if not isinstance(value, SINGLE):
        raise ValueError("not a single value")
    return str(value)


PARSERS: dict[ColumnType, Callable[[object], Scalar]] = {
    "boolean": _boolean,
    "number": _number,
    "date": _date,
    "string": _string,
}
"""Each raises ValueError or OverflowError where the value is not of its type."""


def without_controls(text: str) -> str:
    """The text without control characters except newline and tab (Milvus ends a string at NUL),
    and without halves of characters that UTF-8 cannot write."""
    # isprintable is the quicker of the two and settles most texts.
    if text.isprintable() or not CONTROL.search(text):
        return text
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return CONTROL.sub("", whole.replace("\r\n", "\n").replace("\r", "\n"))
