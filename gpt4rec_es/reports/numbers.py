"""Numbers, dates and texts as pages show them: with units, the same in every locale.

Groups of three digits are separated by a narrow space and fractions by a point (ISO 80000-1), and
dates are ISO 8601 in UTC.
"""

import datetime as dt
from decimal import Decimal

from gpt4rec_es.logs import one_line

NARROW = "\u202f"
_MINUS = "\u2212"
NONE = "\u2013"
# Characters of a text from a catalog or a model that a page shows.
LONGEST = 240


def count(number: int | Decimal | None) -> str:
    """Return a whole number with its digits in groups; None: a dash."""
    if number is None:
        return NONE
    return f"{int(number):,}".replace(",", NARROW).replace("-", _MINUS)


def signed(number: int) -> str:
    """Return a change: +12, -3 with a minus sign, or 0."""
    return f"+{count(number)}" if number > 0 else count(number)


def share(part: float, whole: float) -> str:
    """Return a part as a percentage with one decimal; a dash where there is no whole.

    A share that is not all, or not none, is never rounded to 100 % or 0 %.
    """
    if not whole:
        return NONE
    shown = f"{100 * part / whole:.1f}"
    if shown == "100.0" and part < whole:
        shown = "> 99.9"
    elif shown == "0.0" and part > 0:
        shown = "< 0.1"
    return f"{shown.removesuffix('.0')}{NARROW}%"


def seconds(length: float | None) -> str:
    """Return a length of time in the two largest units that it has; None: a dash."""
    if length is None:
        return NONE
    if length < 10:
        return f"{length:.1f}{NARROW}s"
    whole = round(length)
    if whole < 60:
        return f"{whole}{NARROW}s"
    if whole < 3600:
        return f"{whole // 60}{NARROW}min {whole % 60:02}{NARROW}s"
    return f"{whole // 3600}{NARROW}h {whole % 3600 // 60:02}{NARROW}min"


def real(number: float | None, digits: int = 4) -> str:
    """Return a number with ``digits`` significant digits; None: a dash."""
    return NONE if number is None else f"{number:.{digits}g}".replace("-", _MINUS)


def moment(time: dt.datetime | None) -> str:
    """Return a time to the minute, in UTC; None: a dash."""
    return NONE if time is None else time.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M UTC")


def short(text: str | None) -> str:
    """Return a text with control characters escaped, cut after 240 characters; None: a dash."""
    if text is None:
        return NONE
    shown = one_line(text)
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "\u2026"


def plural(number: int, noun: str, several: str = "") -> str:
    """Return a number with its noun: 1 user, 2 000 users; ``several``: its irregular plural."""
    return f"{count(number)} {noun if number == 1 else several or noun + 's'}"
