"""Rules in both merges: small examples; lists stay full and do not depend on depth."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.ranking.fuse import fuse_sources
from gpt4rec_es.ranking.merge import merge_hits
from gpt4rec_es.ranking.outcome import Merge, QueryHits, Removed
from gpt4rec_es.ranking.rules import ItemRules
from gpt4rec_es.ranking.scoring import Purchase
from gpt4rec_es.records import Neighbours
from tests.unit.ranking.drawn import searched

RULES = ItemRules({1: "rule 7"}, {2: "acme", 3: "acme", 4: "acme"}, max_per_brand=1)


def queries(*lists: list[int], depth: int = 1000) -> list[QueryHits]:
    return [QueryHits(rank, searched(items, depth)) for rank, items in enumerate(lists, start=1)]


def items(merge: Merge) -> list[int]:
    return [pick.item_no for pick in merge.picks]


def test_what_rules_refuse_is_replaced_by_deeper_hits() -> None:
    merge = merge_hits(
        queries([1, 2, 3, 5], [6, 7]), 4, list_filter=RULES.list_filter({6}), keep_removed=True
    )
    assert items(merge) == [2, 5, 7]
    assert merge.ruled_out == {1: "rule 7", 3: "max_per_brand", 6: "shown"}
    assert merge.removed == (
        Removed(1, 1, 1, "rule 7"),
        Removed(1, 3, 3, "max_per_brand"),
        Removed(2, 1, 6, "shown"),
    )


def test_rules_apply_to_fallbacks() -> None:
    merge = merge_hits(
        queries([2]),
        4,
        last_title=searched([3, 5], 9),
        popular=[1, 4, 8, 9],
        list_filter=RULES.list_filter({9}),
    )
    assert items(merge) == [2, 5, 8]


def test_a_fused_list_has_its_best_items_that_rules_allow() -> None:
    fusion = Fusion((("queries", 0.1), ("co_purchase", 1.0)))
    purchase = Purchase(11, Neighbours([1, 4, 3, 5], [0.9, 0.8, 0.7, 0.1]))
    list_filter = RULES.list_filter()
    merge = fuse_sources(
        queries([2, 5]), [purchase], 3, fusion, list_filter=list_filter, keep_removed=True
    )
    assert items(merge) == [4, 5]
    assert merge.ruled_out == {1: "rule 7", 3: "max_per_brand", 2: "max_per_brand"}
    assert merge.removed == (Removed(1, 1, 2, "max_per_brand"),)


@dataclass(frozen=True)
class Case:
    lists: list[list[int]]
    nearest: list[int]
    last_title: list[int]
    k: int
    bought: frozenset[int]
    shown: frozenset[int]
    rules: ItemRules
    fusion: Fusion | None


hit_lists = st.lists(st.integers(0, 20), unique=True, max_size=16)
some_items = st.frozensets(st.integers(0, 20), max_size=6)
cases = st.builds(
    Case,
    st.lists(hit_lists, max_size=4),
    hit_lists,
    hit_lists,
    st.integers(1, 9),
    some_items,
    some_items,
    st.builds(
        ItemRules,
        st.dictionaries(st.integers(0, 20), st.sampled_from(["rule 1", "rule 2"]), max_size=6),
        st.dictionaries(st.integers(0, 20), st.sampled_from("abc")),
        st.none() | st.integers(1, 3),
    ),
    st.none()
    | st.builds(
        lambda method, candidates: Fusion(
            (("queries", 0.4), ("co_purchase", 0.6)), method=method, candidates=candidates
        ),
        st.sampled_from(["scores", "ranks"]),
        st.integers(1, 6),
    ),
)


def merged(case: Case, depths: list[int], last_depth: int) -> Merge:
    hits = [
        QueryHits(rank, searched(hit_list, depth))
        for rank, (hit_list, depth) in enumerate(zip(case.lists, depths, strict=True), start=1)
    ]
    last = searched(case.last_title, last_depth)
    list_filter = case.rules.list_filter(case.shown)
    if case.fusion is None:
        return merge_hits(hits, case.k, case.bought, last_title=last, list_filter=list_filter)
    nearest = Neighbours(case.nearest, [1 / (2 + place) for place in range(len(case.nearest))])
    purchases = [Purchase(100, nearest)]
    return fuse_sources(
        hits, purchases, case.k, case.fusion, case.bought, last_title=last, list_filter=list_filter
    )


@settings(max_examples=300)
@given(cases, st.integers(0, 4))
def test_lists_keep_the_rules_and_do_not_depend_on_depth(case: Case, first_depth: int) -> None:
    complete = merged(case, [1000] * len(case.lists), 1000)
    found = items(complete)
    assert not set(found) & (case.bought | case.shown | set(case.rules.blocked))
    brands = [case.rules.brands[item] for item in found if item in case.rules.brands]
    if case.rules.max_per_brand is not None:
        assert all(brands.count(brand) <= case.rules.max_per_brand for brand in brands)
    assert not set(found) & set(complete.ruled_out)
    depths, last = [first_depth] * len(case.lists), first_depth
    for _ in range(100):
        merge = merged(case, depths, last)
        if merge.is_complete:
            break
        for rank in merge.needs_deeper:
            depths[rank - 1] = max(4 * depths[rank - 1], 1)
        if merge.needs_deeper_last_title:
            last = max(4 * last, 1)
    assert merge.picks == complete.picks


@given(cases)
def test_lists_are_only_short_when_nothing_more_is_allowed(case: Case) -> None:
    complete = merged(case, [1000] * len(case.lists), 1000)
    if len(complete.picks) == case.k:
        return
    reachable = {item for hits in case.lists for item in hits} | set(case.last_title)
    if case.fusion is not None:
        reachable |= set(case.nearest[: case.fusion.candidates])
    left = reachable - case.bought - set(items(complete))
    list_filter = case.rules.list_filter(case.shown)
    for item in items(complete):
        list_filter.take(item)
    assert all(list_filter.refuses(item) for item in left)


@given(cases)
def test_rules_that_say_nothing_change_nothing(case: Case) -> None:
    silent = ItemRules({}, case.rules.brands, None)
    hits = queries(*case.lists)
    plain = merge_hits(hits, case.k, case.bought, keep_removed=True)
    assert (
        merge_hits(hits, case.k, case.bought, list_filter=silent.list_filter(), keep_removed=True)
        == plain
    )
