"""Boosts and pins in every merge: lists by hand; rules win; lists do not depend on depth."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.ranking.fuse import fuse_sources
from gpt4rec_es.ranking.merge import merge_hits
from gpt4rec_es.ranking.merge_promoted import merge_promoted
from gpt4rec_es.ranking.outcome import Merge, QueryHits
from gpt4rec_es.ranking.promotions import NO_PROMOTIONS, Boost, Pin, Promotions
from gpt4rec_es.ranking.rules import ItemRules
from gpt4rec_es.ranking.scoring import Purchase
from gpt4rec_es.records import Neighbours, Source
from tests.unit.ranking.drawn import searched

ALLOWED = ItemRules()
NEAREST = Purchase(100, Neighbours([1, 2, 3, 4, 5], [0.5, 0.4, 0.3, 0.2, 0.1]))
CO_PURCHASES = Fusion((("co_purchase", 1.0),))


def boosts(*several: tuple[int, tuple[int, ...]]) -> Promotions:
    return Promotions(tuple(Boost(f"rule {n}", *boost) for n, boost in enumerate(several, start=1)))


def pins(*several: tuple[int, tuple[int, ...]]) -> Promotions:
    return Promotions(pins=tuple(Pin(f"rule {n}", *pin) for n, pin in enumerate(several, start=1)))


def queries(*lists: list[int], depth: int = 1000) -> list[QueryHits]:
    return [QueryHits(rank, searched(items, depth)) for rank, items in enumerate(lists, start=1)]


def items(merge: Merge) -> list[int]:
    return [pick.item_no for pick in merge.picks]


@pytest.mark.parametrize(
    ("promotions", "expected"),
    [
        (boosts((2, (4,))), [1, 4, 2, 3, 5]),
        (boosts((9, (5,))), [5, 1, 2, 3, 4]),
        # 4 and 5 both take the second place, in their order.
        (boosts((2, (4,)), (3, (5,))), [1, 4, 5, 2, 3]),
        # Of several boosts the largest counts, not their sum.
        (boosts((1, (4,)), (2, (4,))), [1, 4, 2, 3, 5]),
        (boosts((1, (1,))), [1, 2, 3, 4, 5]),
        # Places are those before any boost: 3 takes that of 2, which is after 1.
        (boosts((1, (2, 3, 4))), [2, 1, 3, 4, 5]),
    ],
)
def test_a_boost_moves_items_up_by_places(promotions: Promotions, expected: list[int]) -> None:
    assert [item for item, _, _ in promotions.order([1, 2, 3, 4, 5])] == expected
    merge = fuse_sources([], [NEAREST], 3, CO_PURCHASES, promotions=promotions)
    assert items(merge) == expected[:3]


def test_a_boosted_item_has_the_score_whose_place_it_takes_also_below_zero() -> None:
    scores = {1: -1.0, 2: -2.0, 3: -2.5}
    assert boosts((1, (3,))).lift(scores) == ({1: -1.0, 3: -2.0, 2: -2.0}, {3})
    assert boosts((1, (7,))).lift(scores) == (scores, set())
    lifted = boosts((1, (3,))).lift({1: 1.0, 2: 1.0, 3: 1.0})  # ties move, too
    assert list(lifted[0]) == [1, 3, 2]


def test_of_equal_boosts_the_first_rule_is_named() -> None:
    promotions = boosts((2, (4,)), (2, (4,)), (1, (4,)))
    assert promotions.boosted[4] == "rule 1"
    assert promotions.reach == 2
    assert bool(promotions)
    assert not NO_PROMOTIONS


@pytest.mark.parametrize("method", ["scores", "ranks", "learned"])
def test_contributions_add_up_with_the_boost(method: str) -> None:
    fusion = Fusion(
        (("queries", 0.5), ("co_purchase", 1.0)),
        method=method,  # type: ignore[arg-type]
        coefficients=(("co_recent", -1.0),) if method == "learned" else (),
    )
    merge = fuse_sources(
        queries([6, 5]),
        [NEAREST],
        6,
        fusion,
        keep_removed=True,
        promotions=Promotions((Boost("rule 1", 3, (4,)),), (Pin("rule 2", 1, (3,)),)),
    )
    pinned, *others = merge.picks
    assert (pinned.item_no, pinned.source, pinned.fused_score) == (3, Source.PINNED, None)
    assert merge.contributions[0] == ()
    assert [sum(parts) for parts in merge.contributions[1:]] == pytest.approx(
        [pick.fused_score for pick in others]
    )
    scores = [pick.fused_score for pick in others]
    assert scores == sorted(scores, key=lambda score: -(score or 0))
    (up,) = (p[-1] for p, pick in zip(merge.contributions[1:], others, strict=True) if p[-1])
    assert up > 0
    assert merge.promoted == {3: "rule 2", 4: "rule 1"}
    assert (merge.n_pinned, merge.n_found) == (1, 5)


def test_a_list_by_quotas_is_made_longer_and_cut_after_the_boost() -> None:
    hits = queries([1, 2, 3], [4, 5, 6])
    assert items(merge_hits(hits, 4)) == [1, 2, 4, 5]

    def boosted(places: int, k: int = 4) -> list[int]:
        promotions = boosts((places, (6,)))
        return items(merge_promoted(hits, k, promotions, list_filter=ALLOWED.list_filter()))

    # Longer, it goes on with 3 and 6.
    assert boosted(3) == [1, 2, 6, 4]
    assert boosted(2) == [1, 2, 4, 6]
    assert boosted(1) == [1, 2, 4, 5]
    assert boosted(1, k=6) == [1, 2, 3, 4, 6, 5]


def test_fallbacks_do_not_move() -> None:
    merge = merge_promoted(
        queries([1, 2]),
        4,
        boosts((3, (8, 2))),
        list_filter=ALLOWED.list_filter(),
        last_title=searched([7, 8], 9),
    )
    assert items(merge) == [2, 1, 7, 8]
    assert (merge.n_found, merge.promoted) == (2, {2: "rule 1"})


def test_pinned_items_come_first_and_leave_a_place() -> None:
    # Found items of a rule first, then in its order; 1 is bought, 9 blocked.
    promotions = pins((2, (9, 8, 1, 3)), (5, (3, 7, 6, 5)))
    rules = ItemRules({9: "rule 4"})
    hits = queries([2, 3, 4], [5, 4])
    merge = merge_promoted(hits, 5, promotions, {1}, list_filter=rules.list_filter())
    assert items(merge) == [3, 8, 5, 7, 2]
    assert [pick.source for pick in merge.picks[:4]] == [Source.PINNED] * 4
    assert (merge.n_pinned, merge.n_found, merge.short_reason) == (4, 1, None)
    assert merge.promoted == {3: "rule 1", 8: "rule 1", 5: "rule 2", 7: "rule 2"}
    assert merge.ruled_out == {9: "rule 4"}
    assert items(merge_promoted(hits, 1, promotions, list_filter=rules.list_filter())) == [2]
    fused = fuse_sources([], [NEAREST], 3, CO_PURCHASES, {1}, promotions=pins((1, (4, 2))))
    assert items(fused) == [2, 3, 4]


def test_pinned_items_count_for_the_limit_per_brand() -> None:
    rules = ItemRules({}, {2: "acme", 3: "acme", 7: "acme"}, max_per_brand=1)
    for made in (
        merge_promoted(queries([2, 3, 4]), 3, pins((2, (7, 3))), list_filter=rules.list_filter()),
        fuse_sources(
            queries([2, 3, 4]),
            [],
            3,
            Fusion((("queries", 1.0), ("co_purchase", 1.0))),
            list_filter=rules.list_filter(),
            promotions=pins((2, (7, 3))),
        ),
    ):
        assert items(made) == [3, 4]


@dataclass(frozen=True)
class Case:
    lists: list[list[int]]
    nearest: list[int]
    last_title: list[int]
    k: int
    bought: frozenset[int]
    rules: ItemRules
    fusion: Fusion | None
    promotions: Promotions


hit_lists = st.lists(st.integers(0, 20), unique=True, max_size=16)
some_items = st.lists(st.integers(0, 25), unique=True, max_size=6)
rules_of = st.lists(st.tuples(st.integers(1, 8), some_items.map(tuple)), max_size=3)
cases = st.builds(
    Case,
    st.lists(hit_lists, max_size=4),
    hit_lists,
    hit_lists,
    st.integers(1, 9),
    st.frozensets(st.integers(0, 20), max_size=6),
    st.builds(
        ItemRules,
        st.dictionaries(st.integers(0, 25), st.sampled_from(["rule 8", "rule 9"]), max_size=6),
        st.dictionaries(st.integers(0, 25), st.sampled_from("abc")),
        st.none() | st.integers(1, 3),
    ),
    st.none()
    | st.builds(
        lambda method, candidates: Fusion(
            (("queries", 0.4), ("co_purchase", 0.6)),
            method=method,
            candidates=candidates,
            coefficients=(("query_best", 1.0), ("co_best", -0.2)) if method == "learned" else (),
        ),
        st.sampled_from(["scores", "ranks", "learned"]),
        st.integers(1, 6),
    ),
    st.builds(
        lambda up, first: Promotions(boosts(*up).boosts, pins(*first).pins), rules_of, rules_of
    ),
)


def merged(case: Case, depths: list[int], last_depth: int) -> Merge:
    hits = [
        QueryHits(rank, searched(hit_list, depth))
        for rank, (hit_list, depth) in enumerate(zip(case.lists, depths, strict=True), start=1)
    ]
    last = searched(case.last_title, last_depth)
    list_filter = case.rules.list_filter()
    if case.fusion is None:
        return merge_promoted(
            hits, case.k, case.promotions, case.bought, last_title=last, list_filter=list_filter
        )
    nearest = Neighbours(case.nearest, [1 / (2 + place) for place in range(len(case.nearest))])
    return fuse_sources(
        hits,
        [Purchase(100, nearest)],
        case.k,
        case.fusion,
        case.bought,
        last_title=last,
        list_filter=list_filter,
        promotions=case.promotions,
    )


@settings(max_examples=300)
@given(cases, st.integers(0, 4))
def test_promoted_lists_keep_the_rules_and_do_not_depend_on_depth(
    case: Case, first_depth: int
) -> None:
    complete = merged(case, [1000] * len(case.lists), 1000)
    found = items(complete)
    assert len(set(found)) == len(found) <= case.k
    assert not set(found) & (case.bought | set(case.rules.blocked) | set(complete.ruled_out))
    brands = [case.rules.brands[item] for item in found if item in case.rules.brands]
    if case.rules.max_per_brand is not None:
        assert all(brands.count(brand) <= case.rules.max_per_brand for brand in brands)
    pinned = [pick.source is Source.PINNED for pick in complete.picks]
    assert pinned == sorted(pinned, reverse=True)
    assert sum(pinned) == complete.n_pinned <= case.k - 1 or case.k == 1
    assert set(complete.promoted) <= set(found)
    depths, last = [first_depth] * len(case.lists), first_depth
    for _ in range(100):
        merge = merged(case, depths, last)
        if merge.is_complete:
            break
        for rank in merge.needs_deeper:
            depths[rank - 1] = max(4 * depths[rank - 1], 1)
        if merge.needs_deeper_last_title:
            last = max(4 * last, 1)
    assert (merge.picks, merge.promoted) == (complete.picks, complete.promoted)


@given(cases)
def test_promotions_of_other_items_change_nothing(case: Case) -> None:
    others = Promotions((Boost("rule 1", 5, (77,)),), (Pin("rule 2", 3, tuple(case.bought)),))
    hits = queries(*case.lists)
    made = merge_promoted(
        hits, case.k, others, case.bought, list_filter=case.rules.list_filter(), keep_removed=True
    )
    plain = merge_hits(
        hits, case.k, case.bought, list_filter=case.rules.list_filter(), keep_removed=True
    )
    assert (made.picks, made.removed, made.short_reason) == (
        plain.picks,
        plain.removed,
        plain.short_reason,
    )


def left_out(merge: Merge) -> list[tuple[str, str]]:
    return [tuple(one) for one in merge.left_out]


@pytest.mark.parametrize("fusion", [None, CO_PURCHASES])
def test_pins_that_are_left_out_are_said(fusion: Fusion | None) -> None:
    def merge(k: int, promotions: Promotions, **blocked: int) -> Merge:
        rules = ItemRules({item: rule.replace("_", " ") for rule, item in blocked.items()})
        hits = queries([1, 2, 3, 4, 5])
        if fusion is None:
            return merge_promoted(hits, k, promotions, list_filter=rules.list_filter())
        return fuse_sources(
            hits, [NEAREST], k, fusion, promotions=promotions, list_filter=rules.list_filter()
        )

    # The only item of a pin is blocked.
    assert left_out(merge(4, pins((1, (7,))), rule_9=7)) == [("rule 1", "rule 9")]
    # Another item of the rule takes the place, so nothing is missing.
    assert left_out(merge(4, pins((1, (7, 8))), rule_9=7)) == []
    assert left_out(merge(4, pins((2, (7, 8))), rule_9=7)) == [("rule 1", "rule 9")]
    # The last place is not pinned: with one place no pin is listed at all.
    assert left_out(merge(1, pins((1, (7,))))) == [("rule 1", "no place")]
    found = merge(3, pins((1, (7,)), (2, (8, 9)), (1, (7,)), (5, (6,))))
    assert items(found)[:2] == [7, 8]
    # Rule 3 is about an item that is pinned already.
    assert left_out(found) == [("rule 2", "no place"), ("rule 4", "no place")]
    assert left_out(merge(1, pins((1, (7,))), rule_9=7)) == []  # blocked and without a place
    assert left_out(merge(4, pins((1, (7,))))) == []
