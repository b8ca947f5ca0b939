"""An analyst can run the demo's questions, and those of the manual, right after a night."""

import datetime as dt
import time

from sqlalchemy import text

from gpt4rec_es.db.rows.analysts import QUESTIONS, answer
from gpt4rec_es.night.inprocess import run_night
from tests.databases import Database
from tests.postgres.test_dictionary import SECTIONS
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


def test_worked_questions_have_answers_or_name_the_command_that_gives_them(
    shop: Shop, database: Database
) -> None:
    runtime = shop.runtime()
    run_night(runtime.night_parts(), runtime.night_options(), dt.date(2026, 11, 22))
    with database.analyst_engine.connect() as connection:
        connection.execute(text("SET search_path = analytics"))
        connection.execute(text("SET statement_timeout = '2s'"))
        for section in SECTIONS[1:]:
            title, _, rest = section.partition("\n")
            said, _, sql = rest.partition("```sql\n")
            if sql:
                start = time.monotonic()
                rows = connection.execute(text(sql.partition("```")[0])).all()
                assert rows or "`gpt4rec " in said, title
                assert time.monotonic() - start < 2, title
