"""Properties of every merge, compared with a simple reference implementation."""

from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from gpt4rec_es.ranking.merge import merge_hits
from gpt4rec_es.ranking.outcome import Merge, QueryHits
from gpt4rec_es.records import Source
from tests.unit.ranking.drawn import hit_lists, searched

ORDER = [Source.QUERIES, Source.BACKFILL, Source.LAST_TITLE, Source.POPULAR]


@dataclass(frozen=True)
class Case:
    lists: list[list[int] | None]  # None: a query without tokens
    k: int
    bought: frozenset[int]
    last_title: list[int] | None
    popular: list[int]


cases = st.builds(
    Case,
    st.lists(st.none() | hit_lists | hit_lists, max_size=7),
    st.integers(1, 12),
    st.frozensets(st.integers(0, 25), max_size=12),
    st.none() | hit_lists,
    st.lists(st.integers(0, 25), unique=True, max_size=8),
)


def merged(case: Case, depths: list[int], title_depth: int) -> Merge:
    return merge_hits(
        [
            QueryHits(rank, searched(hits, depth))
            for rank, (hits, depth) in enumerate(zip(case.lists, depths, strict=True), start=1)
        ],
        case.k,
        case.bought,
        last_title=None if case.last_title is None else searched(case.last_title, title_depth),
        popular=case.popular,
    )


def complete(case: Case) -> Merge:
    return merged(case, [1000] * len(case.lists), 1000)


class Oracle:
    """Reference implementation of the rules; ``reach``: search depth of each query."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.rows: list[tuple[int, Source, int | None]] = []
        self.reach: dict[int | None, int] = {}
        active = {rank: hits for rank, hits in enumerate(case.lists, start=1) if hits is not None}
        for place, (rank, hits) in enumerate(list(active.items())[: case.k]):
            for _ in range(case.k // len(active) + (place < case.k % len(active))):
                self.take(rank, hits, Source.QUERIES)
        # sum, not any: every query takes part in a round
        while sum(self.take(rank, hits, Source.BACKFILL) for rank, hits in active.items()):
            pass
        while case.last_title is not None and self.take(None, case.last_title, Source.LAST_TITLE):
            pass
        for item in case.popular:
            if item in self.free([item]) and len(self.rows) < case.k:
                self.rows.append((item, Source.POPULAR, None))

    def free(self, items: list[int]) -> list[int]:
        blocked = self.case.bought | {row[0] for row in self.rows}
        return [item for item in items if item not in blocked]

    def take(self, rank: int | None, hits: list[int], source: Source) -> bool:
        if len(self.rows) == self.case.k:
            return False
        free = self.free(hits)
        self.reach[rank] = hits.index(free[0]) + 1 if free else len(hits) + 1
        self.rows += [(item, source, rank) for item in free[:1]]
        return bool(free)


@given(cases)
def test_equals_the_oracle(case: Case) -> None:
    assert [pick[:3] for pick in complete(case).picks] == Oracle(case).rows


@given(cases)
def test_no_item_twice_none_bought_and_as_long_as_it_can_be(case: Case) -> None:
    merge = complete(case)
    items = [pick.item_no for pick in merge.picks]
    reachable = {item for hits in case.lists for item in hits or []}
    reachable |= set(case.last_title or []) | set(case.popular)
    assert len(set(items)) == len(items)
    assert not set(items) & case.bought
    assert len(items) == min(case.k, len(reachable - case.bought))


@given(cases)
def test_sources_come_in_order_and_rows_name_their_hit(case: Case) -> None:
    merge = complete(case)
    places = [ORDER.index(pick.source) for pick in merge.picks]
    assert places == sorted(places)
    assert merge.n_found == sum(pick.source in ORDER[:2] for pick in merge.picks)
    assert (merge.short_reason is None) == (merge.n_found == case.k)
    for item, source, query_rank, hit_rank, score, *rest in merge.picks:
        assert rest == [None] * 4
        if source is Source.POPULAR:
            assert (query_rank, hit_rank, score) == (None, None, None)
            continue
        hits = case.last_title if query_rank is None else case.lists[query_rank - 1]
        assert hits is not None
        assert hit_rank is not None
        assert hits[hit_rank - 1] == item
        assert score == 51.0 - hit_rank


@given(cases)
def test_same_input_same_list(case: Case) -> None:
    assert complete(case) == complete(case)


@settings(max_examples=300)
@given(cases, st.integers(0, 4))
def test_going_deeper_only_where_asked_gives_the_list_of_unlimited_depth(
    case: Case, first_depth: int
) -> None:
    depths, title_depth = [first_depth] * len(case.lists), first_depth
    reach = Oracle(case).reach
    for _ in range(100):
        merge = merged(case, depths, title_depth)
        if merge.is_complete:
            break
        assert merge.picks == ()
        for rank in merge.needs_deeper:
            # Needlessly requested, if unlimited depth used no further hits.
            assert reach[rank] > depths[rank - 1]
            depths[rank - 1] = max(4 * depths[rank - 1], 1)
        if merge.needs_deeper_last_title:
            assert reach[None] > title_depth
            title_depth = max(4 * title_depth, 1)
    assert merge == complete(case)


@given(cases, st.integers(0, 4))
def test_a_caller_that_can_go_no_deeper_gets_a_list(case: Case, depth: int) -> None:
    deepest = [
        QueryHits(rank, replace(searched(hits, depth), exhausted=True))
        for rank, hits in enumerate(case.lists, start=1)
    ]
    assert merge_hits(deepest, case.k, case.bought).is_complete


@given(cases)
def test_shown_removals_change_nothing_and_explain_every_skip(case: Case) -> None:
    queries = [
        QueryHits(rank, searched(hits, 1000)) for rank, hits in enumerate(case.lists, start=1)
    ]
    merge = merge_hits(queries, case.k, case.bought, keep_removed=True)
    assert replace(merge, removed=()) == merge_hits(queries, case.k, case.bought)
    walked = {(pick.query_rank, pick.hit_rank) for pick in merge.picks}
    walked |= {(hit.query_rank, hit.hit_rank) for hit in merge.removed}
    for rank in {rank for rank, _ in walked}:
        ranks = sorted(hit_rank for of, hit_rank in walked if of == rank and hit_rank)
        assert ranks == list(range(1, len(ranks) + 1))
    for hit in merge.removed:
        assert (hit.reason == "bought") == (hit.item_no in case.bought)
