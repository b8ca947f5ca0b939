"""Another session that holds every advisory lock it can guess does not stop a night.

Where no administrator upgraded the database, analysts can take advisory locks; here the writer does
it for them.
"""

import datetime as dt

from sqlalchemy import text

from gpt4rec_es.db.locks import TEXTS, hold_lock, lock_key
from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.night.publish.prune import prune
from tests.databases import Database
from tests.shop import Shop

DAY = dt.date(2026, 11, 22)
NAMES = (
    "night nightly",
    "plan nightly",
    "publish nightly",
    "check nightly-2026-11-22-1",
    "daily 1",
    "co-purchases",
    "prune",
    "exports",
    "import 1",
    "import 2",
    TEXTS,
)


def test_guessed_locks_stop_nothing(shop: Shop, database: Database) -> None:
    runtime = shop.runtime(sources="queries,co_purchase")
    names = [*NAMES, f"index {runtime.settings.index_alias}"]
    with database.engine.connect() as other:
        for name in names:
            other.execute(text("SELECT pg_advisory_lock(:key)"), {"key": lock_key(name)})
        parts = runtime.night_parts()
        assert run_night(parts, runtime.night_options(), DAY).state == "published"
        assert prune(parts).runs == []


def test_a_mark_that_an_analyst_waits_for_holds_nothing(database: Database) -> None:
    # While a lock is held, its mark shows in pg_locks to everyone.
    with hold_lock(database.engine, "work"), database.engine.connect() as connection:
        mark = connection.execute(
            text("SELECT mark FROM lock_holders WHERE name = 'work'")
        ).scalar_one()
    with database.engine.connect() as other:
        other.execute(text("SELECT pg_advisory_lock(:mark)"), {"mark": mark})
        with database.engine.begin() as connection:  # as a killed holder leaves it
            connection.execute(
                text("INSERT INTO lock_holders VALUES ('work', :mark, 1, false)"), {"mark": mark}
            )
        with hold_lock(database.engine, "work"):
            pass
