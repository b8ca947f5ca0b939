"""Fused lists: small examples, and properties of all lists."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.baselines.scored import CoPurchases
from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.ranking.fuse import fuse_sources
from gpt4rec_es.ranking.merge import merge_hits
from gpt4rec_es.ranking.outcome import Merge, QueryHits, Removed
from gpt4rec_es.ranking.scoring import Purchase
from gpt4rec_es.records import Neighbours, SearchResult, Source
from tests.unit.ranking.drawn import hit_lists, searched

BOTH = Fusion(
    (("queries", 0.5), ("co_purchase", 0.5)), candidates=3, history_decay=0.5, query_hits=3
)
NOTHING = SearchResult((), (), exhausted=True)


def found(*hits: tuple[int, float], exhausted: bool = True) -> SearchResult:
    return SearchResult(tuple(n for n, _ in hits), tuple(s for _, s in hits), exhausted)


def queries(*results: SearchResult) -> list[QueryHits]:
    return [QueryHits(rank, result) for rank, result in enumerate(results, start=1)]


def bought_with(item_no: int, *pairs: tuple[int, float]) -> Purchase:
    return Purchase(item_no, Neighbours([n for n, _ in pairs], [c for _, c in pairs]))


class TestScores:
    def test_a_source_is_the_weighted_mean_of_its_voices(self) -> None:
        merge = fuse_sources(
            queries(found((1, 8.0), (2, 4.0)), found((2, 3.0))),
            [bought_with(11, (3, 0.9), (2, 0.3)), bought_with(12, (2, 0.6))],
            3,
            BOTH,
            bought={11, 12},
            keep_removed=True,
        )
        # Queries: 1 -> (1 + 0)/2, 2 -> (0.5 + 1)/2. Co-purchase, weights 2/3 and 1/3:
        # 3 -> 0.6, 2 -> 0.2 + 0.2.
        assert [pick.item_no for pick in merge.picks] == [2, 3, 1]
        assert [pick.fused_score for pick in merge.picks] == pytest.approx([0.575, 0.3, 0.25])
        assert merge.contributions == (
            pytest.approx((0.375, 0.2)),
            pytest.approx((0.0, 0.3)),
            pytest.approx((0.25, 0.0)),
        )
        # The strongest evidence of the strongest source is the reason.
        assert [pick[1:6] for pick in merge.picks] == [
            (Source.QUERIES, 2, 1, 3.0, None),
            (Source.CO_PURCHASE, None, 1, 0.9, 11),
            (Source.QUERIES, 1, 1, 8.0, None),
        ]
        assert (merge.n_found, merge.n_queries, merge.short_reason) == (3, 2, None)

    def test_only_the_first_hits_of_a_query_count(self) -> None:
        fusion = replace(BOTH, query_hits=1)
        hits = queries(found((1, 8.0), (2, 7.9)), found((3, 5.0), exhausted=False))
        merge = fuse_sources(hits, [bought_with(11, (2, 0.2))], 3, fusion)
        assert merge.is_complete
        assert [pick.item_no for pick in merge.picks] == [1, 3, 2]
        assert [pick.fused_score for pick in merge.picks] == pytest.approx([0.25, 0.25, 0.1])

    def test_co_purchase_values_are_those_of_the_baseline(self) -> None:
        train = [(1, 2, 3), (1, 2), (2, 3, 4), (4, 1), (3,), (4, 5, 2)]
        history = (1, 4, 3)  # oldest first
        baseline = CoPurchases(train, 6, decay=0.7)
        cosines = baseline.scores([(item,) for item in range(6)])
        purchases = [
            bought_with(item, *((n, float(cosines[item, n])) for n in range(6) if cosines[item, n]))
            for item in reversed(history)
        ]
        fusion = Fusion((("queries", 0.0), ("co_purchase", 1.0)))
        merge = fuse_sources([], purchases, 6, fusion, bought=set())
        norm = 1 + 0.7 + 0.7**2
        expected = baseline.scores([history])[0] / norm
        assert {pick.item_no: pick.fused_score for pick in merge.picks} == {
            item: pytest.approx(value, rel=1e-5) for item, value in enumerate(expected) if value
        }

    def test_only_the_candidates_count_however_deep_was_searched(self) -> None:
        deep = found((1, 8.0), (2, 7.0), (3, 6.0), (4, 5.0))
        shallow = found((1, 8.0), (2, 7.0), (3, 6.0), exhausted=False)
        assert fuse_sources(queries(deep), [], 3, BOTH) == fuse_sources(
            queries(shallow), [], 3, BOTH
        )

    def test_older_purchases_than_the_history_say_nothing(self) -> None:
        purchases = [bought_with(11, (1, 0.5)), bought_with(12, (2, 0.5))]
        merge = fuse_sources([], purchases, 2, replace(BOTH, history=1))
        assert [pick.item_no for pick in merge.picks] == [1]

    def test_titles_of_purchases_are_voices_too(self) -> None:
        fusion = Fusion(
            (("queries", 1.0), ("history_titles", 1.0)),
            candidates=3,
            history_decay=0.5,
            query_hits=3,
        )
        purchase = Purchase(11, title=found((11, 9.0), (5, 3.0)))
        merge = fuse_sources([], [purchase], 2, fusion, bought={11})
        assert [pick[:6] for pick in merge.picks] == [(5, Source.HISTORY_TITLES, None, 2, 3.0, 11)]
        assert merge.picks[0].fused_score == pytest.approx(1 / 3)


class TestRanks:
    def test_queries_are_ranked_by_the_merge_and_places_are_added_up(self) -> None:
        fusion = replace(BOTH, method="ranks", rank_constant=1)
        merge = fuse_sources(
            queries(found((1, 8.0), (2, 7.0), (3, 6.0)), found((4, 5.0))),
            [bought_with(11, (4, 0.5), (6, 0.4))],
            2,
            fusion,
        )
        # By k/m with k 2: 1, 4; then 2.
        assert [pick.item_no for pick in merge.picks] == [4, 1]
        assert [pick.fused_score for pick in merge.picks] == pytest.approx(
            [0.5 / 3 + 0.5 / 2, 0.5 / 2]
        )
        assert [pick.source for pick in merge.picks] == [Source.CO_PURCHASE, Source.QUERIES]


class TestFilling:
    def test_deeper_hits_the_last_title_and_popular_items_fill_up(self) -> None:
        merge = fuse_sources(
            queries(found((1, 8.0), (2, 7.0), (3, 6.0), (4, 5.0))),
            [bought_with(11, (5, 0.5))],
            8,
            BOTH,
            bought={2},
            last_title=found((6, 1.0)),
            popular=[7],
        )
        assert [pick.item_no for pick in merge.picks] == [1, 3, 5, 4, 6, 7]
        assert [pick.source for pick in merge.picks][3:] == [
            Source.BACKFILL,
            Source.LAST_TITLE,
            Source.POPULAR,
        ]
        assert (merge.n_found, merge.short_reason) == (4, "exhausted_sources")

    def test_nothing_found_keeps_the_reason_of_the_queries(self) -> None:
        merge = fuse_sources(queries(NOTHING), [], 1, BOTH, popular=[7])
        assert (merge.n_found, merge.short_reason) == (0, "no_hits")
        assert [pick.source for pick in merge.picks] == [Source.POPULAR]

    def test_without_queries_co_purchases_make_the_list(self) -> None:
        merge = fuse_sources([], [bought_with(11, (1, 0.2))], 1, BOTH)
        assert (merge.n_found, merge.short_reason) == (1, None)


def test_bought_hits_are_named_on_request() -> None:
    merge = fuse_sources(queries(found((9, 2.0), (1, 1.0))), [], 1, BOTH, {9}, keep_removed=True)
    assert merge.removed == (Removed(1, 1, 9, "bought"),)


def test_k_below_1_is_refused() -> None:
    with pytest.raises(UsageError, match="at least 1"):
        fuse_sources([], [], 0, BOTH)


@dataclass(frozen=True)
class Case:
    lists: list[list[int] | None]  # None: a query without tokens
    neighbours: list[list[int]]
    titles: list[list[int]]
    k: int
    bought: frozenset[int]
    last_title: list[int]
    fusion: Fusion


weights = st.tuples(st.sampled_from([0.0, 0.3, 1.0]), st.sampled_from([0.5, 1.0]))
fusions = st.builds(
    lambda pair, titles, method, candidates, query_hits, query_decay: Fusion(
        (
            ("queries", pair[0]),
            ("co_purchase", pair[1]),
            *([("history_titles", 0.4), ("title_vectors", 0.3)] if titles else []),
            *([("query_vectors", 0.2)] if titles else []),
        ),
        method=method,
        candidates=candidates,
        query_hits=query_hits,
        query_decay=query_decay,
        history=2,
    ),
    weights,
    st.booleans(),
    st.sampled_from(["scores", "ranks"]),
    st.integers(1, 8),
    st.integers(1, 8),
    st.sampled_from([0.5, 1.0]),
)
cases = st.builds(
    Case,
    st.lists(st.none() | hit_lists | hit_lists, max_size=5),
    st.lists(hit_lists, max_size=3),
    st.lists(hit_lists, min_size=3, max_size=3),
    st.integers(1, 12),
    st.frozensets(st.integers(0, 25), max_size=12),
    hit_lists,
    fusions,
)


def fused(case: Case, depths: list[int], title_depths: list[int], last_depth: int) -> Merge:
    purchases = [
        Purchase(
            100 + age,
            Neighbours(nearest, [0.9 / place for place in range(1, len(nearest) + 1)]),
            searched(title, depth),
            searched(title[::-1], 1000),
        )
        for age, (nearest, title, depth) in enumerate(
            zip(case.neighbours, case.titles, title_depths, strict=False)
        )
    ]
    hits = [
        QueryHits(rank, searched(hit_list, depth), near=near(hit_list))
        for rank, (hit_list, depth) in enumerate(zip(case.lists, depths, strict=True), start=1)
    ]
    last = searched(case.last_title, last_depth)
    return fuse_sources(hits, purchases, case.k, case.fusion, case.bought, last_title=last)


def near(hit_list: list[int] | None) -> SearchResult:
    return searched(hit_list and hit_list[::-1], 1000)


def complete(case: Case) -> Merge:
    return fused(case, [1000] * len(case.lists), [1000] * 3, 1000)


@given(cases)
def test_no_item_twice_none_bought_and_as_long_as_it_can_be(case: Case) -> None:
    merge = complete(case)
    items = [pick.item_no for pick in merge.picks]
    speaking = case.neighbours[: case.fusion.history]
    reachable = {item for hits in case.lists for item in hits or []} | set(case.last_title)
    reachable |= {item for nearest in speaking for item in nearest}
    if case.fusion.uses("history_titles"):
        most = case.fusion.candidates
        for hits in case.titles[: len(speaking)]:  # by vectors, the same in another order
            reachable |= {*hits[:most], *hits[::-1][:most]}
    assert len(set(items)) == len(items)
    assert not set(items) & case.bought
    assert len(items) == min(case.k, len(reachable - case.bought))
    assert merge.n_found <= len(items)
    assert (merge.short_reason is None) == (merge.n_found == case.k)


@given(cases)
def test_fused_picks_come_first_by_falling_score(case: Case) -> None:
    scores = [pick.fused_score for pick in complete(case).picks]
    fused_scores = [score for score in scores if score is not None]
    assert scores[: len(fused_scores)] == sorted(fused_scores, reverse=True)


@settings(max_examples=300)
@given(cases, st.integers(0, 4))
def test_going_deeper_only_where_asked_gives_the_list_of_unlimited_depth(
    case: Case, first_depth: int
) -> None:
    depths, titles = [first_depth] * len(case.lists), [first_depth] * 3
    last = first_depth
    for _ in range(100):
        merge = fused(case, depths, titles, last)
        if merge.is_complete:
            break
        assert merge.picks == ()
        for rank in merge.needs_deeper:
            depths[rank - 1] = max(4 * depths[rank - 1], 1)
        for item_no in merge.needs_deeper_titles:
            titles[item_no - 100] = max(4 * titles[item_no - 100], 1)
        if merge.needs_deeper_last_title:
            last = max(4 * last, 1)
    assert merge == complete(case)


@given(cases)
def test_contributions_add_up_to_the_fused_scores(case: Case) -> None:
    hits = [QueryHits(rank, searched(hit_list, 1000)) for rank, hit_list in enumerate(case.lists)]
    purchases = [bought_with(100, *((item, 0.5) for item in case.last_title))]
    merge = fuse_sources(hits, purchases, case.k, case.fusion, case.bought, keep_removed=True)
    scored = [pick.fused_score for pick in merge.picks if pick.fused_score is not None]
    assert scored == [pytest.approx(sum(contributions)) for contributions in merge.contributions]
    plain = fuse_sources(hits, purchases, case.k, case.fusion, case.bought)
    assert replace(merge, removed=(), contributions=()) == plain


@given(cases)
def test_a_merge_with_more_places_goes_on_with_the_backfill(case: Case) -> None:
    hits = [
        QueryHits(rank, searched(hit_list, 1000))
        for rank, hit_list in enumerate(case.lists, start=1)
    ]
    short = merge_hits(hits, case.k, case.bought)
    longer = merge_hits(hits, case.k, case.bought, places=case.k + 5)
    assert longer.picks[: len(short.picks)] == short.picks
    assert all(pick.source is Source.BACKFILL for pick in longer.picks[case.k :])
