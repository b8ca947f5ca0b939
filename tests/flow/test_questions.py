"""An analyst can run the demo's questions, and their results are consistent."""

import datetime as dt

from gpt4rec_es.db.rows.analysts import QUESTIONS, answer
from gpt4rec_es.night.inprocess import run_night
from tests.databases import Database
from tests.shop import Shop


def test_questions(shop: Shop, database: Database) -> None:
    runtime = shop.runtime()
    run_night(runtime.night_parts(), runtime.night_options(), dt.date(2026, 11, 22))
    with database.analyst_engine.connect() as connection:
        answers = [answer(connection, question) for question in QUESTIONS]
    (queries, items, sources) = (rows for _, rows in answers)
    assert max(row[1] for row in queries) <= 39
    assert len(items) == 5
    assert sum(row[1] for row in sources) == 40 * 6
    assert sum(row[2] for row in sources) == 100
