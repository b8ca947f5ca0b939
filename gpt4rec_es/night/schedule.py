"""Due times of nights: when the nightly cron expression fires, and for which dates.

It does not use Celery, so that `gpt4rec runs ensure` under cron or systemd agrees with beat. At
clock changes it follows Debian's cron: a skipped time fires right after the gap, a repeated time
fires the first time.
"""

import datetime as dt
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from gpt4rec_es.errors import UsageError

# Periods to search for the latest firing, shortest first: an expression that fires each minute has
# thousands in a few days, one that fires once a year has none.
_DAYS_BACK = (2, 40, 367)


def last_fire(cron: str, timezone: str, now: dt.datetime) -> dt.datetime:
    """Return the latest time not after ``now`` at which ``cron`` fires, in ``timezone``.

    cron: minute, hour, day of month, month, day of week (0 or 7 = Sunday). As in cron, days match
    either of two restricted day fields.

    Raises:
        UsageError: it has not fired within a year.
    """
    for days in _DAYS_BACK:
        latest = None
        fire = next_fire(cron, timezone, now - dt.timedelta(days=days))
        while fire <= now:
            latest = fire
            fire = next_fire(cron, timezone, fire)
        if latest is not None:
            return latest
    raise UsageError(
        f"GPT4REC_NIGHTLY_CRON {cron!r} has not fired within a year.", "Check its date fields."
    )


def next_fire(cron: str, timezone: str, after: dt.datetime) -> dt.datetime:
    """Return the first time after ``after`` at which ``cron`` fires, in ``timezone``.

    Raises:
        UsageError: it never fires.
    """
    try:
        return next(CronSim(cron, after.astimezone(ZoneInfo(timezone))))
    except (CronSimError, StopIteration) as error:
        raise UsageError(
            f"GPT4REC_NIGHTLY_CRON {cron!r} never fires.", "Check its date fields."
        ) from error


def due_date(cron: str, timezone: str, now: dt.datetime | None = None) -> dt.date:
    """Return the date of the night that is due at ``now`` (None: this moment)."""
    return last_fire(cron, timezone, now or dt.datetime.now(dt.UTC)).date()


def today(timezone: str) -> dt.date:
    """Return today's date in ``timezone``."""
    return dt.datetime.now(ZoneInfo(timezone)).date()
