"""Rules in nights: excluded items, full lists, and reports."""

import datetime as dt
from pathlib import Path

import pytest
from sqlalchemy import text

from gpt4rec_es.catalog.block_rules import add_rules, list_rules, read_rules, remove_rule
from gpt4rec_es.cli.main import run as run_cli
from gpt4rec_es.db.rows.rules import NewRule
from gpt4rec_es.errors import DataError, GateError, UsageError
from gpt4rec_es.lab.replay.changes import ReplayChanges
from gpt4rec_es.lab.replay.replay import replay
from gpt4rec_es.night.drain import drain
from gpt4rec_es.night.inprocess import NightReport, plan_summary, run_night
from gpt4rec_es.night.inspect.why import explain_user
from gpt4rec_es.night.publish.prune import prune
from gpt4rec_es.night.start import start_night
from gpt4rec_es.runtime import Runtime
from tests.commands import Cli
from tests.databases import Database
from tests.shop import Shop, stored_rows

DAY = dt.date(2026, 11, 22)
NEXT = DAY + dt.timedelta(days=1)


@pytest.fixture
def branded(shop: Shop, database: Database) -> Shop:
    """Give the 60 items brands by kind, categories by style and colour, prices 1 to 60."""
    with database.engine.begin() as connection:
        connection.execute(
            text("""
            UPDATE items SET brand = initcap(split_part(title, ' ', 3)),
                category = split_part(title, ' ', 1) || ' > ' || split_part(title, ' ', 2),
                price = item_no
            """)
        )
    return shop


def night(runtime: Runtime, date: dt.date = DAY) -> NightReport:
    return run_night(runtime.night_parts(), runtime.night_options(), date)


def rows(database: Database, statement: str) -> list[tuple[object, ...]]:
    with database.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def add(database: Database, *rules: NewRule) -> list[int]:
    return add_rules(database.engine, rules, actor="test").rules


RECOMMENDED = "SELECT count(*) FROM recommendations JOIN items USING (item_no) WHERE "
LENGTHS = "SELECT DISTINCT n_recommended FROM user_outcomes"


@pytest.mark.parametrize("sources", ["queries", "queries,co_purchase,history_titles"])
def test_blocked_items_brands_and_categories_are_in_no_list(
    branded: Shop, database: Database, sources: str
) -> None:
    numbers = add(
        database,
        NewRule("item", "i001", "recalled"),
        NewRule("brand", "CLOCK", "contract ended"),
        NewRule("category", "Garden > red", "out of season"),
        NewRule("category", "gard", "is no level of a path"),
        NewRule("brand", "teapot", "not yet", valid_from=NEXT),
    )
    runtime = branded.runtime(sources=sources)
    assert plan_summary(runtime.night_parts(), runtime.night_options(), DAY)["rules"] == {
        "block_rules": 4
    }
    assert night(runtime).state == "published"
    blocked = "item_id = 'i001' OR brand = 'Clock' OR category = 'garden > red'"
    assert rows(database, RECOMMENDED + blocked) == [(0,)]
    assert rows(database, RECOMMENDED + "brand = 'Teapot'") != [(0,)]
    assert rows(database, LENGTHS) == [(6,)]
    found = rows(
        database,
        "SELECT rule, blocked_item_count, removed_count > 0 FROM analytics.run_rules ORDER BY rule",
    )
    assert [(rule, n) for rule, n, _ in found] == [
        (f"rule {number}", n) for number, n in zip(numbers, (1, 12, 5, 0), strict=False)
    ]
    assert [removed for *_, removed in found][1:] == [True, True, None]


def test_a_run_keeps_the_rules_it_was_planned_with(branded: Shop, database: Database) -> None:
    runtime = branded.runtime()
    night(runtime)
    parts, options = runtime.night_parts(), runtime.night_options()
    (number,) = add(database, NewRule("brand", "clock", "contract ended"))
    started = start_night(parts, options, NEXT)
    add(database, NewRule("brand", "teapot", "too late for this night"))
    remove_rule(database.engine, number, actor="test", reason="a mistake")
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE items SET brand = 'Clock' WHERE brand = 'Candle'"))
    drain(parts, options, started.run.run_no, "test")
    listed = """
        SELECT DISTINCT split_part(title, ' ', 3) FROM recommendations JOIN items USING (item_no)
        WHERE run_no = 2 ORDER BY 1
    """
    assert rows(database, listed) == [("candle",), ("cushion",), ("lantern",), ("teapot",)]
    assert {rule["value"] for rule in list_rules(database.engine)} == {"teapot"}


