"""Queries whose target rank changes, with known hits."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from gpt4rec_es.lab.tuning import moved
from gpt4rec_es.lab.tuning.measure import TuningUser
from gpt4rec_es.lab.tuning.moved import MovedQuery, moved_queries
from gpt4rec_es.records import Bm25

BEFORE, AFTER = Bm25(1.0, 0.5), Bm25(2.0, 0.5)
# By text: hits before and after
HITS = {
    "up": ([5, 6, 7], [7, 5, 6]),
    "down": ([8, 9, -1], [9, 8, -1]),
    "in": ([1, 2, 3], [1, 2, 4]),
    "same": ([1, 2, 3], [1, 2, 3]),
}


@dataclass(frozen=True)
class Part:
    first: int
    item_nos: NDArray[np.int64]


class Search:
    """A search that yields two texts at a time, as large searches do."""

    def search(self, texts: Sequence[str], points: Sequence[Bm25], depth: int) -> Iterator[Part]:
        assert (list(points), depth) == ([BEFORE, AFTER], 100)
        for first in range(0, len(texts), 2):
            found = [HITS[text] for text in texts[first : first + 2]]
            yield Part(first, np.array([[pair[side] for pair in found] for side in (0, 1)]))


def eval_user(queries: Sequence[str], *targets: int) -> TuningUser:
    return TuningUser(tuple(queries), (), frozenset(targets))


@pytest.mark.parametrize("users", [1, 2000])
def test_gains_and_losses_largest_first(monkeypatch: pytest.MonkeyPatch, users: int) -> None:
    monkeypatch.setattr(moved, "_USERS", users)
    eval_users = [
        eval_user(["up", "same"], 7),
        eval_user(["down", "up"], 8, 5),
        eval_user(["in"], 4),
        eval_user([], 4),
    ]
    gained, lost = moved_queries(eval_users, Search(), BEFORE, AFTER)
    assert gained == [
        MovedQuery(0, "up", 7, 3, 1),
        MovedQuery(2, "in", 4, None, 3),
    ]
    assert lost == [MovedQuery(1, "down", 8, 1, 2), MovedQuery(1, "up", 5, 1, 2)]


def test_equal_queries_and_targets_are_shown_once_and_no_more_than_asked() -> None:
    eval_users = [eval_user(["up"], 7)] * 3 + [eval_user(["in"], 4)]
    gained, lost = moved_queries(eval_users, Search(), BEFORE, AFTER, most=1)
    assert (gained, lost) == ([MovedQuery(0, "up", 7, 3, 1)], [])
