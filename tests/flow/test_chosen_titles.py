"""Nights whose queries are chosen among the titles of the catalog."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from gpt4rec_es.errors import ConflictError, UsageError
from gpt4rec_es.generation.registry import show_generator
from gpt4rec_es.night.drain import drain
from gpt4rec_es.night.inprocess import NightReport, run_night
from gpt4rec_es.night.inputs.chosen_titles import titles_of_run
from gpt4rec_es.night.publish.prune import prune
from gpt4rec_es.night.start import start_night
from gpt4rec_es.options.recipe import Recipe
from gpt4rec_es.records import Decoding
from gpt4rec_es.runtime import Runtime
from tests.databases import Database
from tests.flow.conftest import use_generator, use_titles
from tests.servers import Servers
from tests.shop import TITLES, make_shop, stored_rows, use_recipe

DAY = dt.date(2026, 11, 22)
RECIPE = Recipe(
    decoding=Decoding(
        num_queries=3, num_beams=6, max_new_tokens=24, length_penalty=0.0, mode="titles"
    )
)
# So few users of so small a network may all want the same.
LIMITS = "full=0 fallbacks=1 top_item=1 top_first_query=1 overlap=0 shrinkage=1"


@pytest.fixture
def runtime(servers: Servers, database: Database, alias: str, trained_folder: Path) -> Runtime:
    """Return a shop whose generator is a trained one, and whose recipe chooses titles."""
    use_generator(database, "gpt2", trained_folder)
    shop = make_shop(servers, database, alias)
    with database.engine.begin() as connection:
        use_recipe(connection, "titles", RECIPE)
    return shop.runtime(gate_limits=LIMITS, device="cpu", threads=1)


def night(runtime: Runtime, day: int = 0) -> NightReport:
    date = DAY + dt.timedelta(days=day)
    return run_night(runtime.night_parts(), runtime.night_options(), date)


def written(database: Database, run_id: str) -> dict[str, list[str]]:
    """Return the queries of each user."""
    with database.engine.connect() as connection:
        found = connection.execute(
            text("""
            SELECT user_id, array_agg(query ORDER BY query_rank) AS queries
            FROM analytics.generated_queries WHERE run_id = :run_id GROUP BY 1
            """),
            {"run_id": run_id},
        )
        return {row.user_id: row.queries for row in found}


def change_items(database: Database, change: str) -> None:
    with database.engine.begin() as connection:
        connection.execute(text(change))
        connection.execute(text("UPDATE catalog_state SET catalog_version = catalog_version + 1"))


def run_no(database: Database, run_id: str) -> int:
    with database.engine.connect() as connection:
        found = connection.execute(
            text("SELECT run_no FROM runs WHERE run_id = :run_id"), {"run_id": run_id}
        )
        return int(found.scalar_one())


def test_only_users_whose_titles_are_gone_cost_tokens(runtime: Runtime, database: Database) -> None:
    first = night(runtime)
    queries = written(database, first.run_id)
    assert first.prompts > 0
    assert len(queries) == 39
    assert {query for own in queries.values() for query in own} <= set(TITLES)
    rows = stored_rows_of(database, first)

    again = night(runtime, 1)
    assert (again.prompts, written(database, again.run_id)) == (0, queries)

    gone = queries["u001"][0]
    change_items(
        database,
        f"UPDATE items SET is_active = false, version = version + 1 WHERE title = '{gone}'",
    )
    change_items(
        database,
        "INSERT INTO items (item_id, title, title_raw, version) "
        "VALUES ('new', 'vintage lamp', 'vintage lamp', 9)",
    )
    third = night(runtime, 2)
    now = written(database, third.run_id)
    affected = {user for user, own in queries.items() if gone in own}
    assert 0 < third.prompts <= len(affected)
    assert not any(gone in own for own in now.values())
    kept = set(queries) - affected
    assert kept
    assert {user: now[user] for user in kept} == {user: queries[user] for user in kept}
    # Earlier nights still have what they wrote.
    assert written(database, first.run_id) == queries
    assert stored_rows_of(database, first) == rows


def stored_rows_of(database: Database, report: NightReport) -> list[tuple[object, ...]]:
    with database.engine.connect() as connection:
        return stored_rows(connection, run_no(database, report.run_id))


def test_long_titles_stay_valid_although_queries_are_cut(
    runtime: Runtime, database: Database
) -> None:
    cut = replace(RECIPE, decoding=replace(RECIPE.decoding, max_new_tokens=3))
    with database.engine.begin() as connection:
        use_recipe(connection, "cut", cut)
    first = night(runtime)
    queries = written(database, first.run_id)
    assert {query for own in queries.values() for query in own} - set(TITLES)
    change_items(
        database,
        "INSERT INTO items (item_id, title, title_raw, version) VALUES ('n', 'new', 'new', 9)",
    )
    second = night(runtime, 1)
    assert (second.prompts, written(database, second.run_id)) == (0, queries)


def test_copies_of_pruned_nights_are_deleted(runtime: Runtime, database: Database) -> None:
    night(runtime)
    new = "INSERT INTO items (item_id, title, title_raw, version) VALUES ('{0}', '{0}', '{0}', 9)"
    for day in (1, 2):
        change_items(database, new.format(f"lamp {day}"))
        night(runtime, day)
    assert count(database, "SELECT count(DISTINCT decoding_no) FROM generations") == 3
    assert prune(runtime.night_parts(), owner=database.owner_engine, keep_published=1).runs
    kept = count(database, "SELECT count(*) FROM runs WHERE pruned_at IS NULL")
    assert kept == count(database, "SELECT count(DISTINCT decoding_no) FROM generations") < 3
    change_items(database, new.format("lamp 3"))
    assert night(runtime, 3).prompts == 0


def count(database: Database, statement: str) -> int:
    with database.engine.connect() as connection:
        return int(connection.execute(text(statement)).scalar_one())


def test_old_generations_are_made_anew_however_often_they_were_copied(
    runtime: Runtime, database: Database
) -> None:
    first = night(runtime)
    new = "INSERT INTO items (item_id, title, title_raw, version) VALUES ('{0}', '{0}', '{0}', 9)"
    change_items(database, new.format("one lamp"))
    second = night(runtime, 1)
    assert second.prompts == 0
    with database.engine.begin() as connection:
        connection.execute(
            text("UPDATE generations SET created_at = created_at - interval '31 days'")
        )
    change_items(database, new.format("two lamps"))
    assert night(runtime, 2).prompts == first.prompts


def test_an_import_after_planning_changes_nothing(runtime: Runtime, database: Database) -> None:
    parts, options = runtime.night_parts(), runtime.night_options()
    run = start_night(parts, options, DAY).run
    change_items(database, "UPDATE items SET is_active = false, version = 2 WHERE item_no % 2 = 0")
    drain(parts, options, run.run_no, "test")
    queries = written(database, run.run_id)
    assert len({query for own in queries.values() for query in own} & set(TITLES[1::2])) > 1
    assert set(titles_of_run(parts.elastic, run).texts) == set(TITLES)
    wrong = {**run.manifest, "titles": "0"}
    with pytest.raises(ConflictError, match="are not those that"):
        titles_of_run(parts.elastic, replace(run, manifest=wrong))


def test_a_generator_shows_its_card_and_what_it_wrote(runtime: Runtime) -> None:
    before = show_generator(runtime.engine, "gpt2")
    assert (before.queries, before.cost) == ([], {})
    report = night(runtime)
    card = show_generator(runtime.engine, "gpt2")
    per_prompt = card.cost["tokens_per_1000_prompts"] / 1000
    assert per_prompt == pytest.approx(report.tokens / report.prompts, abs=1e-3)
    assert card.cost["seconds_per_1000_prompts"] > 0
    assert card.network["model_type"] == "gpt2"
    assert card.network["n_positions"] == 256
    assert card.licence is None
    assert 1 <= len(card.queries) == len(set(card.queries)) <= 5
    assert set(card.queries) <= set(TITLES)
    with pytest.raises(UsageError, match="no generator 'other'"):
        show_generator(runtime.engine, "other")


def test_a_generator_without_probabilities_cannot_choose(
    runtime: Runtime, database: Database
) -> None:
    use_titles(database)
    with pytest.raises(UsageError, match="cannot choose"):
        night(runtime)
    with database.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM runs")).scalar_one() == 0
