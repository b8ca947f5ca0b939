"""Weights of fields on real servers: a planted gain is found, verified, promoted and used."""

import datetime as dt
from dataclasses import replace

import pytest
from sqlalchemy import text

from gpt4rec_es.db.rows import runs
from gpt4rec_es.index.live import live_build
from gpt4rec_es.index.reindex import reindex
from gpt4rec_es.lab.splits.create import create_split
from gpt4rec_es.lab.splits.protocols import SplitOptions
from gpt4rec_es.lab.tuning.inputs import TuningOptions
from gpt4rec_es.lab.tuning.lists.promote import promote_list_trial
from gpt4rec_es.lab.tuning.tune_fields import tune_fields
from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.night.inspect.why import explain_user
from gpt4rec_es.options.lists import SearchOptions
from gpt4rec_es.recipes.live import undo_use
from gpt4rec_es.records import Bm25
from gpt4rec_es.runtime import Runtime
from tests.commands import Cli
from tests.databases import Database
from tests.elastic.catalogs import build_before_fields
from tests.shop import RECIPE, Shop, use_recipe

USERS = 24


@pytest.fixture
def branded(shop: Shop, database: Database, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """Users buy a lamp that names a brand, and then a chair of that brand, which does not."""
    with database.engine.begin() as connection:
        for table in ("interactions", "items", "users"):
            connection.execute(text(f"DELETE FROM {table}"))
        connection.execute(
            text("""
            INSERT INTO items (item_id, title, title_raw, brand, category, version)
            SELECT format('%s%s', kind, n), replace(title, '#', n::text), 'x',
                CASE kind WHEN 'b' THEN 'Acme' || n END, 'Home > Things', 1
            FROM generate_series(1, :users) AS n, (VALUES ('a', 'acme# lamp'),
                ('b', 'wooden chair'), ('c', 'acme# vase')) AS kinds (kind, title)
            """),
            {"users": USERS},
        )
        connection.execute(
            text("INSERT INTO users (user_id) SELECT 'u' || n FROM generate_series(1, :users) n"),
            {"users": USERS},
        )
        connection.execute(
            text("""
            INSERT INTO interactions (user_no, item_no, event_no, ordinal, version)
            SELECT user_no, item_no, place, place, 1
            FROM generate_series(1, :users) AS n
            JOIN users ON user_id = 'u' || n
            CROSS JOIN (VALUES ('a', 1), ('b', 2), ('c', 3)) AS bought (kind, place)
            JOIN items ON item_id = kind || n
            """),
            {"users": USERS},
        )
    shop.enter(monkeypatch)
    limits = "full=0 fallbacks=1 top_item=1"
    monkeypatch.setenv("GPT4REC_GATE_LIMITS", limits)
    runtime = shop.runtime(gate_limits=limits)
    create_split(database.engine, "loo", SplitOptions("leave-one-out"), actor="test")
    reindex(runtime.engine, runtime.elastic, runtime.reindex_options(), actor="test")
    return runtime


def test_a_planted_gain_is_found_promoted_used_and_undone(
    branded: Runtime, database: Database
) -> None:
    options = TuningOptions(split="loo", k=3, recipe=branded.recipe)
    report = tune_fields(branded.tuning_parts(), options)
    trial = report.trial
    assert trial.is_change
    assert (trial.n_fit_users, trial.n_test_users) == (12, 12)
    # All items are of one category, so it changes nothing and is left out.
    assert list(trial.document["search"]["fields"]) == ["brand"]
    (recall,) = (row for row in report.comparisons if row["metric"] == "recall")
    assert (recall["live_value"], recall["best_value"]) == (0, 1)
    assert branded.recipe.recipe.search.fields == ()

    alias = branded.settings.index_alias
    promote_list_trial(database.engine, branded.elastic, alias, trial, actor="test")
    now = branded.recipe_called(f"trial-{trial.trial_no}").recipe
    assert dict(now.search.fields) == trial.document["search"]["fields"]
    fresh = Runtime(branded.settings)
    assert fresh.recipe.recipe == now
    night = run_night(fresh.night_parts(), fresh.night_options(), dt.date(2026, 11, 22))
    assert night.state == "published"
    explained = explain_user(database.engine, "u7")
    assert explained.search_options == {"fields": dict(now.search.fields)}
    with database.analyst_engine.connect() as connection:
        (shown,) = connection.execute(
            text(
                "SELECT DISTINCT search_fields FROM analytics.latest_recommendations "
                "WHERE query_rank IS NOT NULL"
            )
        ).scalars()
    assert "brand" in shown
    undo_use(database.engine, actor="test", reason="no")
    assert Runtime(branded.settings).recipe.recipe.search.fields == ()


def test_k1_and_b_of_a_field_are_tuned_and_promoted_with_the_recipe_that_searches_it(
    branded: Runtime, database: Database, cli: Cli
) -> None:
    # The bought chair says three times, in a long text, what two other items are said to be in a
    # word: it is before them only if the length of a description does not count.
    with database.engine.begin() as connection:
        connection.execute(
            text("""
            UPDATE items SET brand = NULL, description = CASE WHEN title = 'wooden chair' THEN
                repeat('acme' || substr(item_id, 2) || ' chair of solid wood with a seat ', 3) END;
            INSERT INTO items (item_id, title, description, version)
            SELECT kind || n, 'plastic stool', 'acme' || n, 1
            FROM generate_series(1, :users) AS n, unnest(ARRAY['d', 'e']) AS kind
            """),
            {"users": USERS},
        )
        searched = replace(RECIPE, search=SearchOptions(None, (("description", 0.5),)))
        use_recipe(connection, "described", searched)
    live = Runtime(branded.settings)
    reindex(live.engine, live.elastic, live.reindex_options(), actor="test")
    options = TuningOptions(split="loo", k=2, recipe=live.recipe)
    trial = tune_fields(live.tuning_parts(), options).trial
    assert trial.is_change
    assert trial.field_bm25 == {"description": [0.4, 0.0]}
    assert "description k1 0.4 b 0" in trial.verdict
    assert trial.content_hash == live.recipe.recipe.content_hash
    assert "description k1 0.4, description b 0" in cli("tune", "show", str(trial.trial_no))
    cli("tune", "promote", str(trial.trial_no), "--dry-run")
    alias = live.settings.index_alias
    assert live_build(live.engine, live.elastic, alias).field_bm25 == {}
    cli("tune", "promote", str(trial.trial_no))
    build = live_build(live.engine, live.elastic, alias)
    assert build.field_bm25 == {"description": Bm25(0.4, 0.0)}
    assert "of description: k1 0.4, b 0" in cli("index", "bm25", "show")
    cli("night", "--date", "2026-11-22")
    assert cli.json("replay", "latest")["is_equal"]
    with live.engine.connect() as connection:
        manifest = runs.find(connection, "latest").manifest
    assert manifest["build"]["field_bm25"] == {"description": [0.4, 0.0]}
    cli("tune", "promote", str(trial.trial_no))  # again, as after a kill between its two steps
    assert live_build(live.engine, live.elastic, alias).build_no == build.build_no
    assert "live already" in cli.error(
        "index", "bm25", "set", "--field", "description", "--k1", "0.4", "--b", "0", code=2
    )
    assert "of description: the defaults" in cli("index", "bm25", "undo")
    cli("index", "bm25", "set", "--k1", "2", "--b", "0.5")
    refused = cli.error("tune", "promote", str(trial.trial_no), code=1)
    assert "k1 and b changed since trial" in refused
    cli("tune", "promote", str(trial.trial_no), "--force")
    build = live_build(live.engine, live.elastic, alias)
    assert build.bm25.k1 == 2
    assert build.field_bm25 == {"description": Bm25(0.4, 0.0)}


def test_the_command_prints_the_trial_and_keeps_what_is_not_better(
    branded: Runtime, cli: Cli
) -> None:
    out = cli("tune", "fields", "loo", "--metric", "recall@3", "--field", "category")
    assert "is not better by more than chance" in out
    assert "Best settings" not in out
    assert "--force" in cli.error("tune", "promote", "1", code=2)
    out = cli("tune", "fields", "loo", "--metric", "recall@3")
    assert "score" not in out
    assert "gpt4rec tune promote 2" in out
    assert "fields.brand" in cli("tune", "show", "2")
    assert len(cli.json("tune", "list")) == 2


def test_a_field_of_no_build_yet_is_refused_before_queries_are_written(
    branded: Runtime, database: Database, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def generations() -> int:
        with database.engine.connect() as connection:
            found: int = connection.execute(text("SELECT count(*) FROM generations")).scalar_one()
            return found

    alias = branded.settings.index_alias
    old = build_before_fields(database.engine, branded.elastic, alias, monkeypatch)
    lacking = f"{old.index_name} has no field description to search"
    by_description = ("--fields", "description:0.5")
    queries = ("--method", "queries", "--k", "3")
    bm25 = ("--field", "description", "--k1", "0.4", "--b", "0")
    for command in (
        ("search", "lamp", *by_description),
        ("evaluate", "run", "loo", *queries, *by_description),
        ("tune", "fields", "loo", "--field", "description"),
        ("index", "bm25", "set", *bm25),
    ):
        assert lacking in cli.error(*command, code=1)
    searched = replace(RECIPE, search=SearchOptions(None, (("description", 0.5),)))
    with database.engine.begin() as connection:
        use_recipe(connection, "described", searched)
    for command in (
        ("search", "lamp"),
        ("evaluate", "run", "loo", *queries),
        ("tune", "bm25", "loo"),
    ):
        assert lacking in cli.error(*command, code=1)
    assert generations() == 0
    with database.engine.begin() as connection:
        use_recipe(connection, "of-titles", RECIPE)
    cli("tune", "fields", "loo", "--metric", "recall@3")
    assert generations() > 0
    # A night of this day searched this build: it is current, as no item has a description.
    cli("night", "--date", "2026-11-22")
    assert lacking in cli.error("replay", "latest", *by_description, code=1)


def test_fields_are_tried_by_commands_before_any_recipe_has_them(
    branded: Runtime, cli: Cli
) -> None:
    out = cli("search", "acme7 lamp", "--fields", "brand:0.5", "--explain")
    assert "score = title + 0.5 brand" in out
    assert "wooden chair" in out
    assert "wooden chair" not in cli("search", "acme7 lamp", "--k", "20")
    assert "'title' is no field" in cli.error("search", "lamp", "--fields", "title:2", code=2)
    assert "fields with weights" in cli.error("search", "lamp", "--fields", "brand:x", code=2)
    plain, fielded = (
        cli.json("evaluate", "run", "loo", "--method", "queries", "--k", "3", *more)[0]
        for more in ((), ("--fields", "brand:0.5"))
    )
    assert "fields" not in plain["options"]
    assert fielded["options"]["fields"] == {"brand": 0.5}
    cli("night", "--date", "2026-11-22")
    replayed = cli.json("replay", "latest", "--fields", "brand:0.5")
    assert replayed["changed"] == {"search_options": [None, {"fields": {"brand": 0.5}}]}
    assert not replayed["is_equal"]
