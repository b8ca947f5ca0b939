"""Lists of nights with a re-ranker: scores, ranks before it, replays, explanations."""

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from gpt4rec_es.db.rows import runs
from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.replay.changes import ReplayChanges, changed_run
from gpt4rec_es.lab.replay.replay import replay
from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.night.inputs.parts import NightParts
from gpt4rec_es.night.inspect.why import explain_user
from gpt4rec_es.night.inspect.why_fields import explain_fields
from gpt4rec_es.night.inspect.why_item import explain_item
from gpt4rec_es.night.stages.hits import RunHits
from gpt4rec_es.night.stages.merge import merge_users
from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.options.recipe import NamedRecipe, Recipe
from gpt4rec_es.records import Decoding
from tests.databases import Database
from tests.flow.conftest import use_titles
from tests.servers import Servers
from tests.shop import Shop, make_shop, use_recipe
from tests.vector_maker import TitleVectors, register

FUSION = Fusion(
    (("queries", 1.0), ("history_titles", 1.0), ("co_purchase", 1.0)),
    method="learned",
    coefficients=(("title_recent", 1.0), ("co_recent", 0.2), ("query_best", 0.01), ("rerank", 2.0)),
)
RECIPE = Recipe(Decoding(num_queries=3, num_beams=4), fusion=FUSION, reranker="titles")
WITHOUT = Recipe(
    Decoding(num_queries=3, num_beams=4),
    fusion=FUSION.changed(coefficients=FUSION.coefficients[:3]),
)


@pytest.fixture
def parts(servers: Servers, database: Database, alias: str) -> NightParts:
    """A night that was published by a recipe with a re-ranker."""
    use_titles(database)
    shop: Shop = make_shop(servers, database, alias)
    with database.engine.begin() as connection:
        register(connection)
        use_recipe(connection, "reranked", RECIPE)
    runtime = shop.runtime()
    made = replace(runtime.night_parts(), open_reranker=lambda _: TitleVectors())
    assert run_night(made, runtime.night_options(), dt.date(2026, 11, 22)).state == "published"
    return made


def rows(parts: NightParts, columns: str) -> list[Any]:
    with parts.engine.connect() as connection:
        return list(
            connection.execute(
                text(f"SELECT {columns} FROM recommendations ORDER BY user_no, rank")
            )
        )


def test_rows_have_score_and_rank_before(parts: NightParts) -> None:
    ranked = [row for row in rows(parts, "*") if row.fused_score is not None]
    assert ranked
    assert all(row.rerank_score is not None and row.merge_rank >= 1 for row in ranked)
    assert any(row.merge_rank != row.rank for row in ranked)
    others = [row for row in rows(parts, "*") if row.fused_score is None]
    assert {(row.rerank_score, row.merge_rank) for row in others} <= {(None, None)}
    with parts.engine.connect() as connection:
        gate = connection.execute(
            text("SELECT passed, measured FROM gate_results WHERE gate = 're_ranker_took_part'")
        ).one()
        shown = connection.execute(
            text("SELECT count(rerank_score), count(merge_rank) FROM analytics.recommendations")
        ).one()
    assert gate.passed
    assert gate.measured == (
        "0 of 39 users with purchases that it knows have no vector; "
        f"{len(ranked)} of {len(ranked)} places have a score of the re-ranker"
    )
    assert tuple(shown) == (len(ranked), len(ranked))


def test_merge_ranks_are_those_of_the_recipe_without_it(parts: NightParts) -> None:
    with parts.engine.connect() as connection:
        night = runs.load(connection, 1)
    plain = changed_run(night, ReplayChanges(recipe=NamedRecipe("plain", WITHOUT)))
    assert "reranker" not in plain.manifest
    hits = RunHits(parts.engine, plain, parts.open_retriever(plain.index_name, plain.run_id))
    users = sorted({row.user_no for row in rows(parts, "user_no")})
    merged = merge_users(parts.engine, plain, users, hits, None, check=lambda: None)
    without = {
        (user_no, pick.item_no): rank
        for user_no, merge in merged.merges.items()
        for rank, pick in enumerate(merge.picks, start=1)
        if pick.fused_score is not None
    }
    both = [
        (row.merge_rank, without[row.user_no, row.item_no])
        for row in rows(parts, "*")
        if row.merge_rank is not None and (row.user_no, row.item_no) in without
    ]
    assert len(both) > 100
    assert all(stored == rank for stored, rank in both)


def test_a_replay_repeats_the_night(parts: NightParts) -> None:
    assert replay(parts, "latest", ReplayChanges()).is_equal
    again = replay(parts, "latest", ReplayChanges(recipe=NamedRecipe("reranked", RECIPE)))
    assert again.is_equal
    plain = replay(parts, "latest", ReplayChanges(recipe=NamedRecipe("plain", WITHOUT)))
    assert not plain.is_equal
    assert any(entry.startswith("reranker") for entry in plain.changed)
    other = NamedRecipe("other", replace(RECIPE, reranker="newer"))
    with pytest.raises(UsageError, match="no vectors of users by newer"):
        replay(parts, "latest", ReplayChanges(recipe=other))


def test_explanations_show_what_the_re_ranker_did(parts: NightParts) -> None:
    data = explain_user(parts.engine, "u014").as_dict()
    assert data["equals_merge_now"]
    for row in data["recommendations"]:
        if row["fused_score"] is not None:
            assert row["contributions"]["reranker"] == pytest.approx(
                2 * row["rerank_score"], abs=1e-5
            )
            assert sum(row["contributions"].values()) == pytest.approx(row["fused_score"], abs=1e-4)
    listed = data["recommendations"][0]
    item = explain_item(parts.engine, "u014", listed["item_id"]).as_dict()
    assert item["listed"]["merge_rank"] == listed["merge_rank"]


def test_fields_need_a_re_ranker_that_can_be_opened(parts: NightParts) -> None:
    def gone(_: Any) -> Any:
        raise UsageError("its folder is gone")

    with pytest.raises(UsageError, match="gone"):
        explain_fields(parts.engine, gone, "u014")
    assert explain_fields(parts.engine, gone, "u000").items == []  # no purchases, no list by it
    with parts.engine.begin() as connection:
        connection.execute(text("UPDATE runs SET reranker_no = NULL"))
    with pytest.raises(UsageError, match="has no re-ranker"):
        explain_fields(parts.engine, gone, "u014")
