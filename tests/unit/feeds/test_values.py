"""Each kind of field: valid values as Postgres stores them, invalid ones with a reason."""

import math
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt4rec_es.feeds.batches import ABSENT, BadRecordError, Micros
from gpt4rec_es.feeds.fields.flags import flag
from gpt4rec_es.feeds.times import event_micros
from gpt4rec_es.feeds.values import (
    external_id,
    order_number,
    price_amount,
    rating_number,
)

S = 1_000_000
NOON = 1323435000
HUGE = pytest.param(10**9000, id="huge")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("A1", "A1"),
        ("x" * 512, "x" * 512),
        ("日本", "日本"),
        ("a b", "a b"),
        (17, "17"),
        (20002.0, "20002"),
        (b"A1", "A1"),
        ("0017", "0017"),
    ],
)
def test_ids_come_out_as_they_are(value: object, expected: str) -> None:
    assert external_id(value, "item id") == expected


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("", "missing_id"),
        (None, "missing_id"),
        (ABSENT, "missing_id"),
        (" A1", "bad_id"),
        ("A1 ", "bad_id"),
        (" ", "bad_id"),
        ("\u00a0A1", "bad_id"),
        ("A\x001", "bad_id"),
        ("A\x1b[31m", "bad_id"),
        ("A\u202e1", "bad_id"),
        ("A\ud800", "bad_id"),
        ("x" * 513, "id_too_long"),
        ("日" * 171, "id_too_long"),
        pytest.param(10**9000, "id_too_long", id="huge"),
        (1.5, "bad_id"),
        (math.nan, "bad_id"),
        (2.0**53, "bad_id"),
        (True, "bad_id"),
        (Micros(1), "bad_id"),
        (["A1"], "bad_id"),
        ({"a": 1}, "bad_id"),
        (b"\xff", "not_utf8"),
    ],
)
def test_bad_ids_have_a_reason(value: object, code: str) -> None:
    with pytest.raises(BadRecordError) as caught:
        external_id(value, "item id")
    assert caught.value.code == code
    assert "item id" in caught.value.reason
    assert caught.value.reason.isascii()


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (str(NOON), "auto", NOON * S),
        (f"{NOON}000", "auto", NOON * S),
        (f"{NOON}000000", "auto", NOON * S),
        (f"{NOON}000000000", "auto", NOON * S),
        (NOON, "auto", NOON * S),
        (float(NOON) + 0.25, "auto", NOON * S + 250_000),
        (f"{NOON}.5", "auto", NOON * S + 500_000),
        ("0", "s", 0),
        ("20111209", "s", 20111209 * S),
        (1588687728923, "ms", 1588687728923_000),
        ("2011-12-09T12:50:00Z", "auto", NOON * S),
        ("2011-12-09 12:50:00", "auto", NOON * S),
        ("2011-12-09T13:50:00+01:00", "ms", NOON * S),
        ("2011-12-09T12:50:00.123456Z", "auto", NOON * S + 123_456),
        ("2011-12-09", "auto", (NOON - 12 * 3600 - 50 * 60) * S),
        (date(2011, 12, 9), "auto", (NOON - 12 * 3600 - 50 * 60) * S),
        (datetime(2011, 12, 9, 12, 50, tzinfo=UTC), "auto", NOON * S),
        (Micros(5), "ms", 5),
        ("", "auto", None),
        (" ", "auto", None),
        (None, "auto", None),
        (ABSENT, "auto", None),
    ],
)
def test_times(value: object, unit: str, expected: int | None) -> None:
    assert event_micros(value, unit) == expected


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("20111209", "bad_time"),  # a date, not the August of 1970
        ("20111209125000", "bad_time"),
        ("5", "bad_time"),
        ("-5", "bad_time"),
        ("yesterday", "bad_time"),
        ("0044-03-15 BC", "bad_time"),
        ("1_323_435_000", "bad_time"),
        ("1969-12-31", "time_out_of_range"),
        ("2200-01-01", "time_out_of_range"),
        ("0001-01-01T00:00:00+14:00", "time_out_of_range"),
        ("9999-12-31T23:59:59-14:00", "time_out_of_range"),
        ("infinity", "time_out_of_range"),
        ("nan", "time_out_of_range"),
        ("1e999", "time_out_of_range"),
        (math.nan, "time_out_of_range"),
        (math.inf, "time_out_of_range"),
        pytest.param(10**9000, "time_out_of_range", id="huge"),
        ("9" * 20, "bad_time"),
        (True, "bad_time"),
        ([NOON], "bad_time"),
        (Micros(-1), "time_out_of_range"),
        (Micros(10**18), "time_out_of_range"),
    ],
)
def test_bad_times_have_a_reason(value: object, code: str) -> None:
    with pytest.raises(BadRecordError) as caught:
        event_micros(value)
    assert caught.value.code == code


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_given_unit_is_never_guessed(unit: str) -> None:
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    assert event_micros(3 * per_second, unit) == 3 * S
    with pytest.raises(BadRecordError):
        event_micros(8_000_000_000 * per_second, unit)


