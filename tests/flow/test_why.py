"""The explanation of a list: complete, equal to stored rows, with notes on missing data."""

import datetime as dt

import pytest
from sqlalchemy import text

from gpt4rec_es.cli.demo_output import print_customer
from gpt4rec_es.errors import UsageError
from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.night.inspect.why import explain_user
from tests.commands import Cli
from tests.databases import Database
from tests.shop import Shop

DAY = dt.date(2026, 11, 22)


@pytest.fixture
def explained(shop: Shop, database: Database) -> Database:
    runtime = shop.runtime()
    run_night(runtime.night_parts(), runtime.night_options(), DAY)
    return database


def test_every_item_has_its_query_and_place(explained: Database) -> None:
    data = explain_user(explained.engine, "u014").as_dict()
    assert (data["outcome"], data["n_bought"], len(data["history"])) == ("ok", 5, 5)
    assert data["equals_merge_now"]
    assert [row["rank"] for row in data["recommendations"]] == [1, 2, 3, 4, 5, 6]
    texts = {row["query_rank"]: row["query"] for row in data["queries"]}
    for row in data["recommendations"]:
        assert row["query"] == texts[row["query_rank"]]
        assert row["hit_rank"] >= 1
        assert row["score"] > 0
    # The titles that served as queries were bought, so each is its own best hit and passed over.
    removed = {(row["query_rank"], row["hit_rank"], row["reason"]) for row in data["removed"]}
    assert {(rank, 1, "bought") for rank in texts} <= removed
    assert sum(row["items_given"] for row in data["queries"]) == 6


@pytest.mark.parametrize("sources", ["queries", "queries:0.3,co_purchase:0.7"])
def test_the_demo_shows_queries_with_the_listed_items_that_they_found(
    shop: Shop, database: Database, capsys: pytest.CaptureFixture[str], sources: str
) -> None:
    runtime = shop.runtime(sources=sources, gate_limits="full=0")
    run_night(runtime.night_parts(), runtime.night_options(), DAY)
    data = explain_user(database.engine, "u014").as_dict()
    by_rank = {row["rank"]: row for row in data["recommendations"]}
    for query in data["queries"]:
        given = {rank for rank, row in by_rank.items() if row["query_rank"] == query["query_rank"]}
        # What a query gave, it found; it may have found more, for which another one is named.
        assert given <= set(query["listed_ranks"])
    found = {rank for query in data["queries"] for rank in query["listed_ranks"]}
    assert found == set(by_rank) if sources == "queries" else found
    print_customer(data)
    shown = capsys.readouterr().out
    assert shown.startswith("\nCustomer u014, 5 items bought, the newest:\n")
    for query in data["queries"]:
        assert f"“{query['query']}”" in shown
    for rank in found:
        assert f"found {by_rank[rank]['title']} (rank {rank})" in shown
    assert f"Queries found {len(found)} of the 6 items of the list" in shown
    assert data["history"][-1]["title"] in shown
    print_customer({**data, "queries": []})
    assert "No queries were written" in capsys.readouterr().out


def test_items_deactivated_since_are_marked(
    explained: Database, shop: Shop, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.enter(monkeypatch)
    assert "deactivated" not in cli("why", "u014")
    gone = explain_user(explained.engine, "u014").as_dict()["recommendations"][2]["item_id"]
    with explained.engine.begin() as connection:
        connection.execute(
            text("UPDATE items SET is_active = false WHERE item_id = :id"), {"id": gone}
        )
    after = cli.json("why", "u014")
    assert [row["item_id"] for row in after["recommendations"] if not row["is_active"]] == [gone]
    (line,) = (line for line in cli("why", "u014").splitlines() if "deactivated since" in line)
    assert gone in line


def test_without_history_it_says_so(explained: Database) -> None:
    data = explain_user(explained.engine, "u000").as_dict()
    assert (data["outcome"], data["history"], data["queries"]) == ("no_history", [], [])
    assert {row["source"] for row in data["recommendations"]} == {"popular"}
    assert data["equals_merge_now"]


def test_an_older_run_is_explained_as_it_was(explained: Database) -> None:
    before = explain_user(explained.engine, "u014", "nightly-2026-11-22-1").as_dict()
    with explained.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO interactions (user_no, item_no, event_no, version) "
                "SELECT user_no, (SELECT max(item_no) FROM items), 999, 2 FROM users "
                "WHERE user_id = 'u014'"
            )
        )
    assert explain_user(explained.engine, "u014", "nightly-2026-11-22-1").as_dict() == before


@pytest.mark.parametrize(
    ("user", "run", "message"),
    [
        ("nobody", "latest", "no user 'nobody'"),
        ("u014", "nightly-2020-01-01-1", "no run 'nightly-2020-01-01-1'"),
        ("later", "latest", "not in run"),
    ],
)
def test_what_is_not_there_is_named(explained: Database, user: str, run: str, message: str) -> None:
    with explained.engine.begin() as connection:
        connection.execute(text("INSERT INTO users (user_id) VALUES ('later')"))
    with pytest.raises(UsageError, match=message):
        explain_user(explained.engine, user, run)
