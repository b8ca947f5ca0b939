"""Numbers have units and are the same in every locale."""

import datetime as dt

import pytest

from gpt4rec_es.reports import numbers

N = numbers.NARROW


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (numbers.count(1_234_567), f"1{N}234{N}567"),
        (numbers.count(-1234), f"\u22121{N}234"),
        (numbers.count(None), "\u2013"),
        (numbers.signed(5), "+5"),
        (numbers.signed(0), "0"),
        (numbers.signed(-5), "\u22125"),
        (numbers.share(1, 8), f"12.5{N}%"),
        (numbers.share(1, 1), f"100{N}%"),
        (numbers.share(0, 5), f"0{N}%"),
        (numbers.share(0, 0), "\u2013"),
        (numbers.share(99_999, 100_000), f"> 99.9{N}%"),
        (numbers.share(1, 100_000), f"< 0.1{N}%"),
        (numbers.seconds(None), "\u2013"),
        (numbers.seconds(0.25), f"0.2{N}s"),
        (numbers.seconds(59.4), f"59{N}s"),
        (numbers.seconds(61), f"1{N}min 01{N}s"),
        (numbers.seconds(3725), f"1{N}h 02{N}min"),
        (numbers.real(-0.12345), "\u22120.1235"),
        (numbers.real(None), "\u2013"),
        (numbers.moment(None), "\u2013"),
        (numbers.short(None), "\u2013"),
        (numbers.short("a\x1b[1m\u202eb"), "a\\x1b[1m\\u202eb"),
        (numbers.short("x" * 241), "x" * 239 + "\u2026"),
        (numbers.plural(1, "query", "queries"), "1 query"),
        (numbers.plural(2, "query", "queries"), "2 queries"),
        (numbers.plural(2000, "user"), f"2{N}000 users"),
    ],
)
def test_shown(shown: str, expected: str) -> None:
    assert shown == expected


def test_moments_are_in_utc() -> None:
    east = dt.timezone(dt.timedelta(hours=5))
    assert numbers.moment(dt.datetime(2026, 11, 22, 2, 30, tzinfo=east)) == "2026-11-21 21:30 UTC"
