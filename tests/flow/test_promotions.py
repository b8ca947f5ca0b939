"""Nights with boosts and pins: lists, stored rows, counts, explanations, replays, commands."""

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gpt4rec_es.catalog.block_rules import add_rules, read_rules, remove_rule
from gpt4rec_es.db.rows.rules import NewRule
from gpt4rec_es.errors import DataError, UsageError
from gpt4rec_es.lab.replay.changes import ReplayChanges
from gpt4rec_es.lab.replay.replay import replay
from gpt4rec_es.night.drain import drain
from gpt4rec_es.night.inprocess import plan_summary, run_night
from gpt4rec_es.night.inspect.why import explain_user
from gpt4rec_es.night.inspect.why_item import explain_item
from gpt4rec_es.night.start import start_night
from gpt4rec_es.options.lists import Fusion
from tests.commands import Cli
from tests.databases import Database
from tests.shop import Shop, add_purchases, stored_rows

DAY = dt.date(2026, 11, 22)
NEXT = DAY + dt.timedelta(days=1)
BOTH = (("queries", 0.3), ("co_purchase", 0.7))
FUSIONS = {
    "plain": Fusion(),
    "scores": Fusion(BOTH),
    "ranks": Fusion(BOTH, method="ranks"),
    "learned": Fusion(
        BOTH, method="learned", coefficients=(("co_recent", -0.1), ("query_best", -1.0))
    ),
}
PIN = NewRule("item", "i001", "a campaign", action="pin", places=1)
BOOST = NewRule("brand", "CLOCK", "overstock", action="boost", places=4)


@pytest.fixture
def branded(shop: Shop, database: Database) -> Shop:
    """Give the items brands by kind, and users further purchases."""
    with database.engine.begin() as connection:
        add_purchases(connection, version=2, first_user=10, users=30)
        connection.execute(text("UPDATE catalog_state SET history_version = 2"))
        connection.execute(text("UPDATE items SET brand = initcap(split_part(title, ' ', 3))"))
    return shop


def night(shop: Shop, name: str = "plain", date: dt.date = DAY, **changes: Any) -> None:
    runtime = shop.runtime(**changes)
    options = runtime.night_options()
    options = replace(options, recipe=options.recipe.changed(fusion=FUSIONS[name]))
    assert run_night(runtime.night_parts(), options, date).state == "published"


def rows(database: Database, statement: str) -> list[tuple[Any, ...]]:
    with database.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def add(database: Database, *rules: NewRule) -> list[int]:
    return add_rules(database.engine, rules, actor="test").rules


