"""A night that searches by words and by vectors; a worker is killed in its search stage."""

import datetime as dt
from pathlib import Path

from sqlalchemy import text

from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.night.start import start_night
from gpt4rec_es.reranking.encoder_registry import add_encoder
from tests.databases import Database
from tests.flow.conftest import use_titles
from tests.flow.test_vector_lists import LIMITS, RECIPE, lists, save_words
from tests.processes import Worker, wait_for
from tests.servers import Servers
from tests.shop import Shop, make_shop, use_recipe

DAY = dt.date(2026, 11, 22)
ENVIRON = {
    "GPT4REC_LEASE_SECONDS": "2",
    "GPT4REC_REDRIVE_SECONDS": "1",
    "GPT4REC_SEARCH_SHARD_SIZE": "1",
    "GPT4REC_MAX_FAILURES": "20",
    "GPT4REC_GATE_LIMITS": LIMITS,
}


def test_a_worker_killed_while_it_searches_changes_no_list(
    servers: Servers, database: Database, alias: str, tmp_path: Path
) -> None:
    use_titles(database)
    made = make_shop(servers, database, alias)
    shop = Shop({**made.environ, **ENVIRON})
    runtime = shop.runtime()
    words = save_words(tmp_path / "words")
    add_encoder(runtime.engine, "words", "static", path=words, actor="test")
    with database.engine.begin() as connection:
        use_recipe(connection, "vectors", RECIPE)
    parts, options = runtime.night_parts(), runtime.night_options()
    run_night(parts, options, DAY)  # without kills
    expected = searches(database)
    with database.engine.begin() as connection:
        connection.execute(text("DELETE FROM searches"))
    start_night(parts, options, DAY + dt.timedelta(days=1))
    generation = Worker("generation", shop.environ, tmp_path / "generation")
    retrieval = Worker("retrieval", shop.environ, tmp_path / "retrieval")
    try:
        wait_for(lambda: len(searches(database)) > 3, 120, (generation, retrieval))
        retrieval.kill()
        assert state(database) == "searching"
        assert len(searches(database)) < len(expected)
        retrieval = Worker("retrieval", shop.environ, tmp_path / "second", 2)
        wait_for(lambda: state(database) == "published", 120, (generation, retrieval))
    finally:
        generation.kill()
        retrieval.kill()
    assert searches(database) == expected  # each once
    assert lists(database, 2) == lists(database, 1)


def state(database: Database) -> str:
    with database.engine.connect() as connection:
        found = connection.execute(text("SELECT state FROM runs WHERE run_no = 2"))
        return str(found.scalar_one())


def searches(database: Database) -> list[tuple[object, ...]]:
    with database.engine.connect() as connection:
        found = connection.execute(
            text("SELECT query_no, options_no, depth, item_nos, scores FROM searches ORDER BY 1, 2")
        )
        return [tuple(row) for row in found]
