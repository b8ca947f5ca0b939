"""Intervals and tests compared with exact results, and their rates of false positives."""

import itertools

import numpy as np
import pytest
from scipy import stats

from gpt4rec_es.errors import UsageError
from gpt4rec_es.metrics.significance import (
    Interval,
    best_of_test,
    bootstrap_interval,
    holm,
    permutation_test,
)


def test_an_interval_is_that_of_the_mean() -> None:
    values = np.random.default_rng(1).normal(3, 2, 4000)
    found = bootstrap_interval(values, seed=5)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.01)
    assert found.high == pytest.approx(values.mean() + half, abs=0.01)
    assert bootstrap_interval(values, seed=5) == found
    narrower = bootstrap_interval(values, seed=5, level=0.5)
    assert found.low < narrower.low < narrower.high < found.high


def test_users_without_a_value_are_left_out() -> None:
    assert bootstrap_interval(np.array([1.0, np.nan, 1.0]), seed=1) == Interval(1, 1, 1, 2)
    assert bootstrap_interval(np.array([0.5]), seed=1) == Interval(0.5, 0.5, 0.5, 1)
    with pytest.raises(UsageError, match="undefined for every user"):
        bootstrap_interval(np.array([np.nan]), seed=1)


def test_few_differences_are_counted_out_in_full() -> None:
    differences = np.array([3.0, 1.0, 2.0, -1.0, 0.0, np.nan, 4.0])
    moved = [3, 1, 2, -1, 4]
    sums = [
        sum(s * d for s, d in zip(signs, moved, strict=True))
        for signs in itertools.product((1, -1), repeat=5)
    ]
    expected = 2 * sum(one >= sum(moved) for one in sums) / len(sums)
    assert permutation_test(differences, seed=1) == pytest.approx(expected)
    assert permutation_test(-differences, seed=1) == pytest.approx(expected)


def test_many_differences_agree_with_the_t_test() -> None:
    chance = np.random.default_rng(3)
    for shift in (0.0, 0.05, 0.1):
        values = chance.normal(shift, 1, 900)
        t_test = stats.ttest_1samp(values, 0).pvalue
        assert permutation_test(values, seed=1) == pytest.approx(t_test, abs=0.02)


def test_a_single_difference_is_no_evidence() -> None:
    assert permutation_test(np.array([0.0, 0.5, 0.0]), seed=1) == 1


def test_no_difference_is_no_evidence() -> None:
    assert permutation_test(np.zeros(50), seed=1) == 1
    assert permutation_test(np.array([np.nan]), seed=1) == 1


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_one_candidate_is_the_plain_one_sided_test() -> None:
    values = np.random.default_rng(3).normal(0.06, 1, (1, 900))
    expected = stats.ttest_1samp(values[0], 0, alternative="greater").pvalue
    assert best_of_test(values, seed=1)[0] == pytest.approx(expected, abs=0.02)


def test_the_best_of_many_must_beat_what_chance_finds_among_many() -> None:
    chance = np.random.default_rng(8)
    fooled_alone = fooled_here = 0
    for trial in range(60):
        noise = chance.normal(0, 1, (30, 200))
        best = noise[noise.mean(axis=1).argmax()]
        fooled_alone += stats.ttest_1samp(best, 0, alternative="greater").pvalue < 0.05
        fooled_here += best_of_test(noise, seed=trial, resamples=299).min() < 0.05
    assert fooled_alone > 30
    assert fooled_here < 10


def test_a_real_gain_is_found_among_noise() -> None:
    noise = np.random.default_rng(8).normal(0, 1, (30, 400))
    noise[11] += 0.4
    found = best_of_test(noise, seed=1)
    assert found[11] < 0.01
    assert np.delete(found, 11).min() > 0.2


def test_candidates_that_never_differ_are_no_better() -> None:
    assert best_of_test(np.zeros((3, 20)), seed=1).tolist() == [1, 1, 1]
