"""Where one item was found: places and numbers of used hits, computed by hand."""

import pytest

from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.ranking.merge import merge_hits
from gpt4rec_es.ranking.outcome import Merge, QueryHits
from gpt4rec_es.ranking.scoring import Purchase
from gpt4rec_es.ranking.trace import Found, find_fallback, find_item, used_hits
from gpt4rec_es.records import Neighbours, SearchResult, Source


def found(*item_nos: int) -> SearchResult:
    return SearchResult(item_nos, tuple(9.0 - n for n in range(len(item_nos))), exhausted=True)


# Of a list of 4, each query takes 2: 1 (bought), 2, 3 and 3 (taken), 4, 5.
QUERIES = [QueryHits(1, found(1, 2, 3, 7)), QueryHits(2, found(3, 4, 5, 7, 8))]
BOUGHT = {1}


def test_quotas_use_hits_up_to_the_last_one_placed() -> None:
    merge = merge_hits(QUERIES, 4, BOUGHT, keep_removed=True)
    assert [pick.item_no for pick in merge.picks] == [2, 3, 4, 5]
    used = used_hits(QUERIES, 4, Fusion(), BOUGHT, None, merge)
    assert used == {1: 3, 2: 3}
    places = list(find_item(7, QUERIES, [], Fusion(), used))
    assert places == [
        Found(Source.QUERIES, 4, 3, 6.0, 1),
        Found(Source.QUERIES, 4, 3, 6.0, 2),
    ]
    assert not any(place.is_used for place in places)


@pytest.mark.parametrize(
    ("method", "weight", "expected"),
    [
        ("scores", 1.0, {1: 2, 2: 2}),
        # Three candidates by quotas: 2 and 3 of the first query, 4 of the second.
        ("ranks", 1.0, {1: 3, 2: 2}),
        ("scores", 0.0, {}),
    ],
)
def test_a_fusion_uses_the_hits_that_it_counts(
    method: str, weight: float, expected: dict[int, int]
) -> None:
    fusion = Fusion(
        weights=(("queries", weight), ("co_purchase", 1.0)),
        method=method,  # type: ignore[arg-type]
        query_hits=2,
        candidates=3,
    )
    merge = Merge((), 2, 0, None)
    assert used_hits(QUERIES, 3, fusion, BOUGHT, None, merge) == expected


def test_titles_and_neighbours_are_found_with_their_purchase() -> None:
    purchases = [
        Purchase(1, Neighbours([5, 6], [0.4, 0.2]), found(1, 6)),
        Purchase(9, Neighbours([6], [0.1]), None),
    ]
    fusion = Fusion(weights=(("co_purchase", 1.0), ("history_titles", 0.0)), candidates=3)
    assert list(find_item(6, [], purchases, fusion, {})) == [
        Found(Source.HISTORY_TITLES, 2, 0, 8.0, None, 1),
        Found(Source.CO_PURCHASE, 2, 2, 0.2, None, 1),
        Found(Source.CO_PURCHASE, 1, 1, 0.1, None, 9),
    ]


def test_fallbacks_are_used_up_to_the_last_one_listed() -> None:
    title, popular = found(6, 5, 4, 8), [3, 9, 2, 1, 7]
    merge = merge_hits([], 4, BOUGHT, last_title=found(6, 5), popular=popular)
    assert [pick.item_no for pick in merge.picks] == [6, 5, 3, 9]
    assert list(find_fallback(8, title, popular, 6, merge)) == [
        Found(Source.LAST_TITLE, 4, 2, 6.0),
        Found(Source.POPULAR, 6, 2),
    ]
    assert list(find_fallback(8, None, popular, None, merge)) == []
