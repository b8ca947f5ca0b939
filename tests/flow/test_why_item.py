"""The explanation of one item: a test per reason, and agreement with merges of whole nights."""

import datetime as dt
import random
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from gpt4rec_es.catalog.block_rules import add_rules
from gpt4rec_es.db.rows.rules import NewRule
from gpt4rec_es.errors import UsageError
from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.night.inspect.merged_again import MergedAgain, merge_again
from gpt4rec_es.night.inspect.why import explain_user
from gpt4rec_es.night.inspect.why_item import explain_item
from gpt4rec_es.night.stages.merge_inputs import MergeInputs
from gpt4rec_es.night.start import start_night
from gpt4rec_es.options.gates import GateLimits
from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.ranking.fuse import fuse_sources
from gpt4rec_es.ranking.merge import merge_hits
from tests.commands import Cli
from tests.databases import Database
from tests.shop import Shop, add_purchases

DAY = dt.date(2026, 11, 22)
NEXT = DAY + dt.timedelta(days=1)
THREE = (("queries", 1.0), ("co_purchase", 2.0), ("history_titles", 0.5))
LEARNED = Fusion(
    weights=THREE,
    method="learned",
    candidates=8,
    history=3,
    coefficients=(
        ("co_recent", 0.3),
        ("title_recent*similarity", -0.2),
        ("co_x_title", 0.1),
        ("popularity", -0.3),
        ("query_best", 0.5),
        ("query_likely", 0.4),
    ),
)
FUSIONS = {
    "plain": Fusion(),
    "scores": Fusion(weights=THREE, candidates=8, history=3),
    "ranks": Fusion(weights=THREE, method="ranks", candidates=8, history=3),
    "learned": LEARNED,
    "no queries": Fusion(weights=(("queries", 0.0), ("co_purchase", 1.0)), history=3),
}


@pytest.fixture
def varied(shop: Shop, database: Database) -> Shop:
    """Users that share some of their purchases, but not all."""
    with database.engine.begin() as connection:
        add_purchases(connection, version=2, first_user=10, users=30)
        connection.execute(text("UPDATE catalog_state SET history_version = 2"))
    return shop


def night(shop: Shop, fusion: Fusion | None = None, date: dt.date = DAY, **changes: Any) -> None:
    runtime = shop.runtime(**changes)
    options = runtime.night_options()
    recipe = options.recipe.changed(fusion=fusion or Fusion())
    # Few candidates leave places to fallbacks: explanations are tested, not gates.
    options = replace(options, recipe=recipe, gate_limits=GateLimits(full=0, fallbacks=1))
    assert run_night(runtime.night_parts(), options, date).state == "published"


def change(database: Database, statement: str) -> None:
    with database.engine.begin() as connection:
        connection.execute(text(statement))


def explained(database: Database, item_id: str, user_id: str = "u014") -> dict[str, Any]:
    return explain_item(database.engine, user_id, item_id).as_dict()


def items_by_reason(database: Database, user_id: str = "u014") -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for number in range(1, 61):
        one = explained(database, f"i{number:03d}", user_id)
        found.setdefault(one["reason"], []).append(one)
    return found


