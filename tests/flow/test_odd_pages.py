"""Pages of nights that lack something: each can be read and says what is missing."""

import datetime as dt
from pathlib import Path

import pytest

from gpt4rec_es.errors import GateError, UsageError
from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.reports.write import Desk, write_index, write_mail, write_night, write_user
from tests.browser.chromium import Chromium
from tests.browser.look import faults
from tests.databases import Database
from tests.flow.conftest import use_titles
from tests.pages import Node, read_page
from tests.servers import Servers
from tests.shop import Shop, make_shop

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

    card = write_user(desk, "latest", "u001")
    assert faults(browser, Path(card.path)) == []
    index = write_index(desk)
    assert faults(browser, Path(index.path)) == []
    states = [row.text for row in read_page(Path(index.path).read_text("utf-8")).all("tr")[1:]]
    assert len(states) == 3
