"""Statements are shown with literals, and name the views that they read."""

import datetime as dt

import pytest

from gpt4rec_es.db.rows.readings import Reading, Value, literal


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "NULL"),
        (7, "7"),
        (dt.date(2026, 11, 22), "date '2026-11-22'"),
        ([1, 2], "ARRAY[1, 2]"),
        ("O'Neill; --", "'O''Neill; --'"),
    ],
)
def test_literals(value: Value, expected: str) -> None:
    assert literal(value) == expected


def test_casts_are_no_parameters() -> None:
    reading = Reading("SELECT n::bigint FROM analytics.runs JOIN analytics.users ON :run_id = x")
    assert reading.views == ("runs", "users")
    assert reading.written({"run_id": "a:b"}) == (
        "SELECT n::bigint FROM analytics.runs JOIN analytics.users ON 'a:b' = x"
    )
