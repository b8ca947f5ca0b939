"""Gates on measured values, without a database: what passes and what does not."""

from types import SimpleNamespace
from typing import Any
from unittest.mock import ANY

import pytest

from gpt4rec_es.db.rows.measures import Measured
from gpt4rec_es.night.publish import change_gates, share_gates
from gpt4rec_es.night.publish import measures as names
from gpt4rec_es.night.publish.checked import (
    Checked,
    changed_inputs,
    has_equal_inputs,
    is_made_as_before,
)
from gpt4rec_es.night.publish.gates import GATES, PART_GATES
from gpt4rec_es.options.gates import GateLimits

MANIFEST: dict[str, Any] = {
    "k": 10,
    "exclude_bought": True,
    "recipe": {"hash": "a"},
    "generator": {"content_hash": "g"},
    "build": {"mapping_hash": "m", "k1": 1.2, "b": 0.75},
    "history_version": 1,
}


def run(*, is_canary: bool = False, **changed: Any) -> Any:
    """Return a run whose manifest has these entries."""
    limits = {**GateLimits().as_dict(), **changed.pop("limits", {})}
    return SimpleNamespace(
        run_id="nightly-2026-11-22-1",
        manifest={**MANIFEST, "gates": limits, **changed},
        generator_no=changed.get("generator", 1) and 1,
        reranker_no=None,
        co_purchase_set_no=None,
        code_version="c",
        build_no=1,
        cohort_size=1000,
        k=10,
        is_canary=is_canary,
        canary_users=200,
    )


def checked(now: Any = None, before: Any = None, **measures: float | Measured | None) -> Checked:
    """Return a checked run with measures on 1,000 users each."""
    found = {
        name.replace("__", ":"): one if isinstance(one, Measured) else Measured(one, 1000)
        for name, one in measures.items()
    }
    return Checked(ANY, ANY, now or run(), before, found)


def test_parts_of_runs_are_not_judged_by_their_size() -> None:
    assert {one.name for one in GATES} - {one.name for one in PART_GATES} == {
        "every_user_has_one_outcome",
        "cohort_did_not_shrink",
        "hidden_purchases_are_found",
    }


def fallbacks(now: Any = None, **changed: float | Measured | None) -> Checked:
    values: dict[str, float | Measured | None] = {
        "usable_users": 1000,
        "users_without_queries": 0.0,
        "users_without_hits": 0.0,
        "fallback_lists": 0.0,
        "fallback_places": 0.0,
    }
    return checked(now, **values | changed)


@pytest.mark.parametrize(
    "bad",
    [
        {"users_without_queries": 0.3},
        {"users_without_hits": None},  # of nobody
        {"fallback_lists": 0.21},
        {"fallback_places": Measured(0.15, 10_000, 0.01)},  # far above the nights before
    ],
)
def test_fallbacks(bad: dict[str, Any]) -> None:
    assert share_gates.few_fallbacks(fallbacks()).passed
    assert not share_gates.few_fallbacks(fallbacks(**bad)).passed


def test_chance_widens_limits_of_a_canary() -> None:
    few = {"fallback_places": Measured(0.25, 200)}
    assert not share_gates.few_fallbacks(fallbacks(**few)).passed
    now = run(is_canary=True)
    assert share_gates.few_fallbacks(fallbacks(now, **few)).passed
    many = {"fallback_places": Measured(0.3, 200)}
    assert not share_gates.few_fallbacks(fallbacks(now, **many)).passed


def test_a_canary_has_fewer_items_than_a_whole_night() -> None:
    fewer = {"distinct_items": Measured(400, 2000, 900)}
    assert not share_gates.lists_differ(variety(**fewer)).passed
    assert share_gates.lists_differ(variety(run(is_canary=True), **fewer)).passed


def variety(now: Any = None, **changed: float | Measured | None) -> Checked:
    values: dict[str, float | Measured | None] = {
        "active_items": 5000,
        "top_item_lists": 0.05,
        "distinct_items": Measured(900, 10_000),
        "top_first_query_users": 0.01,
    }
    return checked(now, **values | changed)


