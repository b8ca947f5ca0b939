"""A whole night with a trained model: workers and one process store equal rows."""

import datetime as dt
from pathlib import Path

from sqlalchemy import text

from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.night.start import start_night
from tests.databases import Database
from tests.flow.conftest import use_generator
from tests.processes import night_workers, running, wait_for
from tests.shop import Shop, stored_rows

DAY = dt.date(2026, 11, 22)


def test_a_trained_model_here_and_by_workers(
    shops: tuple[Shop, Shop],
    database: Database,
    second_database: Database,
    trained_folder: Path,
    tmp_path: Path,
) -> None:
    for one in (database, second_database):
        use_generator(one, "gpt2", trained_folder)
    # Other shards, so other batches: in fp32 these change nothing.
    here, there = shops[0].runtime(), shops[1].runtime(generate_shard_size=3)
    report = run_night(here.night_parts(), here.night_options(), DAY)
    assert report.state == "published"
    assert report.tokens > 0
    start_night(there.night_parts(), there.night_options(), DAY)
    workers = night_workers(shops[1].environ, tmp_path)
    with running(*workers):
        wait_for(lambda: _state(second_database) == "published", 120, workers)
    with database.engine.connect() as one, second_database.engine.connect() as other:
        assert stored_rows(one, 1) == stored_rows(other, 1)
        assert _queries(one) == _queries(other)
        sources = one.execute(text("SELECT DISTINCT source FROM recommendations")).scalars()
        assert "queries" in set(sources)
    again = run_night(here.night_parts(), here.night_options(), DAY + dt.timedelta(days=1))
    assert (again.tokens, again.searches) == (0, 0)


def _state(database: Database) -> str:
    with database.engine.connect() as connection:
        return str(connection.execute(text("SELECT state FROM runs")).scalar_one())


def _queries(connection: object) -> list[tuple[object, ...]]:
    found = connection.execute(  # type: ignore[attr-defined]
        text("""
        SELECT p.text, q.rank, t.text, q.n_tokens, round(q.sum_logprob::numeric, 3)
        FROM generated_queries AS q JOIN generations USING (generation_no)
        JOIN prompts AS p USING (prompt_no) JOIN queries AS t USING (query_no) ORDER BY 1, 2
        """)
    )
    return [tuple(row) for row in found]