@pytest.mark.parametrize("name", FUSIONS)
def test_a_night_pins_and_boosts_counts_it_and_explains_it(
    branded: Shop, database: Database, cli: Cli, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    night(branded, name)
    assert add(database, PIN, BOOST) == [1, 2]
    night(branded, name, NEXT)
    night(branded, name, NEXT + dt.timedelta(days=1), depth=2, merge_shard_size=3)
    with database.engine.connect() as connection:
        assert stored_rows(connection, 2) == stored_rows(connection, 3)
    bought = "EXISTS (SELECT FROM interactions AS x WHERE x.user_no = r.user_no AND x.item_no = 1)"
    listed = f"SELECT count(*) FROM recommendations AS r WHERE run_no = 2 AND rank = 1 AND {bought}"
    firsts = rows(
        database,
        "SELECT item_no, source, promoted_by, count(*) FROM recommendations AS r "
        f"WHERE run_no = 2 AND rank = 1 AND NOT {bought} GROUP BY 1, 2, 3",
    )
    ((_, _, _, n_pinned),) = firsts
    assert firsts == [(1, "pinned", "rule 1", n_pinned)]
    assert rows(database, listed + " AND source = 'pinned'") == [(0,)]
    assert rows(database, "SELECT sum(n_pinned) FROM user_outcomes WHERE run_no = 2") == [
        (n_pinned,)
    ]
    assert rows(database, "SELECT DISTINCT n_recommended FROM user_outcomes") == [(6,)]
    by_rule = "SELECT rule, listed_count FROM analytics.run_promotions WHERE run_id LIKE '%23-1'"
    ((_, pinned), (_, boosted)) = rows(database, f"{by_rule} ORDER BY 1")
    assert pinned == n_pinned
    moved = "FROM recommendations AS r JOIN items USING (item_no) WHERE promoted_by = 'rule 2'"
    assert rows(database, f"SELECT count(*), min(brand), max(brand) {moved} AND run_no = 2") == [
        (boosted, "Clock", "Clock")
    ]
    share = "SELECT count(*) FROM recommendations JOIN items USING (item_no) WHERE brand = 'Clock'"
    before, after = (rows(database, f"{share} AND run_no = {n}")[0][0] for n in (1, 2))
    assert after > before
    for user_id in ("u000", "u014", "u022"):
        assert explain_user(database.engine, user_id).equals_merge_now
    branded.enter(monkeypatch)
    assert cli.json("runs", "show", "nightly-2026-11-23-1")["promotions"] == {
        "pinned by rule 1": pinned,
        "boosted by rule 2": boosted,
    }
    assert "pinned by rule 1" in cli("runs", "show")
    shown = cli("why", "u014")
    assert "pinned by rule 1" in shown
    assert "Rules that pinned or moved items" in shown
    assert "pinned by rule 1 (a campaign)" in cli("why", "u014", "--item", "i001")


@pytest.mark.parametrize("name", FUSIONS)
def test_explanations_of_items_know_what_boosts_moved(
    branded: Shop, database: Database, name: str
) -> None:
    add(database, PIN, BOOST)
    night(branded, name)
    reasons = set()
    for number in range(1, 61):
        one = explain_item(database.engine, "u014", f"i{number:03d}").as_dict()
        reasons.add(one["reason"])
        if one["reason"] == "listed" and one["listed"]["promoted_by"] == "rule 2":
            assert one["rule"]["reason"] == "overstock"
        if one["fused"]:
            parts = one["fused"]["contributions"]
            assert sum(parts.values()) == pytest.approx(one["fused"]["fused_score"])
        if one["reason"] == "outranked":
            assert one["fused"]["fused_score"] <= one["fused"]["last_score"]
    assert "listed" in reasons
    assert reasons & {"displaced", "quota_ended", "outranked"}


def test_rules_win_and_runs_keep_what_they_were_planned_with(
    branded: Shop, database: Database
) -> None:
    numbers = add(
        database,
        NewRule("brand", "clock", "shown first", action="pin", places=2),
        NewRule("item", "i005", "recalled"),
        NewRule("item", "i011", "later", valid_from=NEXT, action="pin", places=1),
    )
    runtime = branded.runtime(max_per_brand=2)
    parts, options = runtime.night_parts(), runtime.night_options()
    assert plan_summary(parts, options, DAY)["rules"] == {
        "max_per_brand": 2,
        "pins": 1,
        "block_rules": 1,
    }
    started = start_night(parts, options, DAY)
    assert started.run.manifest["rules"]["pins"] == numbers[:1]
    remove_rule(database.engine, numbers[0], actor="test", reason="a mistake")
    drain(parts, options, started.run.run_no, "test")
    listed = "SELECT count(*) FROM recommendations JOIN items USING (item_no) WHERE "
    assert rows(database, listed + "item_id IN ('i005', 'i011') AND source = 'pinned'") == [(0,)]
    assert rows(database, listed + "item_id = 'i005'") == [(0,)]
    assert rows(database, listed + "brand = 'Clock' AND source <> 'pinned'") == [(0,)]
    full = "SELECT DISTINCT n_pinned, n_found FROM user_outcomes WHERE short_reason IS NULL"
    assert rows(database, full) == [(2, 4)]
    # What sources found first of the brand is pinned, not the first of the catalog.
    distinct = "SELECT count(DISTINCT item_no) > 2 FROM recommendations WHERE source = 'pinned'"
    assert rows(database, distinct) == [(True,)]


def test_a_replay_keeps_the_promotions_of_its_run(branded: Shop, database: Database) -> None:
    add(database, PIN, BOOST)
    night(branded, "scores", max_per_brand=3)
    remove_rule(database.engine, 1, actor="test", reason="over")
    parts = branded.runtime().night_parts()
    again = replay(parts, "latest", ReplayChanges())
    assert (again.is_equal, again.searches) == (True, 0)
    # Other limits: rules are applied to the catalog of now.
    changed = replay(parts, "latest", ReplayChanges(rules={"max_per_brand": 1}))
    assert not changed.is_equal


def test_commands_add_list_and_import_promotions(
    branded: Shop, database: Database, cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    branded.enter(monkeypatch)
    reason = ("--reason", "overstock")
    assert "about 12 items" in cli("rules", "boost", "brand", "clock", "--places", "3", *reason)
    cli("rules", "pin", "item", "i001", *reason, "--until", "2026-12-24")
    assert cli.json("rules", "pin", "item", "i001", *reason, "--until", "2026-12-24")["known"] == 1
    assert cli.json("rules", "pin", "item", "i001", *reason, "--places", "2")["known"] == 0
    file = tmp_path / "rules.csv"
    file.write_text(
        "kind,value,action,places\nbrand,teapot,boost,5\nbrand,candle,,\nbrand,candle,block,\n"
    )
    assert cli.json("rules", "import", str(file), *reason)["known"] == 1
    listed = [(r["action"], r["places"], r["value"]) for r in cli.json("rules", "list")]
    assert listed == [
        ("boost", 3, "clock"),
        ("pin", 1, "i001"),
        ("pin", 2, "i001"),
        ("boost", 5, "teapot"),
        ("block", None, "candle"),
    ]
    assert "boost" in cli("rules", "list")
    audited = rows(database, "SELECT before ->> 'action' FROM audit WHERE action = 'remove_rule'")
    assert audited == []
    cli("rules", "remove", "1", "--reason", "sold")
    assert rows(database, "SELECT before ->> 'action' FROM audit WHERE action = 'remove_rule'") == [
        ("boost",)
    ]
    assert "Rule: boosts 1" in cli("night", "--date", "2026-11-22", "--dry-run")
    line = cli.error("rules", "boost", "brand", "clock", "--places", "0", *reason, code=2)
    assert "Give 1 to 1000" in line
    with pytest.raises(UsageError, match="has no places"):
        add(database, replace(PIN, action="block"))
    with pytest.raises(UsageError, match="no action of a rule"):
        add(database, replace(PIN, action="bury"))
    file.write_text("kind,value,reason,action,places\nbrand,teapot,x,boost,many\n")
    with pytest.raises(DataError, match="line 2: 'many' is no number of places"):
        read_rules(file)


def test_rules_that_contradict_each_other_are_refused(branded: Shop, database: Database) -> None:
    today = dt.datetime.now(dt.UTC).date()
    add(database, NewRule("brand", "Clock", "recalled", valid_until=today + dt.timedelta(days=9)))
    pin = NewRule("brand", "CLOCK", "a campaign", action="pin", places=1)
    with pytest.raises(UsageError, match=r"rule 1 \(block brand Clock\) until") as raised:
        add(database, pin)
    assert "rules remove" in (raised.value.hint or "")
    with pytest.raises(UsageError, match="contradicts"):
        add(database, replace(pin, action="boost"))
    later = replace(pin, valid_from=today + dt.timedelta(days=10))
    assert add(database, later) == [2]
    with pytest.raises(UsageError, match=r"contradicts rule 2 \(pin brand CLOCK\)"):
        add(database, NewRule("brand", "clock", "recalled"))
    # Nothing of a file is stored if two of its rules contradict each other.
    with pytest.raises(UsageError, match="contradicts the new rule"):
        add(database, NewRule("item", "i001", "x"), replace(PIN, places=2))
    assert rows(database, "SELECT count(*) FROM block_rules") == [(2,)]
    # Dates that are over do not count.
    add(database, NewRule("item", "i001", "x", valid_until=today - dt.timedelta(days=1)), PIN)


def test_pins_that_a_block_covers_are_said_when_added_listed_and_run(
    branded: Shop, database: Database, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    branded.enter(monkeypatch)
    ((brand,),) = rows(database, "SELECT brand FROM items WHERE item_id = 'i001'")
    why = ("--reason", "a campaign")
    assert "Warning" not in cli("rules", "pin", "item", "i001", *why)
    said = cli("rules", "add", "brand", brand, "--reason", "recalled", "--until", "2126-01-01")
    assert (
        f"Warning: rule 1 (pin item i001) has no effect on its item: the new rule (block brand "
        f"{brand}) wins, on some of its dates.\n"
    ) in said
    assert "Warning: rule 1 (pin item i001)" in cli("rules", "list")
    pinned, blocked = cli.json("rules", "list")
    assert (len(pinned["warnings"]), blocked["warnings"]) == (1, [])
    night(branded, "scores")
    lists = rows(
        database,
        "SELECT count(*) FROM user_outcomes AS o WHERE NOT EXISTS (SELECT FROM interactions AS x "
        "WHERE x.user_no = o.user_no AND x.item_no = 1)",
    )[0][0]
    assert cli.json("runs", "show")["left_out_pins"] == {"rule 1 (excluded by rule 2)": lists}
    assert f"left out pins: rule 1 (excluded by rule 2) {lists}" in cli("runs", "show")
    left_out = "SELECT rule, listed_count, left_out_count FROM analytics.run_promotions"
    assert rows(database, left_out) == [("rule 1", None, lists)]
    assert "rule 1 pins 1 fewer: rule 2 excludes its items" in cli("why", "u000")


@pytest.mark.parametrize("name", ["plain", "learned"])
def test_lists_of_one_item_have_no_pins_and_say_so(
    branded: Shop, database: Database, cli: Cli, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    branded.enter(monkeypatch)
    monkeypatch.setenv("GPT4REC_K", "1")
    said = cli("rules", "pin", "item", "i001", "--reason", "a campaign")
    assert "Pins want 1 place of each list, which has 1." in said
    assert "no item is pinned" in said
    night(branded, name, k=1)
    (left_out,) = cli.json("runs", "show")["left_out_pins"].items()
    assert left_out[0] == "rule 1 (no place)"
    assert left_out[1] > 0
    assert "rule 1 pins 1 fewer: the list has no place left" in cli("why", "u000")


def test_promotions_of_items_that_cannot_be_recommended_are_said(
    branded: Shop, database: Database, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    branded.enter(monkeypatch)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE items SET is_active = false WHERE item_id = 'i001'"))
    why = ("--reason", "a campaign")
    said = "(pin item i001) has no effect now: no active item with a title matches it."
    assert f"Warning: the new rule {said}" in cli("rules", "pin", "item", "i001", *why)
    assert f"Warning: rule 1 {said}" in cli("rules", "list")
    cli("rules", "boost", "item", "i-new", "--places", "2", "--force", *why)
    assert [len(row["warnings"]) for row in cli.json("rules", "list")] == [1, 1]
    cli("rules", "remove", "1", *why)
    assert "pin item" not in cli("rules", "list", "--all").partition("Warning: ")[2]
