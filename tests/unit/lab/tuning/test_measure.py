"""The grid's lists compared with lists made point by point."""

import random

import numpy as np
import pytest

from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.bm25.index import MemoryIndex, TokenizedTitle
from gpt4rec_es.lab.bm25.retriever import MemoryGridSearch, MemoryRetriever
from gpt4rec_es.lab.evaluation import merging
from gpt4rec_es.lab.tuning.choose import grid
from gpt4rec_es.lab.tuning.measure import TuningUser, measure_points
from gpt4rec_es.metrics.accuracy import accuracy
from gpt4rec_es.metrics.lists import as_lists
from gpt4rec_es.records import Bm25
from tests.merging import merged_lists

CHANCE = random.Random(4)
WORDS = [f"w{n}" for n in range(40)]
TITLES = [CHANCE.choices(WORDS, k=CHANCE.randint(1, 12)) for _ in range(200)]
INDEX = MemoryIndex([TokenizedTitle(f"{n:03}", n, title) for n, title in enumerate(TITLES)])
POINTS = grid([0.0, 1.2, 3.0], [0.0, 0.75, 1.0])


def analyze(texts: list[str]) -> list[list[str]]:
    return [text.split() for text in texts]


def some_users(count: int) -> list[TuningUser]:
    """Return users with short and long histories, with no query, one, several, and equal ones."""
    chance = random.Random(9)
    eval_users = []
    for user in range(count):
        queries = [" ".join(chance.choices(WORDS, k=3)) for _ in range(user % 5)]
        bought = tuple(chance.sample(range(200), 60 if user % 7 == 0 else user % 4))
        words = " ".join(queries or WORDS).split()
        likely = [n for n, title in enumerate(TITLES) if n not in bought and {*words} & {*title}]
        targets = frozenset(chance.sample(likely, 1 + user % 3))
        eval_users.append(TuningUser((*queries, *queries[:1]), bought, targets))
    return eval_users


@pytest.mark.parametrize("hits_per_step", [1, 2000, 1 << 23])
@pytest.mark.parametrize("k", [2, 5, 20])
def test_equals_the_lists_of_each_point(
    monkeypatch: pytest.MonkeyPatch, hits_per_step: int, k: int
) -> None:
    monkeypatch.setattr(merging, "_HITS", hits_per_step)
    monkeypatch.setattr(merging, "_USERS", 7)
    eval_users = some_users(60)
    seen: list[tuple[int, int | None]] = []
    search = MemoryGridSearch(INDEX, analyze)
    found = measure_points(
        eval_users, POINTS, search, k, lambda done, total: seen.append((done, total))
    )
    assert seen[-1] == (60, 60)
    assert found.points == tuple(POINTS)
    for place, point in enumerate(POINTS):
        lists = merged_lists(
            MemoryRetriever(INDEX, point, analyze),
            [eval_user.queries for eval_user in eval_users],
            [eval_user.bought for eval_user in eval_users],
            k,
        )
        expected = accuracy(as_lists(lists, k), [eval_user.targets for eval_user in eval_users])
        np.testing.assert_allclose(found.recall[place], expected["recall"], atol=1e-12)
        np.testing.assert_allclose(found.ndcg[place], expected["ndcg"], atol=1e-12)
    assert len({tuple(row) for row in found.ndcg}) > 1


def test_points_can_be_added_to_what_was_measured() -> None:
    eval_users = some_users(20)
    search = MemoryGridSearch(INDEX, analyze)
    parts = [measure_points(eval_users, points, search, 5) for points in (POINTS[:2], POINTS[2:])]
    joined, whole = parts[0].joined(parts[1]), measure_points(eval_users, POINTS, search, 5)
    assert joined.points == whole.points
    assert np.array_equal(joined.recall, whole.recall)
    assert np.array_equal(joined.ndcg, whole.ndcg)


def test_users_without_any_query_are_misses() -> None:
    eval_user = TuningUser((), (), frozenset([1]))
    found = measure_points([eval_user], [Bm25()], MemoryGridSearch(INDEX, analyze), 5)
    assert found.recall.tolist() == [[0.0]]


def test_nothing_to_tune_on_is_refused() -> None:
    search = MemoryGridSearch(INDEX, analyze)
    with pytest.raises(UsageError, match="nothing to tune on"):
        measure_points([], [Bm25()], search, 5)
    with pytest.raises(UsageError, match="nothing to tune on"):
        measure_points(some_users(1), [], search, 5)
    with pytest.raises(UsageError, match="without held-out items"):
        measure_points([TuningUser(("a",), (), frozenset())], [Bm25()], search, 5)
