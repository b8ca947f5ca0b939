"""Times in shops' files: numbers in four units, ISO 8601, or timestamps of typed formats.

A wrong unit would date a whole history to January 1970, so a number of ambiguous unit is refused.
"""

from datetime import UTC, date, datetime

from gpt4rec_es.feeds.batches import ABSENT, BadRecordError, Micros, shown

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


def event_micros(value: object, unit: str = "auto") -> int | None:
    """Return a time as microseconds since 1970 UTC, or None if the value is missing.

    Numbers are in ``unit`` ("s", "ms", "us", "ns"; "auto": by their size); text must be ISO 8601,
    where a time without zone is UTC.

    Raises:
        BadRecordError: not a time, or outside the years 1970 to 2199.
    """
    if type(value) is str:
        if value.isdecimal() and len(value) <= 20:
            return _from_number(int(value), unit)
        return _from_text(value.strip(), unit)
    if value is None or value is ABSENT:
        return None
    if isinstance(value, Micros):
        return _in_range(int(value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _from_number(value, unit)
    if isinstance(value, datetime | date):
        return _from_text(value.isoformat(), unit)
    raise BadRecordError("bad_time", f"a time cannot be of type {type(value).__name__}")


def _from_number(value: float, unit: str) -> int:
    if not abs(value) < 1e20:  # also NaN
        raise BadRecordError("time_out_of_range", f"the time {shown(value)} is out of range")
    if unit == "auto":
        found = next((name for name, low, high in _RANGES if low <= value < high), None)
        if found is None:
            hint = "give the unit if it is one, or map another column"
            raise BadRecordError("bad_time", f"{shown(value)} does not look like a time: {hint}")
        unit = found
    multiplier, divisor = _UNITS[unit]
    return _in_range(round(value * multiplier) // divisor)


def _from_text(value: str, unit: str) -> int | None:
    if not value:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return _from_number(_as_number(value), unit)
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
