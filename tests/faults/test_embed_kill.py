"""A night with a re-ranker by Celery workers, one of which is killed while it makes vectors."""

import datetime as dt
from pathlib import Path

from sqlalchemy import text

from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.night.start import start_night
from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.options.recipe import Recipe
from gpt4rec_es.records import Decoding
from gpt4rec_es.reranking.registry import add_reranker
from tests.databases import Database
from tests.encoders import save_tiny_gpt2
from tests.flow.conftest import use_titles
from tests.processes import Worker, wait_for
from tests.rerankers import save_reranker
from tests.servers import Servers
from tests.shop import Shop, make_shop, use_recipe

DAY = dt.date(2026, 11, 22)
USERS = 200
RECIPE = Recipe(
    Decoding(num_queries=2, num_beams=4, max_new_tokens=8),
    fusion=Fusion(
        (("queries", 1.0), ("history_titles", 1.0)),
        method="learned",
        coefficients=(("query_best", 1.0), ("rerank", 1.0)),
    ),
    reranker="random",
)
ENVIRON = {
    "GPT4REC_LEASE_SECONDS": "2",
    "GPT4REC_REDRIVE_SECONDS": "1",
    "GPT4REC_GENERATE_SHARD_SIZE": "50",
    "GPT4REC_SEARCH_SHARD_SIZE": "50",
    "GPT4REC_MERGE_SHARD_SIZE": "2",
    "GPT4REC_MAX_FAILURES": "20",
    "GPT4REC_DEVICE": "cpu",
}


def test_a_killed_worker_changes_no_vector(
    servers: Servers, database: Database, alias: str, tmp_path: Path
) -> None:
    use_titles(database)
    made = make_shop(servers, database, alias, USERS)
    shop = Shop({**made.environ, **ENVIRON})
    runtime = shop.runtime()
    folder = save_reranker(runtime.engine, tmp_path / "random", save_tiny_gpt2(tmp_path / "gpt2"))
    add_reranker(runtime.engine, "random", folder, actor="test")
    with database.engine.begin() as connection:
        use_recipe(connection, "reranked", RECIPE)
    parts, options = runtime.night_parts(), runtime.night_options()
    run_night(parts, options, DAY)  # without kills
    start_night(parts, options, DAY + dt.timedelta(days=1))
    generation = Worker("generation", shop.environ, tmp_path / "generation")
    retrieval = Worker("retrieval", shop.environ, tmp_path / "retrieval")
    try:
        wait_for(lambda: len(vectors(database, 2)) > 10, 120, (generation, retrieval))
        generation.kill()
        n_stored = len(vectors(database, 2))
        assert state(database) == "embedding"
        assert n_stored < USERS - 1
        generation = Worker("generation", shop.environ, tmp_path / "second", 2)
        wait_for(lambda: state(database) == "published", 120, (generation, retrieval))
    finally:
        generation.kill()
        retrieval.kill()
    assert len(vectors(database, 1)) == USERS - 1
    assert vectors(database, 2) == vectors(database, 1)
    assert lists(database, 2) == lists(database, 1)


def state(database: Database) -> str:
    with database.engine.connect() as connection:
        found = connection.execute(text("SELECT state FROM runs WHERE run_no = 2"))
        return str(found.scalar_one())


def vectors(database: Database, run_no: int) -> dict[int, bytes]:
    with database.engine.connect() as connection:
        found = connection.execute(
            text("SELECT user_no, vector FROM run_user_vectors WHERE run_no = :n"), {"n": run_no}
        )
        return {row.user_no: bytes(row.vector) for row in found}


def lists(database: Database, run_no: int) -> list[tuple[object, ...]]:
    with database.engine.connect() as connection:
        found = connection.execute(
            text(
                "SELECT user_no, rank, item_no, source, merge_rank, rerank_score, fused_score "
                "FROM recommendations WHERE run_no = :n ORDER BY 1, 2"
            ),
            {"n": run_no},
        )
        return [tuple(row) for row in found]
