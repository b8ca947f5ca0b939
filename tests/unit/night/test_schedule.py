"""Due nights, with known dates."""

import datetime as dt

import pytest

from gpt4rec_es.errors import UsageError
from gpt4rec_es.night.schedule import due_date, last_fire


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("cron", "zone", "now", "expected"),
    [
        ("0 2 * * *", "UTC", "2026-11-22T02:00:00+00:00", "2026-11-22T02:00:00+00:00"),
        ("0 2 * * *", "UTC", "2026-11-22T01:59:59+00:00", "2026-11-21T02:00:00+00:00"),
        ("30 23 * * *", "UTC", "2026-01-01T00:10:00+00:00", "2025-12-31T23:30:00+00:00"),
        ("*/20 1-2 * * *", "UTC", "2026-11-22T12:00:00+00:00", "2026-11-22T02:40:00+00:00"),
        ("0 2 * * mon", "UTC", "2026-11-22T12:00:00+00:00", "2026-11-16T02:00:00+00:00"),
        ("0 2 1 * mon", "UTC", "2026-11-03T12:00:00+00:00", "2026-11-02T02:00:00+00:00"),
        ("0 2 29 2 *", "UTC", "2024-11-03T12:00:00+00:00", "2024-02-29T02:00:00+00:00"),
        # New York is five hours behind in winter.
        ("0 2 * * *", "America/New_York", "2026-11-22T06:59:00+00:00", "2026-11-21T07:00:00+00:00"),
        # 02:30 did not exist on the day clocks went forward: 03:00 came right after 01:59.
        ("30 2 * * *", "Europe/Berlin", "2026-03-29T12:00:00+00:00", "2026-03-29T01:00:00+00:00"),
        ("0 2 * * *", "Europe/Berlin", "2026-03-29T01:00:00+00:00", "2026-03-29T01:00:00+00:00"),
        ("0 2 * * *", "Europe/Berlin", "2026-03-29T00:59:59+00:00", "2026-03-28T01:00:00+00:00"),
        ("0 2 * * *", "America/New_York", "2026-03-08T12:00:00+00:00", "2026-03-08T07:00:00+00:00"),
        # 02:30 came twice on the day clocks went back: the first one counts.
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T12:00:00+00:00", "2026-10-25T00:30:00+00:00"),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00+00:00", "2026-10-25T00:30:00+00:00"),
    ],
)
def test_last_fire(cron: str, zone: str, now: str, expected: str) -> None:
    assert last_fire(cron, zone, at(now)).astimezone(dt.UTC) == at(expected)


def test_due_date_is_local() -> None:
    now = at("2026-11-21T20:30:00+00:00")
    assert due_date("0 2 * * *", "Asia/Tokyo", now) == dt.date(2026, 11, 22)
    assert due_date("0 6 * * *", "Asia/Tokyo", now) == dt.date(2026, 11, 21)


def test_a_line_that_never_fires_is_named() -> None:
    with pytest.raises(UsageError, match="0 2 30 2"):
        last_fire("0 2 30 2 *", "UTC", at("2026-11-22T12:00:00+00:00"))
