"""Which night is due: the last time the nightly cron line fired, and its date.

Kept apart from Celery, so that `gpt4rec runs ensure` under cron or systemd agrees with beat.
"""

import datetime as dt
from zoneinfo import ZoneInfo

from gpt4rec_es.errors import UsageError

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def last_fire(cron: str, timezone: str, now: dt.datetime) -> dt.datetime:
    """Return the latest time not after ``now`` at which ``cron`` fires, in ``timezone``.

    cron: minute, hour, day of month, month, day of week (0 = Sunday). As in cron, days match
    either of two restricted day fields. A local time that a clock change skips does not fire; one
    that comes twice fires the first time.

    Raises:
        UsageError: it has not fired within a year.
    """
    minutes, hours, days, months, weekdays = _parse(cron)
    day_fields = cron.split()[2], cron.split()[4]
    zone = ZoneInfo(timezone)
    local = now.astimezone(zone)
    for back in range(367):
        day = local.date() - dt.timedelta(days=back)
        in_month = day.day in days
        in_week = (day.weekday() + 1) % 7 in weekdays
        either = "*" not in day_fields
        if day.month not in months or not (in_month or in_week if either else in_month and in_week):
            continue
        for hour in sorted(hours, reverse=True):
            for minute in sorted(minutes, reverse=True):
                fire = dt.datetime.combine(day, dt.time(hour, minute), tzinfo=zone)
                exists = fire.astimezone(dt.UTC).astimezone(zone).replace(fold=0) == fire
                if exists and fire <= now:
                    return fire
    raise UsageError(
        f"GPT4REC_NIGHTLY_CRON {cron!r} has not fired within a year.", "Check its date fields."
    )


def due_date(cron: str, timezone: str, now: dt.datetime | None = None) -> dt.date:
    """Return the date of the night that is due at ``now`` (None: this moment)."""
    return last_fire(cron, timezone, now or dt.datetime.now(dt.UTC)).date()


def today(timezone: str) -> dt.date:
    """Return today's date in ``timezone``."""
    return dt.datetime.now(ZoneInfo(timezone)).date()


def _parse(cron: str) -> tuple[set[int], set[int], set[int], set[int], set[int]]:
    minute, hour, day, month, weekday = cron.lower().split()
    return (
        _field(minute, 0, 59),
        _field(hour, 0, 23),
        _field(day, 1, 31),
        _field(month, 1, 12, _MONTHS),
        _field(weekday, 0, 6, _DAYS),
    )


def _field(text: str, low: int, high: int, names: tuple[str, ...] = ()) -> set[int]:
    """Return the numbers that one cron field allows; settings checked its form already."""
    allowed: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        if span == "*":
            first, last = low, high
        else:
            ends = [names.index(end) + low if end in names else int(end) for end in span.split("-")]
            first, last = ends[0], high if slash and len(ends) == 1 else ends[-1]
        allowed.update(range(first, last + 1, int(step) if slash else 1))
    return allowed