@pytest.mark.parametrize(
    ("chosen", "kept"),
    [
        ({"min_price": 10, "max_price": 40}, "price BETWEEN 10 AND 40"),
        ({"only_categories": "garden | kitchen > Blue"}, "category ~ '^garden|^kitchen > blue'"),
    ],
)
def test_filters_of_a_run(
    branded: Shop, database: Database, chosen: dict[str, object], kept: str
) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE items SET price = NULL, category = NULL WHERE item_no = 9"))
    assert night(branded.runtime(**chosen)).state == "published"
    assert rows(database, RECOMMENDED + f"({kept}) IS NOT TRUE") == [(0,)]
    assert rows(database, LENGTHS) == [(6,)]


@pytest.mark.parametrize("sources", ["queries", "queries,co_purchase"])
def test_brands_are_capped_and_lists_stay_full_at_any_depth(
    branded: Shop, database: Database, sources: str
) -> None:
    night(branded.runtime(max_per_brand=2, sources=sources))
    night(branded.runtime(max_per_brand=2, sources=sources, depth=2), NEXT)
    most = """
        SELECT max(n) FROM (
            SELECT count(*) AS n FROM recommendations JOIN items USING (item_no)
            GROUP BY run_no, user_no, brand) AS x
    """
    assert rows(database, most) == [(2,)]
    assert rows(database, LENGTHS) == [(6,)]
    with database.engine.connect() as connection:
        assert stored_rows(connection, 1) == stored_rows(connection, 2)


def test_what_was_shown_lately_is_left_out(branded: Shop, database: Database) -> None:
    night(branded.runtime())
    night(branded.runtime(not_shown_days=2), NEXT)
    again = """
        SELECT count(*) FROM recommendations AS a JOIN recommendations AS b
        USING (user_no, item_no) WHERE a.run_no = 1 AND b.run_no = {}
    """
    assert rows(database, again.format(2)) == [(0,)]
    assert rows(database, LENGTHS) == [(6,)]
    night(branded.runtime(not_shown_days=2), DAY + dt.timedelta(days=4))
    assert rows(database, again.format(3)) != [(0,)]


def test_a_run_that_counts_as_shown_is_not_pruned_in_mid_run(
    branded: Shop, database: Database
) -> None:
    for days in range(3):
        night(branded.runtime(), DAY + dt.timedelta(days=days))
    runtime = branded.runtime(not_shown_days=9)
    parts, options = runtime.night_parts(), runtime.night_options()
    started = start_night(parts, options, DAY + dt.timedelta(days=3))
    assert prune(parts, keep_published=0, keep_rejected=0).runs == []
    drain(parts, options, started.run.run_no, "test")
    # The published run counts them, too: without them it could not be replayed.
    assert prune(parts, keep_published=0, keep_rejected=0).runs == []
    assert replay(parts, "latest", ReplayChanges()).is_equal
    night(branded.runtime(), DAY + dt.timedelta(days=4))
    night(branded.runtime(), DAY + dt.timedelta(days=5))
    assert len(prune(parts, keep_published=0, keep_rejected=0).runs) == 4


