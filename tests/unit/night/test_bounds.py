"""Bounds of measured fractions, on numbers computed by hand."""

import pytest

from gpt4rec_es.db.rows.measures import Measured
from gpt4rec_es.night.publish.checked import chance_of, is_low, most_by_usual
from gpt4rec_es.options.gates import GateLimits

LIMITS = GateLimits()


def test_chance_is_three_standard_errors() -> None:
    assert chance_of(0.5, 100) == pytest.approx(0.15)
    assert chance_of(0.0, 100) == pytest.approx(3 * (0.01 * 0.99 / 100) ** 0.5)
    assert chance_of(0.2, 1) == pytest.approx(1.5)  # of one user everything is chance


def test_the_usual_fraction_may_double() -> None:
    assert most_by_usual(Measured(0.1, 100), LIMITS) is None
    allowed = 2 * 0.1 + 0.05
    usual = most_by_usual(Measured(0.1, 10_000, 0.1), LIMITS)
    assert usual == pytest.approx(allowed + 3 * (allowed * (1 - allowed) / 10_000) ** 0.5)
    assert most_by_usual(Measured(0.1, 100, 0.9), LIMITS) == 1.0


@pytest.mark.parametrize(
    ("found", "limit", "is_within"),
    [
        (Measured(None, 0), 0.5, False),  # 0 of 0 does not pass
        (Measured(None, 0), 1.0, True),  # unless the limit is switched off
        (Measured(0.2, 1000), 0.2, True),
        (Measured(0.21, 1000), 0.2, False),
        (Measured(0.19, 10_000, 0.01), 0.2, False),  # far above the nights before
        (Measured(0.05, 10_000, 0.01), 0.2, True),
    ],
)
def test_a_fraction_is_within_its_limit(found: Measured, limit: float, is_within: bool) -> None:
    assert is_low(found, limit, LIMITS) is is_within


def test_few_users_may_exceed_a_limit_by_chance() -> None:
    few = Measured(0.6, 20)
    assert not is_low(few, 0.5, LIMITS)
    assert is_low(few, 0.5, LIMITS, small_n=True)
