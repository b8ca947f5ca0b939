"""Nights after what operators do: by force, with another K, with half of the users held back."""

import datetime as dt

import pytest
from sqlalchemy import text

from gpt4rec_es.db.rows import gates as gate_rows
from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.errors import GateError
from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.night.publish.publish import publish
from tests.databases import Database
from tests.flow.conftest import use_titles
from tests.servers import Servers
from tests.shop import Shop, add_purchases, make_shop

DAY = dt.date(2026, 11, 22)
LIMITS = "full=0 fallbacks=1 canary_share=0"
HALF = "k:popularity=0.25,none=0.25"


@pytest.fixture
def shop(servers: Servers, database: Database, alias: str) -> Shop:
    use_titles(database)
    return make_shop(servers, database, alias, users=90)


def night(shop: Shop, day: int, **changes: str) -> str:
    """Run a night after six users bought; return its id."""
    runtime = shop.runtime(gate_limits=LIMITS, **changes)
    with runtime.engine.begin() as connection:
        add_purchases(connection, version=2 + day, first_user=1 + 7 * day, users=7 + 7 * day)
        connection.execute(text("UPDATE catalog_state SET history_version = history_version + 1"))
    made = run_night(runtime.night_parts(), runtime.night_options(), DAY + dt.timedelta(days=day))
    runtime.close()
    return made.run_id


def required(database: Database, run_id: str) -> dict[str, str]:
    """Return gate -> what it requires of a run."""
    with database.engine.connect() as connection:
        run = run_rows.find(connection, run_id)
        return {one.gate: one.required for one in gate_rows.load(connection, run.run_no)}


def turn(database: Database) -> None:
    """Read purchases in the other direction, at prices in another unit."""
    with database.engine.begin() as connection:
        for statement in (
            "UPDATE interactions SET event_no = -event_no, ordinal = -ordinal",
            "UPDATE items SET price = CASE WHEN price = 900 THEN 9 ELSE 900 END",
        ):
            connection.execute(text(statement))


def test_a_good_night_after_one_that_was_published_by_force(shop: Shop, database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE items SET price = 9"))
    night(shop, 0)
    turn(database)
    with pytest.raises(GateError, match="another newest purchase"):
        night(shop, 1)
    runtime, bad = shop.runtime(), f"nightly-{DAY + dt.timedelta(days=1)}-1"
    publish(runtime.night_parts(), bad, force=True, reason="today bad lists are better than none")
    turn(database)
    good = required(database, night(shop, 2))
    for gate in ("lists_resemble_the_published", "catalog_did_not_shrink"):
        assert good[gate] == "nothing, because the night before was published by force"
    # The next one is compared as always.
    turn(database)
    with pytest.raises(GateError, match="median price 900 after 9"):
        night(shop, 3)


def test_another_k_and_half_of_the_users_held_back(shop: Shop, database: Database) -> None:
    for day in range(4):
        last = required(database, night(shop, day))
    assert "by the last nights" in last["lists_differ"]
    held = required(database, night(shop, 4, holdback=HALF))
    assert "by the last nights" in held["lists_differ"], "a holdback decides no list of a recipe"
    night(shop, 5)
    longer = required(database, night(shop, 6, k="12"))
    assert "limits alone: 0 nights" in longer["lists_differ"]
    assert longer["lists_resemble_the_published"] == "nothing, because K changed"
    back = required(database, night(shop, 7))
    assert "by the last nights" in back["lists_differ"]
