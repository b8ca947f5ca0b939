"""Learned fusion: features computed by hand, contributions, ties, deeper hits, bad coefficients."""

from dataclasses import replace
from math import log1p
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt4rec_es.errors import UsageError
from gpt4rec_es.options.features import CONTEXTS, FEATURES, POPULARITY, coefficient_names
from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.ranking.feature_values import FEATURE_VALUES
from gpt4rec_es.ranking.features import Buyers, find_candidates
from gpt4rec_es.ranking.fuse import fuse_sources
from gpt4rec_es.ranking.outcome import Merge, QueryHits
from gpt4rec_es.ranking.rules import ItemRules
from gpt4rec_es.ranking.scoring import Purchase
from gpt4rec_es.ranking.values import SourceValues
from gpt4rec_es.ranking.vectors import ItemVectors, Vectors, with_last
from gpt4rec_es.records import Neighbours, SearchResult, Source

WEIGHTS = (("queries", 1.0), ("co_purchase", 1.0), ("history_titles", 1.0))
BUYERS = Buyers(np.array([0, 9, 4, 2, 7, 0, 1, 0, 0, 0, 0, 5, 3], np.int32))


def learned(*coefficients: tuple[str, float], **changes: Any) -> Fusion:
    known: dict[str, Any] = {
        "weights": WEIGHTS,
        "candidates": 3,
        "history_decay": 0.5,
        "query_hits": 2,
    }
    return Fusion(method="learned", coefficients=coefficients, **(known | changes))


def found(*hits: tuple[int, float], exhausted: bool = True) -> SearchResult:
    return SearchResult(tuple(n for n, _ in hits), tuple(s for _, s in hits), exhausted)


# Items 11 (newest) and 12 were bought; 1 to 4 are candidates.
PURCHASES = [
    Purchase(11, Neighbours([1, 2, 12], [0.4, 0.1, 0.05]), found((11, 10.0), (2, 5.0))),
    Purchase(12, Neighbours([2, 3], [0.3, 0.2]), found((12, 8.0), (3, 4.0), (2, 2.0))),
]
QUERIES = [QueryHits(1, found((4, 6.0), (1, 3.0)), 0.2), QueryHits(2, found((4, 2.0)), 0.5)]


def test_features_are_those_computed_by_hand() -> None:
    found_now = find_candidates(
        QUERIES, PURCHASES, learned(("co_recent", 1.0)), {11, 12}, BUYERS, 7
    )
    # In order of sources: queries 4, 1; co-purchases 1, 2, 3 (recent .267, .167, .067).
    assert found_now.item_nos.tolist() == [4, 1, 2, 3]
    columns = dict(zip(FEATURES, found_now.features.T.tolist(), strict=True))

    def log(*values: float) -> Any:
        return pytest.approx([log1p(1000 * value) for value in values])

    assert columns["co_newest"] == log(0, 0.4, 0.1, 0)
    # Weights 2/3 and 1/3.
    recent = [0, 0.4 * 2 / 3, 0.1 * 2 / 3 + 0.3 / 3, 0.2 / 3]
    assert columns["co_recent"] == log(*recent)
    assert columns["co_mean"] == log(0, 0.2, 0.2, 0.1)
    assert columns["co_best"] == log(0, 0.4, 0.3, 0.2)
    assert columns["co_share"] == pytest.approx([value / recent[1] for value in recent])
    assert columns["title_newest"] == pytest.approx([0, 0, 0.5, 0])
    titles = [0, 0, 0.5 * 2 / 3 + 0.25 / 3, 0.5 / 3]
    assert columns["title_recent"] == pytest.approx(titles)
    assert columns["title_mean"] == pytest.approx([0, 0, 0.375, 0.25])
    assert columns["title_best"] == pytest.approx([0, 0, 0.5, 0.5])
    both = [log1p(1000 * c) * t for c, t in zip(recent, titles, strict=True)]
    assert columns["co_x_title"] == pytest.approx(both)
    assert columns["popularity"] == pytest.approx([log1p(n) for n in (7, 9, 4, 2)])
    assert columns["query_newest"] == pytest.approx([1, 0.5, 0, 0])
    assert columns["query_recent"] == pytest.approx([1, 0.25, 0, 0])
    assert columns["query_best"] == pytest.approx([1, 0.5, 0, 0])
    assert columns["query_likely"] == pytest.approx([0.5, 0.1, 0, 0])
    assert columns["query_count"] == pytest.approx([log1p(2), log1p(1), 0, 0])
    assert found_now.contexts == {
        "history": pytest.approx(log1p(7)),
        "similarity": pytest.approx(log1p(1000 * recent[1])),
        "buyers": pytest.approx(log1p(5)),
    }


