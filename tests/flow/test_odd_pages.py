"""Pages of nights that lack something: each can be read and says what is missing."""

import datetime as dt
from pathlib import Path

import pytest
from sqlalchemy import text

from gpt4rec_es.errors import GateError, UsageError
from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.night.quality.judge import measure
from gpt4rec_es.reports.write import (
    Desk,
    write_evaluations,
    write_index,
    write_mail,
    write_night,
    write_trial,
    write_two_runs,
    write_user,
)
from gpt4rec_es.reranking.encoder_registry import add_encoder
from tests.browser.chromium import Chromium
from tests.browser.look import faults
from tests.databases import Database
from tests.flow.conftest import use_titles
from tests.flow.test_vector_lists import RECIPE, save_words
from tests.pages import Node, cells, read_page
from tests.servers import Servers
from tests.shop import Shop, add_purchases, make_shop, use_recipe

DAY = dt.date(2026, 11, 22)
# A shop this small fails gates that compare or count.
PASSES = "full=0 fallbacks=1 top_item=1 failed=1"


@pytest.fixture
def shop(servers: Servers, database: Database, alias: str) -> Shop:
    """A shop of one user that bought two items, and one that bought none."""
    use_titles(database)
    return make_shop(servers, database, alias, users=2)


def night(shop: Shop, days: int, **changes: str) -> str:
    runtime = shop.runtime(**{"gate_limits": PASSES, **changes})
    report = run_night(
        runtime.night_parts(), runtime.night_options(), DAY + dt.timedelta(days=days)
    )
    runtime.close()
    return report.run_id


def page_of(desk: Desk, run_id: str, browser: Chromium) -> Node:
    """Return the page of a run; it and its mail look right."""
    written = [write_night(desk, run_id), write_mail(desk, run_id)]
    assert [fault for one in written for fault in faults(browser, Path(one.path))] == []
    return read_page(Path(written[0].path).read_text("utf-8"))


def test_pages_of_nights_that_lack_something(
    shop: Shop, database: Database, browser: Chromium, tmp_path: Path
) -> None:
    desk = Desk(database.analyst_engine, tmp_path)
    with pytest.raises(UsageError, match="Nothing is published yet"):
        write_night(desk, "latest")
    assert "No run yet." in read_page(Path(write_index(desk).path).read_text("utf-8")).text

    first = page_of(desk, night(shop, 0), browser)
    assert "no night before to compare with" in first.text
    assert first.all(figure="changes") == []
    assert len(first.all("article", user=None)) == 0  # no user with 3 to 12 purchases
    assert "of 2 users" in first.one(figure="users").text

    without = page_of(desk, night(shop, 1, sources="queries:0,co_purchase"), browser)
    assert "the run has no query generator" in without.one(table="queries").text
    settings = without.one(table="run").text
    assert "Generatornone" in settings
    assert "beams" not in settings

    with pytest.raises(GateError):
        night(shop, 2, k="59", gate_limits="full=1")
    rejected = page_of(desk, "nightly-2026-11-24-1", browser)
    assert rejected.one(verdict="stop").text.startswith("Not published")
    assert "Customers keep the lists published before" in rejected.one(verdict="stop").text

    mail = read_page((tmp_path / "nightly-2026-11-24-1-mail.html").read_text("utf-8"))
    gates = [[cell.text for cell in row.all("td")] for row in mail.one(table="gates").all("tr")]
    assert [row[1] for row in gates[1:]] == ["failed"] * len(gates[1:]) != []

    card = write_user(desk, "latest", "u001")
    assert faults(browser, Path(card.path)) == []
    index = write_index(desk)
    assert faults(browser, Path(index.path)) == []
    states = [row.text for row in read_page(Path(index.path).read_text("utf-8")).all("tr")[1:]]
    assert len(states) == 3


CANARY = f"{PASSES} top_first_query=1 held_out_share=0.5 canary_users=12"


