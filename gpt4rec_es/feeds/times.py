"""Times in shops' files: numbers in four units, ISO 8601 and its relatives, or typed timestamps.

A wrong unit would date a whole history to January 1970, and a wrong order of day and month would
shuffle it, so a time that can be read in two ways is refused.
"""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Literal

from gpt4rec_es.feeds.batches import ABSENT, BadRecordError, Micros, shown

DateOrder = Literal["day-first", "month-first"]

_SECOND = 1_000_000
# Times lie from 1970 up to here, 2200-01-01, in seconds.
_END = 7_258_118_400
# Unit -> microseconds as (multiplier, divisor).
_UNITS = {"s": (_SECOND, 1), "ms": (1000, 1), "us": (1, 1), "ns": (1, 1000)}
TIME_UNITS = ("auto", *_UNITS)
# Without a given unit a number must lie between 3 March 1973 and 2200 in one of the units. Dates
# such as 20111209 and 20111209125000 lie in the gaps between these ranges.
_RANGES = tuple(
    (unit, 100_000_000 * 1000**n, _END * 1000**n) for n, unit in enumerate(("s", "ms", "us", "ns"))
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A name of a zone other than these means different things in different countries; after a number
# it adds nothing.
_ZONE = (
    r"(?:Z|z|UTC|GMT)?\s*(?:(?P<sign>[+-])(?P<hours>\d{1,2}):?(?P<minutes>\d{2})?"
    r"(?:\s*(?:[+-]\d{4}|\(?[A-Z][A-Za-z ]{1,40}\)?))?)?"
)
_CLOCK = (
    r"(?:(?:[T,]|\s)\s*(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})"
    rf"(?:[.,](?P<fraction>\d{{1,9}}))?)?\s*(?P<half>[AaPp]\.?[Mm]\.?)?\s*{_ZONE})?"
)
_YEAR_FIRST = re.compile(rf"(?P<year>\d{{4}})([-/.])(?P<a>\d{{1,2}})\2(?P<b>\d{{1,2}}){_CLOCK}")
_YEAR_LAST = re.compile(rf"(?P<a>\d{{1,2}})([-/.])(?P<b>\d{{1,2}})\2(?P<year>\d{{4}}){_CLOCK}")


def event_micros(
    value: object,
    unit: str = "auto",
    order: DateOrder | None = None,
    pattern: str | None = None,
) -> int | None:
    """Return a time as microseconds since 1970 UTC, or None if the value is missing.

    Numbers are in ``unit`` ("s", "ms", "us", "ns"; "auto": by their size); text is ISO 8601 with
    any form of zone, or a date that ends with the year, in ``order``, or as ``pattern`` says (see
    ``datetime.strptime``). A time without zone is UTC.

    Raises:
        BadRecordError: not a time, or outside the years 1970 to 2199.
    """
    if type(value) is str:
        if pattern is not None:
            return _from_pattern(value.strip(), pattern)
        if value.isdecimal() and len(value) <= 20:
            return _from_number(int(value), unit)
        return _from_text(value.strip(), unit, order)
    return _from_typed(value, unit)


def _from_typed(value: object, unit: str) -> int | None:
    if value is None or value is ABSENT:
        return None
    if isinstance(value, Micros):
        return _in_range(int(value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _from_number(value, unit)
    if isinstance(value, datetime | date):
        return _from_text(value.isoformat(), unit, None)
    raise BadRecordError("bad_time", f"a time cannot be of type {type(value).__name__}")


def is_pattern(text: str) -> bool:
    """Return whether ``text`` is a pattern of strptime."""
    try:
        datetime.strptime("", text)  # noqa: DTZ007
    except ValueError as error:
        return "%" in text and "does not match" in str(error)
    return False


def order_of(text: str) -> DateOrder | Literal["either"] | None:
    """Return the only order of day and month that a date allows, "either", or None: no matter."""
    found = _YEAR_LAST.fullmatch(text.strip()) if len(text) <= 80 else None
    if found is None:
        return None
    first, second = int(found["a"]), int(found["b"])
    if first > 12 or second > 12:
        return "day-first" if first > 12 else "month-first"
    return None if first == second else "either"


def _from_number(value: float, unit: str) -> int:
    if not abs(value) < 1e20:  # also NaN
        raise BadRecordError("time_out_of_range", f"the time {shown(value)} is out of range")
    if unit == "auto":
        for name, low, high in _RANGES:
            if low <= value < high:
                unit = name
                break
        else:
            hint = "give the unit if it is one, or map another column"
            raise BadRecordError("bad_time", f"{shown(value)} does not look like a time: {hint}")
    multiplier, divisor = _UNITS[unit]
    return _in_range(round(value * multiplier) // divisor)


def _from_pattern(value: str, pattern: str) -> int | None:
    if not value:
        return None
    try:
        moment = datetime.strptime(value, pattern)  # noqa: DTZ007 - a missing zone is UTC
    except ValueError:
        raise BadRecordError("bad_time", f"{shown(value)} is not of the given format") from None
    return _since_epoch(moment)


def _from_text(value: str, unit: str, order: DateOrder | None) -> int | None:
    if not value:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        found = _YEAR_FIRST.fullmatch(value) or _YEAR_LAST.fullmatch(value)
        if found is None:
            return _from_number(_as_number(value), unit)
        moment = _from_parts(found, order)
    return _since_epoch(moment)


def _from_parts(found: re.Match[str], order: DateOrder | None) -> datetime:
    first, second = int(found["a"]), int(found["b"])
    if found.re is _YEAR_LAST:
        if order is None and first != second:
            raise BadRecordError(
                "bad_time",
                f"{shown(found[0])} may begin with the day or the month: give --time-format",
            )
        first, second = (second, first) if order == "day-first" else (first, second)
    hour = int(found["hour"] or 0)
    if found["half"]:
        if not 1 <= hour <= 12:
            raise BadRecordError("bad_time", f"{shown(found[0])} is no time")
        hour = hour % 12 + (12 if found["half"][0] in "Pp" else 0)
    offset = timedelta(hours=int(found["hours"] or 0), minutes=int(found["minutes"] or 0))
    micros = int((found["fraction"] or "0")[:6].ljust(6, "0"))
    try:
        return datetime(
            int(found["year"]),
            first,
            second,
            hour,
            int(found["minute"] or 0),
            int(found["second"] or 0),
            micros,
            timezone(-offset if found["sign"] == "-" else offset),
        )
    except ValueError:
        raise BadRecordError("bad_time", f"{shown(found[0])} is no time") from None


def _since_epoch(moment: datetime) -> int:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - _EPOCH
    return _in_range((since.days * 86_400 + since.seconds) * _SECOND + since.microseconds)


def _as_number(value: str) -> float:
    try:
        if "_" not in value:  # Python accepts it as a digit separator
            return float(value)
    except ValueError:
        pass
    raise BadRecordError("bad_time", f"{shown(value)} is no time")


def _in_range(micros: int) -> int:
    if not 0 <= micros < _END * _SECOND:
        raise BadRecordError("time_out_of_range", "the time lies outside the years 1970 to 2199")
    return micros