def near(*hits: tuple[int, float], exhausted: bool = True) -> SearchResult:
    """Return hits by vectors from cosines, with the scores of a cluster."""
    return found(*((item, (1 + cosine) / 2) for item, cosine in hits), exhausted=exhausted)


def test_hits_by_vectors_are_measured_from_the_last_one_that_counts() -> None:
    fusion = learned(
        ("title_near_recent", 1.0),
        weights=(("query_vectors", 1.0), ("title_vectors", 1.0)),
        candidates=3,
        query_hits=1,
    )
    queries = [
        QueryHits(1, found((9, 1.0)), near=near((4, 0.8), (1, 0.6), (2, 0.4))),
        QueryHits(2, found(), near=None),  # not searched: it has no part
    ]
    purchases = [
        # Of candidates, the last that counts has a cosine of .2; the fourth does not count.
        Purchase(11, near=near((11, 1.0), (1, 0.6), (2, 0.2), (3, 0.1))),
        Purchase(12, near=near((12, 1.0), (2, 0.5))),  # all that there are
    ]
    found_now = find_candidates(queries, purchases, fusion, {11, 12}, BUYERS, 2)
    assert found_now.item_nos.tolist() == [4, 1, 2]
    columns = dict(zip(FEATURES, found_now.features.T.tolist(), strict=True))
    # From .01 at the last hit that counts to 1 at the same title.
    one, two, other = 0.41 / 0.81, 0.01 / 0.81, 0.01 / 0.51
    assert columns["title_near_newest"] == pytest.approx([0, one, two])
    assert columns["title_near_recent"] == pytest.approx([0, one * 2 / 3, two * 2 / 3 + other / 3])
    assert columns["title_near_mean"] == pytest.approx([0, one / 2, (two + other) / 2])
    assert columns["title_near_best"] == pytest.approx([0, one, other])
    query = 0.41 / 0.61  # measured by three hits, of which one counts
    assert columns["query_near_newest"] == pytest.approx([query, 0, 0])
    assert columns["query_near_recent"] == pytest.approx([query, 0, 0])
    assert columns["query_near_best"] == pytest.approx([query, 0, 0])
    assert columns["title_best"] == [0, 0, 0]
    merge = fuse_sources(queries, purchases, 2, fusion, {11, 12})
    assert [(p.item_no, p.source, p.from_item_no) for p in merge.picks] == [
        (1, Source.TITLE_VECTORS, 11),
        (2, Source.TITLE_VECTORS, 11),
    ]
    assert merge.picks[0].score == pytest.approx(0.6)  # the cosine


def test_titles_that_are_all_the_same_are_all_near() -> None:
    fusion = learned(("title_near_best", 1.0), weights=(("title_vectors", 1.0),), candidates=2)
    purchases = [Purchase(11, near=near((1, 1.0), (2, 1.0), (3, 1.0)))]
    found_now = find_candidates([], purchases, fusion, {11}, BUYERS, 1)
    column = found_now.features[:, list(FEATURES).index("title_near_best")]
    assert column.tolist() == pytest.approx([1.0, 1.0])


def test_every_feature_has_its_value() -> None:
    assert list(FEATURE_VALUES) == list(FEATURES)
    assert len(coefficient_names()) == len(FEATURES) * (1 + len(CONTEXTS))


def test_a_list_is_ordered_by_the_sum_of_its_contributions() -> None:
    fusion = learned(
        ("co_recent", 1.0), ("co_x_title", 0.5), ("popularity*buyers", 0.25), ("query_best", -2.0)
    )
    merge = fuse_sources(
        QUERIES, PURCHASES, 4, fusion, {11, 12}, keep_removed=True, buyers=BUYERS, n_bought=2
    )
    scores = [pick.fused_score for pick in merge.picks]
    assert scores == sorted(scores, reverse=True)
    assert fusion.parts == ("queries", "co_purchase", "history_titles", POPULARITY)
    # The parts are multiples of 2^-20, so that their sum is exact.
    assert [sum(parts) for parts in merge.contributions] == scores
    by_item = dict(zip((p.item_no for p in merge.picks), merge.contributions, strict=True))
    recent = 0.1 * 2 / 3 + 0.3 / 3
    product = log1p(1000 * recent) * (0.5 * 2 / 3 + 0.25 / 3)
    expected = (0, log1p(1000 * recent) + product / 4, product / 4, 0.25 * log1p(4) * log1p(5))
    assert by_item[2] == pytest.approx(expected, abs=2e-6)
    assert by_item[4][:3] == pytest.approx((-2, 0, 0))
    # A reason is the strongest hit of the source that adds most, among those that found the item.
    reasons = {p.item_no: p[1:6] for p in merge.picks}
    assert reasons[4] == (Source.QUERIES, 1, 1, 6.0, None)
    assert reasons[2] == (Source.CO_PURCHASE, None, 1, 0.3, 12)
    assert reasons[1] == (Source.CO_PURCHASE, None, 1, 0.4, 11)


