"""Pages of evaluations and trials, by rows that are known."""

from pathlib import Path

import pytest

from gpt4rec_es.errors import UsageError
from gpt4rec_es.reports.numbers import NARROW
from gpt4rec_es.reports.write import Desk, write_evaluations, write_night, write_trial
from tests.browser.chromium import Chromium
from tests.browser.look import faults
from tests.databases import Database
from tests.pages import Node, cells, read_page
from tests.postgres.analyst_rows import add_three_nights


@pytest.fixture(scope="module")
def shop(module_database: Database) -> Database:
    with module_database.engine.begin() as connection:
        add_three_nights(connection)
        connection.exec_driver_sql("""
            INSERT INTO evaluations (split_no, part, method, options, k1, b, index_name,
                n_eval_users, code_version, seconds, actor)
            VALUES (1, 'test', 'popular', '{}', 1.2, 0.75, 'items-a', 1, 'x', 2, 'ann');
            INSERT INTO evaluation_metrics VALUES (1, 20, 'all', 'ndcg', 0.4, 0.3, 0.5, 1),
                (2, 20, 'all', 'ndcg', 0.2, 0.1, 0.3, 1),
                (1, 20, 'short history', 'ndcg', 0.3, 0.2, 0.4, 1);
        """)
    return module_database


@pytest.fixture
def desk(shop: Database, tmp_path: Path) -> Desk:
    return Desk(shop.analyst_engine, tmp_path)


def read(path: str) -> Node:
    return read_page(Path(path).read_text("utf-8"))


def test_a_night_shows_the_quality_of_those_before(desk: Desk, browser: Chromium) -> None:
    written = write_night(desk, "latest")
    page = read(written.path)
    assert cells(page.one(table="quality")) == [
        ["2026-11-22", "1", "yes", "2", "0.5 (0 to 1)", "0", "0.5 (0 to 1)"]
    ]
    shown = page.one(figure="quality").text.replace(NARROW, " ")
    assert shown.startswith("Hit rate 50 % popular items: 0 %; 2 buyers within 1 day of 2026-11-22")
    assert faults(browser, Path(written.path)) == []


def test_evaluations_show_each_metric_with_its_interval(desk: Desk, browser: Chromium) -> None:
    written = write_evaluations(desk, [2, 1])
    page = read(written.path)
    assert written.path.endswith("/evaluation-1-2.html")
    assert [row[1] for row in cells(page.one(table="evaluations"))] == ["hybrid", "popular"]
    assert cells(page.one(table="metric_ndcg")) == [
        ["20", "1", "hybrid", "0.4 (0.3 to 0.5)", "1"],
        ["20", "2", "popular", "0.2 (0.1 to 0.3)", "1"],
    ]
    assert cells(page.one(table="metric_recall"))[0][0] == "10"
    assert cells(page.one(table="segments")) == [
        ["short history", "1", "hybrid", "0.3 (0.2 to 0.4)", "1"]
    ]
    assert faults(browser, Path(written.path)) == []
    with pytest.raises(UsageError, match="no evaluation 9"):
        write_evaluations(desk, [1, 9])


def test_a_trial_of_bm25_shows_its_surface_and_what_moved(desk: Desk, browser: Chromium) -> None:
    written = write_trial(desk, 1)
    page = read(written.path)
    assert "Use k1=0.9 b=0.3" in page.text
    heat = page.one("table", heat=None)
    assert cells(heat) == [["0.75", "", "0.5 live"], ["0.3", "1 best", ""]]
    assert [row[:3] for row in cells(page.one(table="comparisons"))] == [
        ["all", "defaults", "2"],
        ["target in tail", "defaults", "1"],
    ]
    assert cells(page.one(table="gained")) == [["red", "old vase", "\u2013", "1"]]
    assert page.one(table="lost").text.startswith("Worse rank None.")
    assert faults(browser, Path(written.path)) == []


def test_a_trial_of_recipes_shows_the_winner_against_live(desk: Desk, browser: Chromium) -> None:
    written = write_trial(desk, 2)
    page = read(written.path)
    assert cells(page.one(table="list_comparisons")) == [
        ["ndcg@10", "0.1", "0.12", "0.02 (0.01 to 0.03)", "0.001"]
    ]
    assert len(cells(page.one(table="list_settings"))) == 1
    assert faults(browser, Path(written.path)) == []
    with pytest.raises(UsageError, match="no trial 7"):
        write_trial(desk, 7)
