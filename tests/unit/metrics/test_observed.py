"""Figures of lists from counts of users, and declines from nights."""

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gpt4rec_es.metrics.decline import DATES, Night, decline
from gpt4rec_es.metrics.observed import exact_interval, figures
from gpt4rec_es.metrics.significance import bootstrap_interval
from gpt4rec_es.tallies import Tally

TALLIES = [
    Tally("ok", 1, 1, 0, 0, 30),
    Tally("ok", 2, 1, 1, None, 20),
    Tally("no_history", 4, 0, 1, 0, 50),
]
DAY = dt.date(2026, 11, 22)


def test_figures_are_means_over_users() -> None:
    published, popularity, newest_title = figures(TALLIES, seed=1)
    assert (published.n_users, published.n_hit_users, published.n_hits) == (100, 50, 50)
    assert (published.hit_rate, published.gain) == (0.5, None)
    assert published.recall == pytest.approx((30 * 1 + 20 * 0.5) / 100)
    assert (popularity.n_hit_users, popularity.n_hits) == (70, 70)
    assert popularity.recall == pytest.approx((20 * 0.5 + 50 * 0.25) / 100)
    assert popularity.gain == pytest.approx((30 - 50) / 100)
    # Users whose title was not searched are left out, in the gain, too.
    assert (newest_title.n_users, newest_title.n_hit_users) == (80, 0)
    assert newest_title.gain == pytest.approx(30 / 80)


def test_intervals_are_those_of_resampled_users() -> None:
    (published, popularity, _) = figures(TALLIES, seed=1)
    gains = np.repeat([1.0, 0.0, -1.0], [30, 20, 50])
    users = bootstrap_interval(gains, seed=2)
    assert (popularity.gain_low, popularity.gain_high) == pytest.approx(
        (users.low, users.high), abs=0.02
    )
    exact = stats.binomtest(50, 100).proportion_ci(method="exact")
    assert (published.hit_rate_low, published.hit_rate_high) == pytest.approx(tuple(exact))
    assert figures(TALLIES, seed=1)[1] == popularity


@given(st.integers(1, 50).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_exact_intervals_are_scipys(counts: tuple[int, int]) -> None:
    hits, users = counts
    expected = stats.binomtest(hits, users).proportion_ci(method="exact")
    assert exact_interval(hits, users) == pytest.approx(tuple(expected))


def test_without_users_there_are_counts_of_nothing() -> None:
    for figure in figures([], seed=1):
        assert (figure.n_users, figure.n_hit_users, figure.hit_rate, figure.recall) == (
            *(0, 0),
            *(None, None),
        )


def test_equal_values_have_no_width() -> None:
    (published, *_) = figures([Tally("ok", 1, 1, 0, 0, 9)], seed=1)
    assert (published.recall_low, published.recall_high) == (1, 1)
    assert published.hit_rate_high == 1


def nights(published: list[int], popularity: list[int] | None = None) -> list[Night]:
    """Return one night of 100 users per number of users with a hit, newest last."""
    popular = popularity or [5] * len(published)
    return [
        Night(DAY + dt.timedelta(days=n), 100, *both)
        for n, both in enumerate(zip(published, popular, strict=True))
    ]


def test_most_nights_worse_by_more_than_chance_are_a_decline() -> None:
    found = decline(nights([20, 22, 24, 21, 23, 30, 35, 19, 21, 23, 20, 22, 29, 34]))
    assert found is not None
    assert found.is_declined
    assert (found.pairs, found.worse) == (7, 7)
    assert (found.before, found.hit_rate) == pytest.approx((0.25, 0.24))
    few = decline(nights([20] * 7 + [10] * 5 + [20] * 2))
    assert few is not None
    expected = stats.ttest_1samp([-0.1] * 5 + [0, 0], 0, alternative="less").pvalue
    assert few.p_value == pytest.approx(expected)
    assert few.is_declined, "five of seven"
    nothing = decline(nights([20] * 14, [0] * 14))
    assert nothing is not None
    assert (nothing.p_value, nothing.ratio_p_value) == (1, 1)


@pytest.mark.parametrize(
    ("published", "popularity"),
    [
        # One day may be as bad as it likes.
        ([20] * 13 + [0], None),
        # The weekend sells less, as the one before did.
        ([20, 20, 20, 20, 20, 5, 5] * 2, None),
        # Four of seven are worse.
        ([20] * 7 + [15] * 4 + [20] * 3, None),
        # Five fell, and two rose as much: that may be chance.
        ([20] * 7 + [15] * 5 + [25] * 2, None),
        # Demand alone changed: popular items lose as much.
        ([40] * 7 + [20] * 7, [10] * 7 + [5] * 7),
        # Less than two weeks are known.
        ([20] * 7 + [10] * 6, None),
    ],
)
def test_other_series_are_no_decline(published: list[int], popularity: list[int] | None) -> None:
    found = decline(nights(published, popularity))
    assert found is not None
    assert not found.is_declined


def test_dates_without_a_usable_night_are_bridged() -> None:
    series = nights([20] * 10 + [10] * 7)
    assert len(series) == DATES
    few = [Night(one.date, 10, 9, 0) if n == 12 else one for n, one in enumerate(series)]
    found = decline(few)
    # Dates 16 to 7 but 12; those up to 9 are as a week before.
    assert found is not None
    assert (found.pairs, found.worse) == (7, 6)
    assert decline(nights([20])) is None
    assert decline([Night(DAY, 29, 1, 1)]) is None