def test_pages_of_nights_with_a_canary_a_holdback_and_vectors(
    servers: Servers, database: Database, alias: str, browser: Chromium, tmp_path: Path
) -> None:
    use_titles(database)
    shop = make_shop(servers, database, alias)
    desk = Desk(database.analyst_engine, tmp_path)
    held = night(shop, 0, gate_limits=CANARY, holdback="k:paper=0.1,popularity=0.2,none=0.2")
    with database.engine.begin() as connection:  # the run is old, and users bought since
        connection.execute(text("UPDATE runs SET planned_at = planned_at - interval '3 days'"))
        add_purchases(connection, version=2, first_user=5, users=40)
        connection.execute(
            text("UPDATE interactions SET event_at = clock_timestamp() - interval '2.5 days' "
                 "WHERE version = 2")
        )  # fmt: skip
        connection.execute(text("UPDATE catalog_state SET history_version = 2"))
    runtime = shop.runtime()
    assert measure(runtime.night_parts()) == [held]
    page = page_of(desk, held, browser)
    arms = {arm: (int(users), int(places)) for arm, users, places in
            cells(page.one(table="holdback"))}  # fmt: skip
    assert arms["none"][1] == 0
    assert arms["popularity"][1] == 6 * arms["popularity"][0]
    # Popular items that a holdback gives are no fallbacks of the night: one user bought nothing.
    assert page.one(figure="fallbacks").text.startswith("Fallbacks")
    assert f"6 of {6 * (40 - arms['none'][0] - arms['popularity'][0])} places" in page.text
    assert {row[0] for row in cells(page.one(table="arms"))} == {"recipe", *arms}
    assert "Canarythe first 12 users, passed 20" in page.one(table="run").text
    with database.analyst_engine.connect() as connection:
        user = connection.execute(
            text("SELECT min(user_id) FROM analytics.user_outcomes "
                 "WHERE holdback_arm = 'popularity'")
        ).scalar_one()  # fmt: skip
    card = write_user(desk, held, user)
    assert "outcome held_back, held back in arm popularity" in Path(card.path).read_text("utf-8")

    add_encoder(runtime.engine, "words", "static", path=save_words(tmp_path / "w"), actor="test")
    runtime.close()
    with database.engine.begin() as connection:
        use_recipe(connection, "vectors", RECIPE)
    later = night(shop, 1, gate_limits=CANARY)
    near = page_of(desk, later, browser)
    assert "titles near generated queries (query_vectors)" in near.one(table="sources").text
    both = write_two_runs(desk, held, later)
    assert faults(browser, Path(both.path)) == []
    compared = read_page(Path(both.path).read_text("utf-8"))
    assert {row[0]: int(row[1]) for row in cells(compared.one(table="arms"))} == {
        arm: users for arm, (users, _) in arms.items()
    }


def test_pages_of_a_shop_without_purchases_users_and_measurements(
    shop: Shop, database: Database, browser: Chromium, tmp_path: Path
) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("DELETE FROM interactions"))
        connection.execute(text("DELETE FROM users WHERE user_no > 1"))
    desk = Desk(database.analyst_engine, tmp_path)
    with pytest.raises(GateError):  # nothing can be recommended to the one user
        night(shop, 0)
    page = page_of(desk, "nightly-2026-11-22-1", browser)
    assert "of 1 user" in page.one(figure="users").text
    assert page.one(figure="fallbacks").text.startswith("Fallbacks \u2013 0 of 0 places")
    with pytest.raises(UsageError, match="no evaluation 1"):
        write_evaluations(desk, [1])
    with pytest.raises(UsageError, match="no trial 1"):
        write_trial(desk, 1)
    with database.engine.begin() as connection:
        connection.execute(text("DELETE FROM users"))
    with pytest.raises(UsageError, match="There is no user to recommend for"):
        night(shop, 1)
    assert faults(browser, Path(write_index(desk).path)) == []