def test_how_likely_queries_are_counts_only_with_a_coefficient() -> None:
    unknown = [replace(query, likelihood=1.0) for query in QUERIES]

    def lists(*coefficients: tuple[str, float]) -> list[Any]:
        fusion = learned(("co_recent", 0.1), ("query_best", 0.3), *coefficients)
        return [
            fuse_sources(queries, PURCHASES, 4, fusion, {11, 12}, buyers=BUYERS, n_bought=2)
            for queries in (QUERIES, unknown)
        ]

    with_both, without = lists()
    assert with_both == without
    with_both, without = lists(("query_likely", 1.0))
    assert with_both.picks != without.picks


def test_ties_are_in_order_of_source_then_of_the_hit() -> None:
    ties = [Purchase(11, Neighbours([3, 2, 1], [0.2, 0.2, 0.2]))]
    fusion = learned(("popularity", 1e-9))  # rounded to 0
    merge = fuse_sources(QUERIES, ties, 5, fusion, {11}, buyers=BUYERS)
    assert [pick.item_no for pick in merge.picks] == [4, 1, 3, 2]


def test_hits_that_are_counted_are_asked_for() -> None:
    short = found((4, 6.0), exhausted=False)
    purchase = replace(PURCHASES[0], title=found((11, 10.0), exhausted=False))
    fusion = learned(("co_recent", 1.0))
    merge = fuse_sources([QueryHits(1, short)], [purchase], 2, fusion, {11}, buyers=BUYERS)
    assert (merge.picks, merge.needs_deeper, merge.needs_deeper_titles) == ((), (1,), (11,))
    without = replace(fusion, weights=(("co_purchase", 1.0),))
    merge = fuse_sources([], [purchase], 2, without, {11}, buyers=BUYERS)
    assert [pick.item_no for pick in merge.picks] == [1, 2]


def test_rules_and_bought_items_leave_no_candidate() -> None:
    rules = ItemRules({1: "block"}).list_filter()
    merge = fuse_sources(
        QUERIES, PURCHASES, 4, learned(("co_recent", 1.0)), {11, 12}, list_filter=rules
    )
    assert 1 not in [pick.item_no for pick in merge.picks]
    assert merge.ruled_out == {1: "block"}


def test_a_user_without_evidence_gets_fallbacks() -> None:
    merge = fuse_sources([], [], 2, learned(("co_recent", 1.0)), popular=[5, 6])
    assert [(p.item_no, p.source) for p in merge.picks] == [
        (5, Source.POPULAR),
        (6, Source.POPULAR),
    ]
    new_item = fuse_sources(
        [], [Purchase(99, Neighbours([98], [0.5]))], 1, learned(("popularity", 1.0)), buyers=BUYERS
    )
    assert [p.item_no for p in new_item.picks] == [98]


@given(st.integers(1, 4), st.integers(1, 12))
def test_a_short_list_is_the_beginning_of_a_long_one(k: int, more: int) -> None:
    fusion = learned(("co_recent", 1.0), ("title_best*history", 0.3), ("query_recent", 0.7))
    short, long = (
        fuse_sources(QUERIES, PURCHASES, n, fusion, {11, 12}, buyers=BUYERS) for n in (k, k + more)
    )
    assert long.picks[:k] == short.picks


