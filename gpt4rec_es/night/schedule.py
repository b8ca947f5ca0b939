"""Due times of nights: when the nightly cron expression fires, and for which dates.

It does not use Celery, so that `gpt4rec runs ensure` under cron or systemd agrees with beat. At
clock changes it follows Debian's cron: a skipped time fires right after the gap, a repeated time
fires the first time.
"""

import datetime as dt
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from sqlalchemy import Engine

from gpt4rec_es.db.engine import retrying
from gpt4rec_es.db.rows.health import clock
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


def today(engine: Engine, timezone: str) -> dt.date:
    """Return today's date in ``timezone`` by the clock of the database server."""
    return retrying(engine, clock).astimezone(ZoneInfo(timezone)).date()


def require_not_future(engine: Engine, logical_date: dt.date, timezone: str) -> None:
    """Check that ``logical_date`` has begun in ``timezone`` by the database server's clock.

    Raises:
        UsageError: it is in the future; published, its run would exclude all nights before it.
    """
    latest = today(engine, timezone)
    if logical_date > latest:
        raise UsageError(
            f"{logical_date} is in the future: it is {latest} in {timezone}.",
            "A published night of a later date refuses all earlier ones. Check --date and "
            "GPT4REC_TIMEZONE, or add --allow-future in a test.",
        )
