"""Fit of a learned fusion on drawn users whose taste is known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.tuning.lists.candidates import CandidateSet
from gpt4rec_es.lab.tuning.lists.fit import fit_coefficients
from gpt4rec_es.metrics.lists import NOTHING
from gpt4rec_es.options.features import CONTEXTS, FEATURES

NAMES = ("co_recent", "title_recent", "popularity*history")
TASTE = (("co_recent", 1.5), ("title_recent", -0.5), ("popularity*history", 0.25))


def drawn(users: int = 3000, items: int = 20, seed: int = 1) -> tuple[CandidateSet, list[set[int]]]:
    """Return candidates with random features, and a target drawn by the softmax of TASTE."""
    chance = np.random.default_rng(seed)
    features: NDArray[np.float32] = np.zeros((users * items, len(FEATURES)), np.float32)
    for name in ("co_recent", "title_recent", "popularity"):
        features[:, list(FEATURES).index(name)] = chance.normal(size=users * items)
    contexts = chance.uniform(0, 4, (users, len(CONTEXTS)))
    item_nos = np.tile(np.arange(items), users)
    candidates = CandidateSet(item_nos, features, contexts, np.arange(users + 1) * items)
    scores = candidates.scores(TASTE).reshape(users, items)
    chances = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return candidates, [{int(chance.choice(items, p=row))} for row in chances]


def test_known_taste_is_found() -> None:
    candidates, targets = drawn()
    fitted = fit_coefficients(candidates, targets, names=NAMES, l2=0.0)
    assert [name for name, _ in fitted] == list(NAMES)
    assert [value for _, value in fitted] == pytest.approx([1.5, -0.5, 0.25], abs=0.08)
    assert fitted == fit_coefficients(candidates, targets, names=NAMES, l2=0.0)


def test_constant_columns_have_no_coefficient() -> None:
    candidates, targets = drawn(400)
    fitted = fit_coefficients(candidates, targets, names=(*NAMES, "query_best"))
    assert "query_best" not in dict(fitted)


def test_weights_choose_between_users() -> None:
    candidates, targets = drawn(2000)
    weights = np.r_[np.ones(1000), np.zeros(1000)]
    first = fit_coefficients(candidates.of(range(1000)), targets[:1000], names=NAMES)
    both = fit_coefficients(candidates, targets, names=NAMES, weights=weights)
    assert dict(both) == pytest.approx(dict(first), abs=0.05)


def test_users_without_target_or_candidates_do_not_count() -> None:
    candidates, targets = drawn(500)
    more = CandidateSet(
        candidates.item_nos,
        candidates.features,
        np.concatenate([candidates.contexts, np.ones((2, len(CONTEXTS)))]),
        np.concatenate([candidates.starts, candidates.starts[-1:].repeat(2)]),
    )
    fitted = fit_coefficients(candidates, targets, names=NAMES)
    assert fit_coefficients(more, [*targets, {1}, {2}], names=NAMES) == fitted
    assert more.lists(more.scores(fitted), 2)[-1].tolist() == [NOTHING, NOTHING]


def test_too_few_users_are_refused() -> None:
    candidates, targets = drawn(99)
    with pytest.raises(UsageError, match="Only 99 users"):
        fit_coefficients(candidates, targets)


def test_lists_are_by_score_and_ties_by_order() -> None:
    features = np.zeros((5, len(FEATURES)), np.float32)
    contexts = np.ones((2, len(CONTEXTS)))
    candidates = CandidateSet(np.array([7, 3, 9, 2, 1]), features, contexts, np.array([0, 3, 5]))
    lists = candidates.lists(np.array([1.0, 2.0, 1.0, 0.0, 0.0]), 4)
    assert lists.tolist() == [[3, 7, 9, NOTHING], [2, 1, NOTHING, NOTHING]]
    assert candidates.of([1]).item_nos.tolist() == [2, 1]
    assert candidates.is_target([{9, 2}, {1}]).tolist() == [False, False, True, False, True]