@pytest.mark.parametrize(
    "bad",
    [
        {"top_item_lists": 0.6},
        {"top_item_lists": None},
        {"distinct_items": Measured(20, 10_000)},
        {"distinct_items": Measured(None, 0)},
        {"distinct_items": Measured(400, 10_000, 900)},
        {"top_first_query_users": 0.7},
        {"top_first_query_users": None},
    ],
)
def test_variety(bad: dict[str, Any]) -> None:
    assert share_gates.lists_differ(variety()).passed
    assert not share_gates.lists_differ(variety(**bad)).passed


def test_a_catalog_of_a_dozen_items_has_one_in_most_lists() -> None:
    found = variety(active_items=12, top_item_lists=0.9, distinct_items=Measured(12, 10_000))
    assert share_gates.lists_differ(found).passed
    del found.measures[names.TOP_FIRST_QUERY_USERS]  # a recipe without queries
    assert share_gates.lists_differ(found).passed


def test_a_limit_of_1_judges_no_variety() -> None:
    now = run(limits={"top_item": 1, "top_first_query": 1})
    found = variety(
        now, top_item_lists=1, distinct_items=Measured(1, 1000), top_first_query_users=1
    )
    assert share_gates.lists_differ(found).passed


def readable(**changed: float | Measured | None) -> Checked:
    values: dict[str, float | Measured | None] = {
        "repeating_queries": 0.01,
        "unknown_queries": 0.02,
        "odd_queries": 0.0,
        "query_words": Measured(4, 3000, 4.2),
        "title_words": 4.0,
    }
    return checked(**values | changed)


@pytest.mark.parametrize(
    "bad",
    [
        {"repeating_queries": 0.5},
        {"unknown_queries": 0.5},
        {"unknown_queries": Measured(0.2, 3000, 0.01)},
        {"query_words": Measured(9, 3000, 4.2)},
        {"query_words": Measured(2, 3000, 4.2)},
        {"query_words": Measured(9, 3000)},  # of a new generator, beside titles of four words
        {"odd_queries": 0.5},
        {"query_words": None, "repeating_queries": None, "unknown_queries": None},
    ],
)
def test_queries(bad: dict[str, Any]) -> None:
    assert share_gates.queries_are_readable(readable()).passed
    assert not share_gates.queries_are_readable(readable(**bad)).passed


def test_a_new_generator_may_write_shorter_queries_than_the_last_one() -> None:
    found = share_gates.queries_are_readable(readable(query_words=Measured(1.5, 3000)))
    assert found.passed
    assert found.required.endswith("limits alone: 0 nights by this recipe, generator and rules")


def test_a_gate_names_no_infinite_limit() -> None:
    nothing = dict.fromkeys(
        ("repeating_queries", "unknown_queries", "odd_queries", "query_words", "title_words")
    )
    found = share_gates.queries_are_readable(readable(**nothing))
    assert not found.passed
    assert "0.0 words each" in found.measured
    assert "inf" not in found.measured + found.required
    assert (
        ", at most 8.0; limits"
        in share_gates.queries_are_readable(readable(query_words=Measured(4, 3000))).required
    )


@pytest.mark.parametrize(
    ("query", "symbols"), [("tea-pot 3cm", "-"), ("<b>x</b>", "<>/"), ("椅子 été", "")]
)
def test_symbols(query: str, symbols: str) -> None:
    assert names.symbols_of(query) == {*symbols}


def test_a_run_without_queries_is_not_judged_by_them() -> None:
    assert share_gates.queries_are_readable(checked(run(generator=None))).passed


def fusion(**coefficients: float) -> dict[str, Any]:
    weights = [["queries", 1], ["co_purchase", 1]]
    return {"method": "learned", "weights": weights, "coefficients": coefficients}


