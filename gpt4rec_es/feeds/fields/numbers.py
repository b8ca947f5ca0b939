"""Numbers written in text: decimal point or comma, separators between thousands, currencies.

``1.299`` is a sofa of 1,299 euros in one file and a litre of petrol in another. Which of them a
file means is decided per file, from the values that only one reading allows (``reading_of``).
"""

import re
from decimal import Decimal
from functools import lru_cache
from typing import Literal

DecimalMark = Literal["point", "comma"]

_SPACES = " \u00a0\u2007\u2009\u202f"
_APOSTROPHES = "'\u2019"
_CURRENCY = (
    r"(?:(?:US|CA|AU|NZ|HK|R|S|C|A|NT|MX)?\$|[\u00a2-\u00a5\u0e3f\u20a0-\u20c0]"
    r"|[A-Z]{3}|[Kk]r\.?|z\u0142|K\u010d|Ft|[Ll]ei|[Ll]v\.?|Rs\.?|Fr\.?|SFr\.?|Euro?|euros?"
    r"|\u043b\u0432\.?|\u0440\u0443\u0431\.?|\u0440\.|\u0433\u0440\u043d\.?|TL|\u5186|\u5143)"
)
_AMOUNT = re.compile(
    rf"(?:{_CURRENCY}[{_SPACES}]*)?"
    rf"(?P<sign>[+\-\u2212]?)(?P<number>[.,]?[0-9](?:[0-9.,{_SPACES}{_APOSTROPHES}]*[0-9])?)"
    r"(?:[.,](?:-{1,2}|\u2013|\u2014))?"  # 19,- is 19.00
    rf"(?:[{_SPACES}]*{_CURRENCY})?"
)
_GAPS = re.compile(rf"[0-9]{{1,3}}(?:[{_SPACES}{_APOSTROPHES}][0-9]{{3}})+(?![0-9])")
_GAP = re.compile(rf"[{_SPACES}{_APOSTROPHES}]")
# Thousands, and in India lakhs: 1,23,456.
_GROUPED = {
    mark: re.compile(rf"[1-9][0-9]{{0,2}}(?:{mark}[0-9]{{2,3}})*{mark}[0-9]{{3}}")
    for mark in (r"\.", ",")
}
_PLAIN = re.compile(r"[0-9]+")
_LONGEST = 60


@lru_cache(maxsize=65_536)
def number_in(
    text: str, decimal: DecimalMark = "point", *, currency: bool = True
) -> Decimal | None:
    """Return the number that ``text`` holds, or None if it is not one number.

    Text may carry a currency and separators between thousands: ``$1,234.00``; with ``decimal``
    "comma" ``1.234,00 EUR``. Spaces and apostrophes separate thousands in both.
    """
    found = _AMOUNT.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if found is None or (not currency and found[0] != found["sign"] + found["number"]):
        return None
    digits, had_gaps = _without_gaps(found["number"])
    group, point = (",", ".") if decimal == "point" else (".", ",")
    whole, mark, fraction = digits.partition(point)
    if _GROUPED[re.escape(group)].fullmatch(whole) and not had_gaps:
        whole = whole.replace(group, "")
    if not _PLAIN.fullmatch(whole or "0") or (mark and not _PLAIN.fullmatch(fraction)):
        return None
    number = Decimal(f"{whole or 0}.{fraction or 0}")
    return -number if found["sign"] in ("-", "\u2212") else number


@lru_cache(maxsize=65_536)
def reading_of(text: str) -> DecimalMark | Literal["either"] | None:
    """Return the only reading of a number in ``text``, "either" where two differ, else None.

    None: no number, or one that both readings agree on, as ``19``.
    """
    readings: dict[DecimalMark, Decimal] = {}
    for decimal in ("point", "comma"):
        number = number_in(text, decimal)
        if number is not None:
            readings[decimal] = number
    if len(readings) == 1:
        return next(iter(readings))
    if not readings or readings["point"] == readings["comma"]:
        return None
    return "either"


def _without_gaps(number: str) -> tuple[str, bool]:
    """Return a number without spaces and apostrophes between thousands, and if it had any."""
    found = _GAPS.match(number)
    if found is None:
        return number, False
    return _GAP.sub("", found[0]) + number[found.end() :], True
