"""A real gain is found; without one no change is recommended."""

import numpy as np
import pytest

from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.bm25.index import MemoryIndex, TokenizedTitle
from gpt4rec_es.lab.bm25.retriever import MemoryGridSearch
from gpt4rec_es.lab.tuning.choose import DEFAULTS, best_point, choose, grid, tune
from gpt4rec_es.lab.tuning.measure import Measured, TuningUser
from gpt4rec_es.records import Bm25

LIVE, OTHER = Bm25(0.5, 0.5), Bm25(2.0, 1.0)
POINTS = (DEFAULTS, LIVE, OTHER)


def measured(*hit_rates: float, users: int = 1000) -> Measured:
    """Return measurements in which each point finds the targets of random users."""
    chance = np.random.default_rng(3)
    values = np.stack([chance.random(users) < rate for rate in hit_rates]).astype(float)
    return Measured(10, POINTS[: len(hit_rates)], values, values)


def test_a_clear_winner_is_used() -> None:
    choice = choose(measured(0.2, 0.2, 0.4), LIVE)
    assert choice.best == choice.recommended == OTHER
    assert [c.name for c in choice.comparisons] == ["defaults", "live"]
    for comparison in choice.comparisons:
        assert comparison.gain.mean == pytest.approx(0.2, abs=0.05)
        assert comparison.gain.low > 0.1
        assert comparison.p_value < 0.01
    assert choice.verdict == "Use k1=2 b=1: better than defaults and live by more than chance."


def test_a_small_gain_keeps_the_defaults() -> None:
    found = measured(0.2, 0.21, 0.2)
    choice = choose(found, DEFAULTS)
    assert choice.best != DEFAULTS or found.ndcg[0].mean() >= found.ndcg[1].mean()
    assert choice.recommended == DEFAULTS
    assert choice.verdict.startswith("Keep the defaults, k1=1.2 b=0.75: no point is better")


def test_a_small_gain_keeps_what_is_live() -> None:
    choice = choose(measured(0.3, 0.3, 0.31), LIVE)
    assert choice.recommended == LIVE
    assert choice.verdict.startswith("Keep what is live, k1=0.5 b=0.5")


def test_what_is_live_stays_when_it_is_the_best_itself() -> None:
    choice = choose(measured(0.2, 0.4, 0.2), LIVE)
    assert choice.best == choice.recommended == LIVE
    by_name = {comparison.name: comparison for comparison in choice.comparisons}
    assert by_name["live"].gain.mean == 0
    assert by_name["live"].p_value == 1
    assert by_name["defaults"].is_significant


def test_worse_than_the_defaults_is_sent_back_to_them() -> None:
    choice = choose(measured(0.4, 0.2, 0.41), LIVE)
    assert choice.recommended == DEFAULTS
    assert choice.verdict.startswith("Go back to the defaults, k1=1.2 b=0.75")


def test_defaults_that_are_not_better_than_live_are_not_recommended() -> None:
    values = np.zeros((3, 200))
    values[0, [*range(9), *range(30, 36)]] = 1  # the defaults: 15 users more than live, 6 fewer
    values[1, 20:26] = 1
    values[2, [*range(12), *range(20, 26)]] = 1  # 12 more than live, none fewer
    choice = choose(Measured(10, POINTS, values, values), LIVE)
    by_name = {comparison.name: comparison.is_significant for comparison in choice.comparisons}
    assert by_name == {"defaults": False, "live": True}
    assert (choice.best, choice.recommended) == (OTHER, LIVE)
    assert "the defaults are not better than live" in choice.verdict


def test_recall_and_ndcg_choose_each_for_themselves() -> None:
    one, other = measured(0.2, 0.2, 0.4), measured(0.2, 0.4, 0.2)
    both = Measured(10, POINTS, one.recall, other.ndcg)
    assert choose(both, LIVE, metric="recall").best == OTHER
    assert choose(both, LIVE, metric="ndcg").best == LIVE


def test_of_equal_points_the_nearest_to_the_defaults_is_best() -> None:
    values = np.ones((3, 4))
    far_first = Measured(10, (OTHER, LIVE, Bm25(1.1, 0.75)), values, values)
    assert best_point(far_first, "ndcg") == Bm25(1.1, 0.75)


def test_references_must_have_been_measured() -> None:
    with pytest.raises(UsageError, match=r"k1=9 b=0\.75 was not measured"):
        choose(measured(0.2, 0.2), Bm25(9.0))


def lengths_matter() -> tuple[list[TuningUser], MemoryGridSearch]:
    """Return a catalog in which the targets are the long titles, so that small b is best."""
    titles = {}
    for n in range(60):
        titles[2 * n] = [f"topic{n}"]
        titles[2 * n + 1] = [f"topic{n}", *(f"extra{n}{x}" for x in range(9)), f"topic{n}"]
    index = MemoryIndex([TokenizedTitle(f"{n:04}", n, t) for n, t in titles.items()])
    eval_users = [TuningUser((f"topic{n}",), (), frozenset([2 * n + 1])) for n in range(60)]
    return eval_users, MemoryGridSearch(index, lambda texts: [text.split() for text in texts])


def test_tuning_finds_the_planted_best() -> None:
    eval_users, search = lengths_matter()
    choice = tune(eval_users, search, 1, DEFAULTS)
    assert choice.recommended == choice.best
    assert choice.best.b < DEFAULTS.b
    assert len(choice.measured.points) > 40
    values = dict(zip(choice.measured.points, choice.measured.recall.mean(axis=1), strict=True))
    assert values[choice.best] == 1
    assert values[DEFAULTS] == 0


def test_tuning_stays_within_given_points_and_references() -> None:
    eval_users, search = lengths_matter()
    points = grid([1.0], [0.9, 1.0])
    choice = tune(eval_users, search, 1, LIVE, points=points, metric="recall")
    assert choice.measured.points == (DEFAULTS, LIVE, *points)
