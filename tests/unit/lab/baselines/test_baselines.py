"""The formula of each baseline, with known results."""

from collections.abc import Sequence
from math import sqrt

import numpy as np
import pytest

from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.baselines.history_bm25 import HistoryBm25
from gpt4rec_es.lab.baselines.popularity import Popularity
from gpt4rec_es.lab.baselines.scored import CoPurchases, Hybrid, Scored, Scores, best_items
from gpt4rec_es.lab.bm25.grid import MemoryGrid
from gpt4rec_es.lab.bm25.index import MemoryIndex, TokenizedTitle
from gpt4rec_es.lab.evaluation.methods import newest_titles
from gpt4rec_es.lab.splits.histories import count_buyers
from gpt4rec_es.records import Bm25

TITLES = {
    1: "red tea tin",
    2: "blue tea tin",
    3: "red candle",
    4: "blue candle candle",
    5: "green soap",
    6: "red soap",
}
TOKENS = {item: title.split() for item, title in TITLES.items()}
INDEX = MemoryIndex([TokenizedTitle(f"{n}", n, tokens) for n, tokens in TOKENS.items()])


def bm25_row(item: int) -> dict[int, float]:
    hits = next(MemoryGrid(INDEX, [Bm25()], 6).search([TOKENS[item]]))
    pairs = zip(hits.item_nos[0, 0].tolist(), hits.scores[0, 0].tolist(), strict=True)
    return {item_no: score for item_no, score in pairs if item_no >= 0}


def test_popularity_counts_users_and_not_events() -> None:
    train = [(1, 1, 1), (2,), (2, 3), (4, 3)]
    assert count_buyers(train) == {1: 1, 2: 2, 3: 2, 4: 1}
    popular = Popularity(train, active=range(10))
    assert popular.recommend([(), (2, 9)], 3) == [[2, 3, 1], [3, 1, 4]]


def test_items_that_are_not_active_take_no_place_of_others() -> None:
    active = {1, 3, 4, 99}
    assert Popularity([(1, 2), (2, 3), (2, 3)], active).recommend([(), (3,)], 2) == [[3, 1], [1]]
    lists = Scored(Constant(0.1, 5.0, 4.0, 2.0, 1.0), active).recommend([(), (3,)], 2)
    assert lists == [[1, 3], [1, 4]]


def test_co_purchases_is_the_decayed_sum_of_cosines() -> None:
    # Buyers: 1 by three users, 2 by two, 3 by two.
    train = [(1, 2), (1, 2, 3, 3), (1,), (3,)]
    scores = CoPurchases(train, 5, decay=0.5).scores([(1,), (1, 3), (4,), (7, 1)])
    one_two, one_three, two_three = 2 / sqrt(3 * 2), 1 / sqrt(3 * 2), 1 / sqrt(2 * 2)
    expected = [
        [0, 0, one_two, one_three, 0],
        [0, one_three, 0.5 * one_two + two_three, 0.5 * one_three, 0],
        [0, 0, 0, 0, 0],
        [0, 0, one_two, one_three, 0],
    ]
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_history_bm25_divides_by_the_score_of_a_title_for_itself() -> None:
    scores = HistoryBm25(INDEX, TOKENS, Bm25(), 8, decay=0.5).scores([(3, 2)])[0]
    newest, older = bm25_row(2), bm25_row(3)
    for item in range(8):
        expected = newest.get(item, 0) / newest[2] + 0.5 * older.get(item, 0) / older[3]
        assert scores[item] == pytest.approx(expected, rel=1e-5)


def test_a_title_without_known_words_finds_nothing() -> None:
    scores = HistoryBm25(INDEX, {1: ["unheard", "of"], 2: []}, Bm25(), 8).scores([(1, 2)])
    assert not scores.any()


class Constant:
    def __init__(self, *scores: float) -> None:
        self._scores, self.n_items = scores, len(scores)

    def scores(self, histories: Sequence[Sequence[int]]) -> Scores:
        return np.array([self._scores] * len(histories), np.float32)


def test_a_hybrid_is_the_weighted_sum_and_leaves_its_parts_alone() -> None:
    first, second = Constant(1.0, 2.0), Constant(4.0, 0.0)
    hybrid = Hybrid([(0.5, first), (0.25, second)])
    for _ in range(2):
        np.testing.assert_allclose(hybrid.scores([()]), [[1.5, 1.0]])


def test_a_hybrid_of_different_catalogs_is_refused() -> None:
    with pytest.raises(UsageError, match="same items"):
        Hybrid([(1.0, Constant(1.0, 2.0)), (1.0, CoPurchases([(1,)], 5))])
    with pytest.raises(UsageError, match="same items"):
        Hybrid([])


@pytest.mark.parametrize("decay", [0.0, 1.1, float("nan")])
def test_a_decay_out_of_range_is_refused(decay: float) -> None:
    with pytest.raises(UsageError, match="decay"):
        CoPurchases([(1,)], 5, decay)
    with pytest.raises(UsageError, match="decay"):
        HistoryBm25(INDEX, TOKENS, Bm25(), 8, decay)


def test_ties_go_by_item_number_also_at_the_end_of_the_list() -> None:
    scores = np.array([[0, 2, 1, 2, 1, 1, 3], [0, 0, 0, 5, 0, 0, 0]], np.float32)
    assert best_items(scores, 4) == [[6, 1, 3, 2], [3]]
    assert best_items(scores, 99) == [[6, 1, 3, 2, 4, 5], [3]]
    assert best_items(np.zeros((2, 0), np.float32), 3) == [[], []]


def test_newest_titles_come_first_and_equal_or_missing_ones_do_not_count() -> None:
    titles = {**TITLES, 7: "green soap", 8: ""}
    history = (1, 3, 5, 7, 8, 99)
    assert newest_titles(history, titles, 1) == ["green soap"]
    assert newest_titles(history, titles, 2) == ["green soap", "red candle"]
    assert newest_titles(history, titles, 9) == ["green soap", "red candle", "red tea tin"]
    assert newest_titles((), titles, 9) == []


def test_co_purchases_keep_the_strongest_neighbours_of_each_item() -> None:
    train = [[0, 1, 2], [0, 1], [0, 2, 3], [0, 1, 3]]
    every, two = (CoPurchases(train, 4, neighbours=most)._cosines for most in (9, 2))
    assert (np.diff(two.indptr) == 2).all()
    for row, kept in zip(every.toarray(), two.toarray(), strict=True):
        assert sorted(kept[kept > 0]) == sorted(row)[-2:]
