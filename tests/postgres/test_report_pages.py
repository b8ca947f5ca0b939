"""Pages of evaluations and trials, by rows that are known."""

import json
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from gpt4rec_es.errors import UsageError
from gpt4rec_es.metrics.accuracy import accuracy
from gpt4rec_es.recipes.shipped import shipped
from gpt4rec_es.reports.numbers import NARROW, real
from gpt4rec_es.reports.write import Desk, write_evaluations, write_night, write_trial
from tests.browser.chromium import Chromium
from tests.browser.look import faults
from tests.databases import Database
from tests.pages import Node, cells, read_page
from tests.postgres.analyst_rows import add_three_nights

MINUS = "\u2212"
# Lists of two items by evaluation, of users 1 and 2, and what they bought later.
LISTS = {1: [[1, 2], [3, 4]], 2: [[4, 3], [4, 1]]}
TARGETS = [[1, 3], [4]]


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
            INSERT INTO split_eval_users VALUES (1, 'test', 1, '{2}', '{1,3}', NULL);
        """)
        for evaluation, lists in LISTS.items():
            for user, items in enumerate(lists, start=1):
                connection.execute(
                    text("INSERT INTO evaluation_lists VALUES (:evaluation, 2, :user, :items)"),
                    {"evaluation": evaluation, "user": user, "items": items},
                )
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
        ["2026-11-22", "1", "0.5 (0 to 1)", "0 %", "0.5 (0 to 1)", "2", "yes"]
    ]
    shown = page.one(figure="quality").text.replace(NARROW, " ")
    assert shown.startswith(
        "Hit rate 50 % 0 % to 100 %; popular items: 0 %; 2 buyers within 1 day of 2026-11-22"
    )
    assert faults(browser, Path(written.path)) == []


def test_evaluations_show_each_metric_with_its_interval(desk: Desk, browser: Chromium) -> None:
    written = write_evaluations(desk, [2, 1])
    page = read(written.path)
    assert written.path.endswith("/evaluation-2-1.html")
    assert [row[1] for row in cells(page.one(table="evaluations"))] == ["hybrid", "popular"]
    assert cells(page.one(table="metric_ndcg")) == [
        ["20", "1", "hybrid", "0.4 (0.3 to 0.5)", "1"],
        ["20", "2", "popular", "0.2 (0.1 to 0.3)", "1"],
    ]
    assert cells(page.one(table="metric_recall"))[0][0] == "10"
    assert cells(page.one(table="segments")) == [
        ["short history", "1", "hybrid", "0.3 (0.2 to 0.4)", "1"]
    ]
    of_users = {number: accuracy(np.array(lists), TARGETS) for number, lists in LISTS.items()}
    for metric in ("ndcg", "recall"):
        moved = of_users[1][metric] - of_users[2][metric]
        margin = 1.96 * moved.std(ddof=1) / np.sqrt(2)
        ends = [real(end, 3) for end in (moved.mean() - margin, moved.mean() + margin)]
        shown = f"{real(moved.mean(), 3)} ({ends[0]} to {ends[1]})"
        assert cells(page.one(table=f"difference_{metric}")) == [["2", "1", "hybrid", shown, "2"]]
    assert faults(browser, Path(written.path)) == []
    alone = read(write_evaluations(desk, [1]).path)
    assert alone.all(table="difference_ndcg") == []
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
    segment = ["target in tail", "4", "0.2", "0.1", f"{MINUS}0.1 ({MINUS}0.2 to 0.01)", "0.3"]
    assert cells(page.one(table="list_segments")) == [segment]
    assert "live recipe of that time is not stored" in page.one(table="recipe_differences").text
    assert len(cells(page.one(table="list_settings"))) == 1
    assert cells(page.one(table="purchase_gained")) == [["old vase", "0", "2", "+2"]]
    assert cells(page.one(table="item_lost")) == [["i-5", "4", "2", f"{MINUS}2"]]
    assert cells(page.one(table="query_lost")) == [["red", "3", "1", f"{MINUS}2"]]
    assert "None" in page.one(table="query_gained").text
    assert faults(browser, Path(written.path)) == []
    with pytest.raises(UsageError, match="no trial 7"):
        write_trial(desk, 7)


def test_a_trial_of_recipes_shows_which_entries_differ(
    desk: Desk, shop: Database, browser: Chromium
) -> None:
    live = shipped("default")
    document = live.recipe.as_document()
    document["fusion"]["pairs"]["decay"] = 0.5
    document["fusion"]["coefficients"]["query_best"] = 1.25
    with shop.engine.begin() as connection:
        trial = connection.execute(
            text("""
                INSERT INTO list_trials (trial_no, split_name, split_hash, part, build_no, metric,
                    k, seed, n_fit_users, n_test_users, live_name, live_hash, document,
                    content_hash, is_change, verdict, seconds, actor, code_version)
                VALUES (3, 'loo', 'ab', 'validation', 1, 'ndcg', 10, 0, 1, 1, :name, :hash,
                    :document, 'x', true, 'Use it.', 9.5, 'ann', 'c') RETURNING trial_no
            """),
            {
                "name": live.name,
                "hash": live.recipe.content_hash,
                "document": json.dumps(document),
            },
        ).scalar_one()
        connection.execute(
            text("""
                INSERT INTO list_trial_settings (trial_no, setting_no, is_fitted, pair_decay,
                    pair_backward, pair_popularity, pair_damping, history_decay, history, value)
                SELECT :trial, n, true, 0.1 * n, 0.5, 0.3, 20, 0.7, 10 + n % 4, 0.1 + 0.003 * n
                FROM generate_series(1, 9) AS n
            """),
            {"trial": trial},
        )
    written = write_trial(desk, trial)
    assert cells(read(written.path).one(table="recipe_differences")) == [
        ["fusion.pairs.decay", "0.8", "0.5"],
        ["fusion.coefficients.query_best", "0.1009", "1.25"],
    ]
    # A chart of each option that was varied: a dot of each setting, the best last.
    charts = read(written.path).all("svg")
    assert [chart.attributes["aria-label"].split(" of each")[0] for chart in charts] == [
        "ndcg@10 by History",
        "ndcg@10 by Pair decay",
    ]
    for chart in charts:
        assert len(chart.all("title")) == 9
    assert charts[1].all("title")[-1].children == ["0.9: 0.127"]
    assert faults(browser, Path(written.path)) == []