@given(st.one_of(st.text(), st.integers(), st.floats(), st.dates(), st.booleans()))
def test_a_time_is_in_range_or_refused(value: object) -> None:
    try:
        micros = event_micros(value)
    except BadRecordError:
        return
    assert micros is None or 0 <= micros < 7_258_118_400 * S


@pytest.mark.parametrize(
    ("value", "expected"),
    [("0", 0), ("17", 17), (17, 17), (17.0, 17), ("", None), (None, None), (ABSENT, None)],
)
def test_ordinals(value: object, expected: int | None) -> None:
    assert order_number(value) == expected


@pytest.mark.parametrize(
    "value", ["-1", -1, "1.5", 1.5, "x", math.nan, math.inf, 2**63, "9" * 21, True, HUGE, [1]]
)
def test_bad_ordinals(value: object) -> None:
    with pytest.raises(BadRecordError) as caught:
        order_number(value)
    assert caught.value.code == "bad_ordinal"


@pytest.mark.parametrize(
    ("value", "expected"),
    [("4.5", 4.5), (5, 5.0), (Decimal("3.5"), 3.5), ("-1", -1.0), ("", None), (None, None)],
)
def test_ratings(value: object, expected: float | None) -> None:
    assert rating_number(value) == expected


@pytest.mark.parametrize(
    "value", ["nan", "inf", "1e999", "x", math.nan, math.inf, 1e300, True, HUGE, [5], {}]
)
def test_bad_ratings(value: object) -> None:
    with pytest.raises(BadRecordError) as caught:
        rating_number(value)
    assert caught.value.code == "bad_rating"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("4.5", "4.50"),
        ("$1,234.00", "1234.00"),
        ("1,234,567.8", "1234567.80"),
        ("£ 3", "3.00"),
        ("9.99 EUR", "9.99"),
        ("0", "0.00"),
        (9.99, "9.99"),
        (3, "3.00"),
        (Decimal("2.345"), "2.34"),
        ("9999999999.99", "9999999999.99"),
    ],
)
def test_prices(value: object, expected: str) -> None:
    assert price_amount(value) == Decimal(expected)


@pytest.mark.parametrize("value", ["", "  ", None, ABSENT])
def test_no_price_is_none(value: object) -> None:
    assert price_amount(value) is None


@pytest.mark.parametrize(
    "value",
    [
        "NaN",
        "-1",
        "1e20",
        "1e3",
        "12,34",
        "1.234,00",
        "$5 - $9",
        "free",
        "1" * 100,
        -0.01,
        1e20,
        1e10,
        math.nan,
        math.inf,
        Decimal("NaN"),
        Decimal("9999999999.995"),
        HUGE,
        True,
        [1],
    ],
)
def test_bad_prices(value: object) -> None:
    with pytest.raises(BadRecordError) as caught:
        price_amount(value)
    assert caught.value.code == "bad_price"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("true", True),
        ("No", False),
        (" 1 ", True),
        (0, False),
        (True, True),
        ("", None),
        (None, None),
        (ABSENT, None),
    ],
)
def test_flags(value: object, expected: bool | None) -> None:
    assert flag(value) is expected


@pytest.mark.parametrize("value", ["maybe", 2, "'1", [], 1.5])
def test_bad_flags(value: object) -> None:
    with pytest.raises(BadRecordError) as caught:
        flag(value)
    assert caught.value.code == "bad_flag"