def test_why_names_the_rule_of_every_item_kept_out(
    branded: Shop,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    night(branded.runtime())
    first = explain_user(database.engine, "u014").recommendations[0]["item_id"]
    (number,) = add(database, NewRule("item", first, "contract ended"))
    night(branded.runtime(max_per_brand=1, min_full_fraction=0), NEXT)
    data = explain_user(database.engine, "u014").as_dict()
    assert data["equals_merge_now"]
    reasons = {row["reason"] for row in data["removed"]}
    assert {f"rule {number}", "max_per_brand"} <= reasons
    (rule,) = (row for row in data["rules"] if row["rule"] == f"rule {number}")
    assert (rule["value"], rule["reason"], rule["removed"]) == (first, "contract ended", 1)
    branded.enter(monkeypatch)
    assert run_cli(["why", "u014"]) == 0
    assert "contract ended" in capsys.readouterr().out


def test_rules_are_added_once_and_audited(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "rules.csv"
    file.write_text(
        "kind,value,reason,valid_until\nitem,i-1,,2026-12-01\nbrand, Acme ,a dispute,\n"
        "item,i-1,twice,2026-12-01\n"
    )
    given = read_rules(file, "recalled")
    assert add_rules(database.engine, given, actor="ann", dry_run=True).rules == []
    assert add_rules(database.engine, given, actor="ann").rules == [1, 2]
    again = add_rules(database.engine, given, actor="ann")
    assert (again.rules, again.known) == ([], 3)
    assert remove_rule(database.engine, 2, actor="bob", reason="settled").value == "Acme"
    with pytest.raises(UsageError, match="No rule 2"):
        remove_rule(database.engine, 2, actor="bob", reason="settled")
    assert [rule["value"] for rule in list_rules(database.engine)] == ["i-1"]
    assert len(list_rules(database.engine, removed=True)) == 2
    assert rows(database, "SELECT actor, action, object, reason FROM audit ORDER BY 1, 3") == [
        ("ann", "add_rules", "rule 1 to 2", None),
        ("bob", "remove_rule", "rule 2", "settled"),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("kind,value\nitem,i-1\n", "line 2: A rule needs a reason"),
        ("kind,value,reason\nitem,i-1,x\ncolour,red,x\n", "line 3: 'colour' cannot have a rule"),
        ("kind,value,reason,valid_from\nitem,i-1,x,soon\n", "line 2: 'soon' is no date"),
        ("kind,value,reason\nitem,i-1\n", "line 2: It has more or fewer fields"),
        ('kind,value,reason\nitem,"i-1,x\n', "no CSV"),
        ("item,value\n", "has the columns item, value"),
        ("", "has the columns"),
    ],
)
def test_a_bad_file_adds_nothing_and_names_the_line(
    tmp_path: Path, content: str, message: str
) -> None:
    file = tmp_path / "rules.csv"
    file.write_text(content)
    with pytest.raises((DataError, UsageError), match=message):
        read_rules(file)


def test_commands(
    branded: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    branded.enter(monkeypatch)
    assert run_cli(["rules", "add", "brand", "clock", "--reason", "x", "--dry-run"]) == 0
    assert "12 items" in capsys.readouterr().out
    assert run_cli(["rules", "add", "brand", "clock", "--reason", "x", "--from", "2026-11-22"]) == 0
    assert run_cli(["rules", "list"]) == 0
    assert "clock" in capsys.readouterr().out
    assert run_cli(["night", "--date", "2026-11-22", "--max-per-brand", "1", "--dry-run"]) == 0
    assert "Rule: max per brand 1" in capsys.readouterr().out
    assert run_cli(["night", "--min-price", "9", "--max-price", "1", "--dry-run"]) == 2
    assert run_cli(["rules", "remove", "1", "--reason", "y"]) == 0
    assert run_cli(["rules", "remove", "1", "--reason", "y"]) == 2


def test_rules_that_match_nothing_are_refused(
    branded: Shop, monkeypatch: pytest.MonkeyPatch, cli: Cli, tmp_path: Path
) -> None:
    branded.enter(monkeypatch)
    reason = ("--reason", "x")
    line = cli.error("rules", "add", "brand", "Clok", *reason, code=2)
    assert "the brand 'Clok'. Did you mean 'Clock'? --force" in line
    line = cli.error("rules", "add", "category", "garden > rde", *reason, "--dry-run", code=2)
    assert "Did you mean 'garden > red'?" in line
    line = cli.error("rules", "add", "item", "i0001", *reason, code=2)
    assert "the item 'i0001'. --force" in line
    file = tmp_path / "rules.csv"
    file.write_text("kind,value\nbrand,clock\nbrand,zzz\nitem,i0001\n")
    line = cli.error("rules", "import", str(file), *reason, code=2)
    assert "the brand 'zzz'. Other rules that match none: 1." in line
    assert cli.json("rules", "list") == []
    assert cli.json("rules", "import", str(file), *reason, "--force")["items"] == [12, 0, 0]
    assert cli.json("rules", "add", "item", "i0001", *reason, "--force")["known"] == 1


def test_rules_that_leave_too_little_are_stopped_by_the_gate(branded: Shop) -> None:
    with pytest.raises(GateError, match="lists are full"):
        night(branded.runtime(max_price=4, min_full_fraction=1))


def test_a_replay_keeps_the_rules_of_its_run(branded: Shop, database: Database) -> None:
    night(branded.runtime())
    add(database, NewRule("brand", "clock", "contract ended"))
    chosen = {
        "sources": "queries,co_purchase,history_titles",
        "max_per_brand": 2,
        "not_shown_days": 1,
    }
    runtime = branded.runtime(**chosen)
    night(runtime, NEXT)
    remove_rule(database.engine, 1, actor="test", reason="settled")
    again = replay(runtime.night_parts(), "latest", ReplayChanges())
    assert (again.is_equal, again.searches) == (True, 0)