@pytest.mark.parametrize(
    ("coefficients", "message"),
    [
        ((), "has 0 coefficients"),
        ((("co_now", 1.0),), "no feature 'co_now'"),
        ((("co_recent*moon", 1.0),), "no feature"),
        ((("co_recent", float("nan")),), "nan"),
        ((("co_recent", 1e300),), "between"),
        ((("co_recent", 0.0),), "No coefficient of a source that is used"),
        ((("co_recent", 1.0), ("co_recent", 2.0)), "two coefficients"),
    ],
)
def test_wrong_coefficients_are_refused(coefficients: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        learned(*coefficients)


def test_other_fusions_have_no_coefficients() -> None:
    with pytest.raises(UsageError, match="others have none"):
        Fusion(coefficients=(("co_recent", 1.0),))


def test_plain_values_and_back() -> None:
    fusion = learned(("co_recent", 1.5), ("popularity*history", -0.25))
    assert Fusion.from_dict(fusion.as_dict()) == fusion
    assert "coefficients" not in Fusion().as_dict()


def test_coefficients_of_unused_sources_alone_are_refused() -> None:
    with pytest.raises(UsageError, match="No coefficient of a source that is used"):
        learned(("co_recent", 1.0), weights=(("queries", 1.0), ("co_purchase", 0.0)))
    assert learned(("popularity", 1.0), weights=(("queries", 1.0),)).parts[-1] == POPULARITY


# One component and the bias: item 1 scores 2 x 1 + 0.5, item 2 scores 2 x 3, item 4 scores 0.
VECTORS = Vectors(
    ItemVectors(
        np.array([1, 2, 4]),
        with_last([[1.0], [3.0], [0.0]], [0.5, 0.0, 0.0]),
        np.ones(3, np.bool_),
    ),
    {8: with_last([[2.0]], 1.0)[0]},
)


def reranked(user_no: int, *coefficients: tuple[str, float], **others: Any) -> Merge:
    return fuse_sources(
        QUERIES,
        PURCHASES,
        4,
        learned(*coefficients),
        {11, 12},
        buyers=BUYERS,
        scorer=VECTORS.scorer(user_no),
        keep_removed=True,
        **others,
    )


def test_the_rerank_score_is_centred_and_an_unknown_item_counts_as_the_mean() -> None:
    merge = reranked(8, ("co_recent", 0.0), ("rerank", 1.0))
    mean = (2.5 + 6 + 0) / 3
    assert [pick.item_no for pick in merge.picks] == [2, 3, 1, 4]
    scores = [6 - mean, 0, 2.5 - mean, -mean]
    assert [pick.rerank_score for pick in merge.picks] == pytest.approx(scores)
    # Of no feature but the re-ranker's, ties are in the order of the candidates: 4, 1, 2, 3.
    assert [pick.merge_rank for pick in merge.picks] == [3, 4, 2, 1]


def test_the_re_ranker_moves_items_and_the_rank_before_it_stays() -> None:
    before = reranked(9, ("co_recent", 1.0), ("rerank", 1.0))
    assert [pick.item_no for pick in before.picks] == [1, 2, 3, 4]
    assert {(pick.merge_rank, pick.rerank_score) for pick in before.picks} == {(None, None)}
    merge = reranked(8, ("co_recent", 1.0), ("rerank", 1.0))
    assert [pick.item_no for pick in merge.picks] == [2, 1, 3, 4]
    assert [pick.merge_rank for pick in merge.picks] == [2, 1, 3, 4]
    # The reason stays what found the item; the contribution says what moved it.
    assert merge.picks[0].source is Source.CO_PURCHASE
    fusion = learned(("co_recent", 1.0), ("rerank", 1.0))
    parts = dict(zip(fusion.parts, merge.contributions[0], strict=True))
    assert parts["reranker"] == pytest.approx(6 - (2.5 + 6) / 3)
    assert sum(parts.values()) == merge.picks[0].fused_score


def test_trust_in_the_re_ranker_may_depend_on_the_buyers_of_the_newest_item() -> None:
    alone = reranked(8, ("rerank", 1.0)).picks[0].fused_score
    weighed = reranked(8, ("rerank*buyers", 1.0)).picks[0].fused_score
    assert alone is not None
    assert weighed == pytest.approx(alone * log1p(5))  # item 11 has 5 buyers


def test_rules_and_pins_hold_after_re_ranking() -> None:
    rules = ItemRules({2: "block"})
    merge = reranked(8, ("co_recent", 1.0), ("rerank", 1.0), list_filter=rules.list_filter())
    assert [pick.item_no for pick in merge.picks] == [1, 3, 4]


@given(
    st.lists(st.integers(0, 5), min_size=0, max_size=40),
    st.integers(1, 50),
    st.randoms(use_true_random=False),
)
def test_the_top_is_that_of_a_whole_sort(recent: list[int], most: int, random: Any) -> None:
    n = len(recent)
    first = list(range(n))
    random.shuffle(first)
    zeros = np.zeros(n)
    values = SourceValues(
        np.arange(100, 100 + n),
        zeros,
        np.array(recent, np.float64),
        zeros,
        zeros,
        zeros,
        zeros,
        np.array(first, np.int64),
        np.array(first, np.int64),
    )
    expected = sorted(range(n), key=lambda at: (-recent[at], first[at]))[:most]
    assert values.top(most).tolist() == [100 + at for at in expected]
