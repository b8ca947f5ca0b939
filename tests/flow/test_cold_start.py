"""New items and new users, from import to list: what the night makes of them the same evening."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gpt4rec_es.cli.why_reasons import reason_of
from gpt4rec_es.night.inspect.why import explain_user
from gpt4rec_es.options.recipe import Recipe
from gpt4rec_es.recipes.shipped import shipped
from tests.commands import Cli
from tests.databases import Database
from tests.shop import RECIPE, Shop, use_recipe

NEW = {"new-1": "vintage red candle with holder", "new-2": "garden umbrella"}
RECIPES = {"merge": RECIPE, "shipped": shipped("default").recipe}
K = 6


def night(cli: Cli, day: int) -> dict[str, Any]:
    report: dict[str, Any] = cli.json("night", "--date", f"2026-11-{day}")
    assert report["state"] == "published"
    return report


def rows(database: Database, statement: str) -> list[Any]:
    with database.analyst_engine.connect() as connection:
        return list(connection.execute(text(statement)))


@pytest.fixture(params=sorted(RECIPES))
def recipe(
    request: pytest.FixtureRequest,
    shop: Shop,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> Recipe:
    """Enter the shop, with this recipe live."""
    found = RECIPES[request.param]
    with database.engine.begin() as connection:
        use_recipe(connection, "of-this-test", found)
    shop.enter(monkeypatch)
    monkeypatch.setenv("GPT4REC_GATE_LIMITS", "full=0 fallbacks=1 top_item=1 overlap=0")
    return found


def test_an_item_imported_today_is_recommended_tonight_to_users_whose_queries_name_it(
    recipe: Recipe,
    database: Database,
    cli: Cli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Longer lists: by the shipped recipe, items with buyers come before one without any.
    monkeypatch.setenv("GPT4REC_K", "20")
    before = night(cli, 22)
    items = tmp_path / "items.csv"
    lines = [f"{item_id},{title}" for item_id, title in NEW.items()]
    items.write_text("\n".join(["item_id,title", *lines]) + "\n")
    assert cli.json("import", "items", str(items))["inserted"] == len(NEW)
    after = night(cli, 23)
    # The night indexed the items itself, and searched all queries again.
    (indexed,) = rows(
        database,
        "SELECT count(*), count(DISTINCT index_name) FROM analytics.runs "
        f"WHERE run_id IN ('{before['run_id']}', '{after['run_id']}')",
    )
    assert tuple(indexed) == (2, 2)
    named = {
        row.user_id
        for row in rows(
            database,
            "SELECT DISTINCT user_id FROM analytics.latest_generated_queries "
            "WHERE query = 'vintage red candle'",
        )
    }
    assert named
    listed = rows(
        database,
        "SELECT user_id, source, coalesce(query, from_title) AS reason, is_fallback "
        "FROM analytics.latest_recommendations WHERE item_id = 'new-1'",
    )
    assert named <= {row.user_id for row in listed}
    for row in listed:
        # Nobody bought it: a query or a bought title found it, by words of its title.
        assert row.source in {"queries", "history_titles"}
        assert set(row.reason.split()) & set(NEW["new-1"].split())
        assert not row.is_fallback


def test_a_user_with_one_purchase_gets_a_full_list_with_reasons(
    recipe: Recipe, database: Database, cli: Cli, tmp_path: Path
) -> None:
    events = tmp_path / "events.csv"
    events.write_text("user_id,item_id,timestamp\nnewcomer,i001,1700000000\n")
    assert cli.json("import", "interactions", str(events))["inserted"] == 1
    night(cli, 22)
    explained = explain_user(database.engine, "newcomer")
    found = explained.recommendations
    assert (explained.outcome, explained.n_bought, len(found)) == ("ok", 1, K)
    assert len({row["item_id"] for row in found} - {"i001"}) == K
    for row in found:
        # A reason names the query, or the purchase that led to the item.
        assert "vintage red candle" in reason_of(row)
        assert set(row["title"].split()) & {"vintage", "red", "candle"}