def test_sources() -> None:
    now = run(fusion=fusion(query_best=1, co_recent=1))
    usual = Measured(0.3, 10_000, 0.4)
    few = Measured(0.01, 10_000, 0.4)
    found = checked(now, source_places__queries=usual, source_places__co_purchase=usual)
    assert share_gates.every_source_took_part(found).passed
    found = checked(now, source_places__queries=few, source_places__co_purchase=usual)
    assert not share_gates.every_source_took_part(found).passed
    idle = run(fusion=fusion(query_best=0, co_recent=1))
    rare = Measured(0.0, 10_000, 0.01)
    found = checked(idle, source_places__queries=rare, source_places__co_purchase=usual)
    assert "queries has no coefficient" in share_gates.every_source_took_part(found).measured
    ranked = run(fusion=fusion(rerank=1, co_recent=1))
    found = checked(ranked, source_places__queries=rare, source_places__co_purchase=usual)
    assert share_gates.every_source_took_part(found).passed, "a re-ranker scores all candidates"


def overlap(
    now: Any,
    before: Any,
    value: float | None,
    usual: float | None = None,
    n: int = 1000,
    others: float = 0.01,
) -> bool:
    found = checked(
        now,
        before,
        overlap=Measured(value, n, usual),
        still_lists=Measured(0.2, 50),
        other_histories=Measured(others, 950),
        equal_lists=1.0 if value == 1 else 0.5,
    )
    return change_gates.lists_resemble_the_published(found).passed


def test_overlap() -> None:
    other_day = run(history_version=2)
    assert change_gates.lists_resemble_the_published(checked()).passed
    assert overlap(run(), run(), 1.0)
    assert not overlap(run(), run(), 0.999), "all inputs are equal"
    assert overlap(run(), other_day, 0.9, 0.8)
    assert not overlap(run(), other_day, 0.09)
    assert not overlap(run(), other_day, 0.35, 0.8)
    assert not overlap(run(), other_day, None), "no user is in both"
    assert overlap(run(recipe={"hash": "b"}), other_day, 0.01)
    assert overlap(run(rules={"shown_days": 3}), run(rules={"shown_days": 3}, k=10, x=1), 0.01)
    assert overlap(run(), other_day, 0.9, others=0.2)
    assert not overlap(run(), other_day, 0.9, others=0.5), "another order"
    assert not overlap(run(recipe={"hash": "b"}), other_day, 0.9, others=0.5)
    measures = {"overlap": 1.0, "equal_lists": 1.0, "other_histories": 0.0}
    still = checked(run(), other_day, **measures, still_lists=Measured(1, 50))
    assert not change_gates.lists_resemble_the_published(still).passed


def test_lists_of_a_canary_may_differ_by_chance() -> None:
    canary, other_day = run(is_canary=True), run(history_version=2)
    assert not overlap(run(), other_day, 0.05, n=200)
    assert overlap(canary, other_day, 0.05, n=200)
    assert not overlap(canary, other_day, 0.02, n=200)
    assert overlap(canary, other_day, None, n=0), "by chance, no user is in both"


def test_which_inputs_changed() -> None:
    assert changed_inputs(checked()) == []
    shown = {"shown_runs": [1], "hash": "r"}
    found = checked(run(rules=shown, k=5), run(rules={**shown, "shown_runs": [2]}))
    assert changed_inputs(found) == ["K"]
    assert not has_equal_inputs(found)
    assert is_made_as_before(checked(run(), run(history_version=2)))
    assert not is_made_as_before(checked())
    ranked = run()
    ranked.reranker_no = 1
    assert not has_equal_inputs(checked(ranked, ranked)), "it may read changed attributes"


def test_shrinkage() -> None:
    def shrunk(now: float, before: float | None) -> bool:
        both = Measured(now, 1000, None, before)
        found = checked(cohort_users=both, usable_users=both)
        return change_gates.cohort_did_not_shrink(found).passed

    assert shrunk(800, 1000)
    assert not shrunk(799, 1000)
    assert shrunk(1, None), "the night before was made by an older version"


def test_prices() -> None:
    def kept(price: float | None, before: float | None, **limits: float) -> bool:
        found = checked(
            run(limits=limits),
            active_items=Measured(990, 1000, None, 1000),
            median_price=Measured(price, 1000, None, before),
        )
        return change_gates.catalog_did_not_shrink(found).passed

    assert kept(9.5, 10)
    assert kept(9.5, None)
    assert not kept(950, 10)
    assert not kept(None, 10)
    assert not kept(0, 10)
    assert kept(0, 0), "most items are free"
    assert kept(950, 10, price_factor=0)