def test_a_listed_item_has_its_rank_and_everything_that_found_it(
    varied: Shop, database: Database, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    night(varied, FUSIONS["scores"])
    row = explain_user(database.engine, "u014").as_dict()["recommendations"][2]
    one = explained(database, row["item_id"])
    assert (one["reason"], one["rank"], one["listed"]) == ("listed", 3, row)
    assert {place["source"] for place in one["found"]} >= {row["source"]}
    assert one["fused"]["place"] == 3
    varied.enter(monkeypatch)
    assert "Listed at rank 3: " in cli("why", "u014", "--item", row["item_id"])


def test_without_such_an_item_or_with_a_picture(
    varied: Shop, database: Database, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    night(varied)
    assert explained(database, "i999")["reason"] == "not_in_catalog"
    varied.enter(monkeypatch)
    assert "the catalog has no item of this id" in cli("why", "u014", "--item", "i999")
    assert "leave --item out" in cli.error("why", "u014", "--item", "i1", "--svg", "x.svg", code=2)
    with pytest.raises(UsageError, match="no user"):
        explain_item(database.engine, "nobody", "i001")


def test_bought_items_are_left_out_only_if_the_run_says_so(
    varied: Shop, database: Database
) -> None:
    night(varied)
    (*_, newest) = explain_user(database.engine, "u014").history
    assert explained(database, newest["item_id"])["reason"] == "bought"
    night(varied, date=NEXT, exclude_bought="false")
    assert explained(database, newest["item_id"])["reason"] == "listed"


@pytest.mark.parametrize("column", ["is_active = false", "title = NULL"])
def test_items_that_no_index_has(
    varied: Shop,
    database: Database,
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
    column: str,
) -> None:
    change(database, f"UPDATE items SET {column} WHERE item_id = 'i001'")
    night(varied)
    reason, words = (
        ("inactive", "it is not active")
        if "active" in column
        else ("no_title", "no title that can be searched")
    )
    assert explained(database, "i001")["reason"] == reason
    varied.enter(monkeypatch)
    assert words in cli("why", "u014", "--item", "i001")


def test_changes_since_the_run_are_noted(
    varied: Shop, database: Database, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    night(varied)
    row = explain_user(database.engine, "u014").recommendations[0]
    change(
        database,
        f"UPDATE items SET is_active = false, version = 9 WHERE item_id = '{row['item_id']}'",
    )
    change(database, "DELETE FROM recommendations WHERE rank = 6")
    varied.enter(monkeypatch)
    shown = cli("why", "u014", "--item", row["item_id"])
    assert "deactivated since" in shown
    assert "is not active now" in shown
    assert "row changed after the index" in shown
    assert "another list than the stored one" in shown


def test_the_rule_is_named(
    varied: Shop, database: Database, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(database, "UPDATE items SET brand = split_part(title, ' ', 3)")
    night(varied)
    first, second, *_ = (
        row["item_id"] for row in explain_user(database.engine, "u014").recommendations
    )
    add_rules(database.engine, [NewRule("item", first, "contract ended")], actor="test")
    night(varied, FUSIONS["scores"], NEXT, max_per_brand=1, not_shown_days=1, gate_limits="full=0")
    one = explained(database, first)
    assert (one["reason"], one["rule"]["rule"], one["rule"]["reason"]) == (
        "ruled_out",
        "rule 1",
        "contract ended",
    )
    assert explained(database, second)["rule"]["rule"] == "shown"
    capped = [
        one
        for one in items_by_reason(database)["ruled_out"]
        if one["rule"]["rule"] == "max_per_brand"
    ]
    assert any(one["fused"] for one in capped)
    varied.enter(monkeypatch)
    shown = cli("why", "u014", "--item", first)
    assert f"rule 1 (item {first}) excludes it: contract ended" in shown
    assert "shown (filter 1 days) excludes it\n" in cli("why", "u014", "--item", second)


def test_quotas_end_before_other_hits(
    varied: Shop, database: Database, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    night(varied)
    found = items_by_reason(database)
    assert {"listed", "bought", "quota_ended"} <= set(found)
    assert set(found) <= {"listed", "bought", "quota_ended", "not_counted", "not_found"}
    one = found["quota_ended"][0]
    assert all(place["hit_rank"] > place["used_hits"] for place in one["found"])
    varied.enter(monkeypatch)
    shown = cli("why", "u014", "--item", one["item_id"])
    assert "the list was complete before its hits were reached" in shown
    assert f"query {one['found'][0]['query_rank']} “{one['found'][0]['query']}”" in shown


def test_fused_candidates_have_their_place_and_scores(
    varied: Shop, database: Database, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    night(varied, FUSIONS["scores"])
    found = items_by_reason(database)
    assert {"listed", "bought", "outranked", "not_counted"} <= set(found)
    one = min(found["outranked"], key=lambda one: int(one["fused"]["place"]))
    assert one["fused"]["place"] == 7
    assert one["fused"]["fused_score"] <= one["fused"]["last_score"]
    assert sum(one["fused"]["contributions"].values()) == pytest.approx(one["fused"]["fused_score"])
    varied.enter(monkeypatch)
    shown = cli("why", "u014", "--item", one["item_id"])
    assert f"place 7 of {one['fused']['candidates']} candidates by fused score" in shown
    assert "Fused score" in shown
    beyond = found["not_counted"][0]
    assert all(place["hit_rank"] > place["used_hits"] for place in beyond["found"])
    shown = cli("why", "u014", "--item", beyond["item_id"])
    assert "only hits that do not count found it" in shown


def test_a_learned_fusion_keeps_only_the_best_of_each_source(
    varied: Shop, database: Database, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    night(varied, replace(LEARNED, weights=THREE[2:], candidates=4, history=3))
    one = items_by_reason(database)["not_candidate"][0]
    assert any(place["hit_rank"] <= place["used_hits"] for place in one["found"])
    varied.enter(monkeypatch)
    assert "not among the best 4 of any source" in cli("why", "u014", "--item", one["item_id"])


def test_what_nothing_found_names_the_depth(
    varied: Shop, database: Database, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(database, "UPDATE items SET title = 'zebra', version = 2 WHERE item_id = 'i060'")
    change(database, "UPDATE catalog_state SET catalog_version = 2")
    night(varied, depth=7)
    one = explained(database, "i060")
    assert (one["reason"], one["found"], one["changed_since"]) == ("not_found", (), False)
    assert one["known_hits"] >= 7
    varied.enter(monkeypatch)
    shown = cli("why", "u014", "--item", "i060")
    assert f"The first {one['known_hits']} hits of each search are known" in shown
    night(varied, date=NEXT)
    assert "All hits of all its searches are known" in cli("why", "u014", "--item", "i060")
    assert explained(database, "i060", "u000")["reason"] == "not_found"
    assert "Nothing was searched" in cli("why", "u000", "--item", "i060")


def test_fallbacks_are_named_where_they_were_not_needed(
    varied: Shop, database: Database, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    night(varied)
    one = items_by_reason(database, "u000")["not_counted"][0]
    (place,) = one["found"]
    assert (place["source"], place["used_hits"]) == ("popular", 6)
    assert place["hit_rank"] > 6
    varied.enter(monkeypatch)
    assert "fallback: popular items" in cli("why", "u000", "--item", one["item_id"])


def test_before_the_merge_there_is_no_list(
    varied: Shop, database: Database, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = varied.runtime()
    run = start_night(runtime.night_parts(), runtime.night_options(), DAY).run
    one = explain_item(database.engine, "u014", "i001", run.run_id)
    assert (one.reason, one.outcome) == ("no_list", None)
    varied.enter(monkeypatch)
    shown = cli("why", "u014", "--item", "i001", "--run", run.run_id)
    assert "no list in this run" in shown


def test_queries_that_filters_remove_are_marked(
    varied: Shop, database: Database, cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    night(varied)  # searches all queries
    word = explain_user(database.engine, "u014").queries[0]["query"].split()[1]
    file = tmp_path / "phrases.txt"
    file.write_text(word + "\n")
    night(varied, date=NEXT, forbidden_phrases_file=file, gate_limits="full=0")
    marked = [
        (one["item_id"], place)
        for several in items_by_reason(database).values()
        for one in several
        for place in one["found"]
        if place["is_filtered"]
    ]
    assert marked
    assert {place["used_hits"] for _, place in marked} == {0}
    varied.enter(monkeypatch)
    assert "(removed by a filter)" in cli("why", "u014", "--item", marked[0][0])


@pytest.mark.parametrize("name", FUSIONS)
def test_explanations_agree_with_the_merges_of_a_night(
    varied: Shop, database: Database, name: str
) -> None:
    night(varied, FUSIONS[name])
    with database.engine.connect() as connection:
        listed = connection.execute(
            text("SELECT user_id, item_id FROM analytics.latest_recommendations ORDER BY 1, 2")
        ).all()
        numbers: dict[str, int] = {
            row.item_id: row.item_no
            for row in connection.execute(text("SELECT item_id, item_no FROM items"))
        }
    chance = random.Random(3)
    drawn = [
        (f"u{chance.randrange(40):03d}", f"i{chance.randrange(1, 61):03d}") for _ in range(100)
    ]
    pairs = [*(tuple(row) for row in listed), *drawn]
    merges: dict[str, MergedAgain] = {}
    reasons = set()
    for user_id, item_id in pairs:
        if user_id not in merges:
            with database.engine.connect() as connection:
                merges[user_id] = merge_again(connection, user_id, "latest")
        one = explained(database, item_id, user_id)
        check(merges[user_id], one, numbers[item_id])
        reasons.add(one["reason"])
    assert len(listed) == 240
    assert {"listed", "bought", "not_counted"} <= reasons
    assert name == "plain" or "outranked" in reasons


def check(again: MergedAgain, one: dict[str, Any], item_no: int) -> None:
    """Compare an explanation with merges for longer lists, made here."""
    ranks = {row.item_no: row.rank for row in again.stored}
    reason, inputs = one["reason"], again.inputs
    hits = [
        *(result.item_nos for n in again.user.query_nos or () if (result := again.hits.queries[n])),
        *(again.hits.titles[n].item_nos for n in inputs.title_queries(again.user)),
        *(p.neighbours.item_nos for p in inputs.purchases(again.user, again.hits)),
    ]
    places = [place for place in one["found"] if place["source"] not in {"last_title", "popular"}]
    assert sorted(place["hit_rank"] for place in places) == sorted(
        list(several).index(item_no) + 1 for several in hits if item_no in several
    )
    assert one["equals_merge_now"]
    assert (reason == "listed", one["rank"]) == (item_no in ranks, ranks.get(item_no))
    if reason == "listed":
        return
    assert (reason == "bought") == (item_no in again.excluded)
    assert (reason == "not_found") <= (not one["found"])
    candidates = longer(inputs, again)
    if reason == "bought":
        assert item_no not in candidates
    elif inputs.fusion.is_plain:
        assert (reason == "quota_ended") == (item_no in candidates[6:])
        assert all(place["hit_rank"] > place["used_hits"] for place in places)
    elif inputs.fusion.method != "ranks":
        assert (reason == "outranked") == (item_no in candidates[6:])
        if reason == "outranked":
            assert candidates[one["fused"]["place"] - 1] == item_no
            assert one["fused"]["candidates"] == len(candidates)
    else:  # a longer list has other rankings
        assert (reason == "outranked") == (one["fused"] is not None)
        if reason == "outranked":
            assert one["fused"]["place"] > 6
            assert one["fused"]["fused_score"] <= one["fused"]["last_score"]


def longer(inputs: MergeInputs, again: MergedAgain) -> list[int]:
    """Return the items of a list of 60 that sources found, without fallbacks."""
    queries = inputs.query_hits(again.user, again.hits)
    if inputs.fusion.is_plain:
        merge = merge_hits(queries, inputs.k, again.excluded, places=60)
        return [pick.item_no for pick in merge.picks]
    merge = fuse_sources(
        queries,
        inputs.purchases(again.user, again.hits),
        60,
        inputs.fusion,
        again.excluded,
        buyers=inputs.buyers,
        n_bought=again.user.n_bought,
    )
    return [pick.item_no for pick in merge.picks if pick.fused_score is not None]
