"""Contract of every Recommender, on purchases with results known by construction.

Users 0 to 5 buy tea things, users 6 to 11 buy candles; no user buys both. Within a kind, titles
share a word and lower numbers are bought by more users. Item 3 has no buyers, items 15 and 25 are
not active, item 40 is unknown.
"""

import pytest

from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.baselines.history_bm25 import HistoryBm25
from gpt4rec_es.lab.baselines.popularity import Popularity
from gpt4rec_es.lab.baselines.scored import CoPurchases, Hybrid, Scored, Scorer
from gpt4rec_es.lab.bm25.index import MemoryIndex, TokenizedTitle
from gpt4rec_es.protocols import Recommender
from gpt4rec_es.records import Bm25

TEA, CANDLES = range(10, 16), range(20, 26)
TITLES = {
    **{item: f"tea thing {item} in a tin" for item in TEA},
    **{item: f"candle {item} with a wick" for item in CANDLES},
    3: "nobody wants this",
}
N_ITEMS = 30
ACTIVE = frozenset(TITLES) - {15, 25}
TRAIN = [tuple(kind[: 3 + user % 4]) for kind in (TEA, CANDLES) for user in range(6)]
KINDS = ["popularity", "cooccurrence", "history_bm25", "hybrid"]


def memory() -> MemoryIndex:
    return MemoryIndex([TokenizedTitle(f"{n:03}", n, t.split()) for n, t in TITLES.items()])


def scorers() -> dict[str, Scorer]:
    tokens = {item: title.split() for item, title in TITLES.items()}
    bought = CoPurchases(TRAIN, N_ITEMS)
    alike = HistoryBm25(memory(), tokens, Bm25(), N_ITEMS)
    hybrid = Hybrid([(0.3, alike), (0.7, bought)])
    return {"cooccurrence": bought, "history_bm25": alike, "hybrid": hybrid}


@pytest.fixture(params=KINDS, scope="module")
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def recommender(kind: str) -> Recommender:
    if kind == "popularity":
        return Popularity(TRAIN, ACTIVE)
    return Scored(scorers()[kind], ACTIVE)


HISTORIES = [(10,), (20, 21), (11, 10, 12), (10, 20), (25, 24, 23, 22, 21), (15, 13)]


@pytest.mark.parametrize("k", [1, 3, 100])
def test_lists_are_short_enough_without_doubles_or_what_was_bought(
    recommender: Recommender, k: int
) -> None:
    lists = recommender.recommend(HISTORIES, k)
    assert len(lists) == len(HISTORIES)
    for items, history in zip(lists, HISTORIES, strict=True):
        assert 1 <= len(items) <= k
        assert len(set(items)) == len(items)
        assert not set(items) & set(history)
        assert set(items) <= ACTIVE


def test_order_is_kept_and_the_batch_does_not_matter(recommender: Recommender) -> None:
    together = recommender.recommend(HISTORIES, 4)
    assert recommender.recommend(HISTORIES[::-1], 4)[::-1] == together
    assert [recommender.recommend([history], 4)[0] for history in HISTORIES] == together
    many = recommender.recommend(HISTORIES * 100, 4)
    assert many == together * 100


def test_a_longer_history_leaves_out_more_and_repeats_change_nothing_of_that(
    recommender: Recommender,
) -> None:
    (items,) = recommender.recommend([(10, 10, 11, 10)], 20)
    assert not {10, 11} & set(items)
    assert 12 in items


def test_a_user_of_one_kind_gets_that_kind_first(recommender: Recommender, kind: str) -> None:
    if kind == "popularity":
        return
    for history, other in (((20, 21), CANDLES), ((10, 11), TEA)):
        (items,) = recommender.recommend([history], 3)
        assert set(items) <= set(other)


def test_nothing_known_gives_nothing_or_what_is_popular(
    recommender: Recommender, kind: str
) -> None:
    expected = [[10, 11, 12]] * 2 if kind == "popularity" else [[], []]
    assert recommender.recommend([(), (40,)], 3) == expected


def test_no_users_no_lists(recommender: Recommender) -> None:
    assert recommender.recommend([], 3) == []


def test_a_list_of_nothing_is_refused(recommender: Recommender) -> None:
    with pytest.raises(UsageError, match="k is 0"):
        recommender.recommend(HISTORIES, 0)
