"""Output and exit codes of `night`, `runs` and `why`."""

import datetime as dt

import pytest
from sqlalchemy import text

from gpt4rec_es.db.locks import hold_lock
from gpt4rec_es.db.rows.shards import claim, give_back
from gpt4rec_es.night.stages.advance import advance
from gpt4rec_es.night.start import start_night
from tests.commands import Cli
from tests.databases import Database
from tests.flow.conftest import use_titles
from tests.servers import Servers
from tests.shop import Shop, make_shop


@pytest.fixture
def shop(servers: Servers, database: Database, alias: str, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A small shop, with its environment set in this process."""
    use_titles(database)
    shop = make_shop(servers, database, alias)
    shop.enter(monkeypatch)
    return shop


def test_a_night_and_what_one_can_ask_about_it(shop: Shop, cli: Cli) -> None:
    assert cli.json("night", "--dry-run", "--date", "2026-11-22")["users"] == 40
    assert "Nothing is published yet" in cli("runs", "status", code=3)
    report = cli.json("night", "--date", "2026-11-22")
    assert (report["state"], report["recommendations"]) == ("published", 240)
    again = cli("night", "--date", "2026-11-23")
    assert "No new queries or searches were needed" in again
    listed = cli.json("runs", "list")
    assert [row["run_id"] for row in listed] == ["nightly-2026-11-23-1", "nightly-2026-11-22-1"]
    assert [row["is_published"] for row in listed] == [True, False]
    shown = cli.json("runs", "show", "nightly-2026-11-22-1")
    assert shown["outcomes"] == {"ok": 39, "no_history": 1}
    assert sum(shown["sources"].values()) == 240
    assert shown["sources"]["queries"] > shown["sources"]["popular"] > 0
    assert all(gate["passed"] for gate in shown["gates"])
    assert cli.json("runs", "status")["published_hours_ago"] < 1
    why = cli("why", "u014")
    assert "Queries the model wrote" in why
    assert "hit 2 of query 1" in why
    assert cli.json("why", "u014")["equals_merge_now"] is True
    assert cli.json("runs", "rollback", "--reason", "x", "--dry-run")["published"] == (
        "nightly-2026-11-22-1"
    )
    assert "nightly-2026-11-22-1 is published again" in cli("runs", "rollback", "--reason", "x")
    assert "--reason" in cli.error("runs", "rollback", code=2)
    said = cli("runs", "status", code=3)
    assert "Readers see nightly-2026-11-22-1, published 0.0 hours ago; its lists were" in said
    gates = cli.json("runs", "publish", "nightly-2026-11-23-1", "--dry-run")
    assert {gate["gate"] for gate in gates if not gate["passed"]} == set()
    assert "is published" in cli("runs", "publish", "nightly-2026-11-23-1")
    again = ("runs", "publish", "nightly-2026-11-23-1")
    for more in ((), ("--dry-run",)):
        assert "nightly-2026-11-23-1 is published already" in cli.error(*again, *more, code=2)


def test_lists_fit_80_columns_and_wide_has_all(shop: Shop, cli: Cli) -> None:
    cli("night", "--date", "2026-11-22")
    for command, more in (
        (("runs", "list"), "planned_at"),
        (("index", "builds"), "catalog"),
        (("runs", "show"), "members_per_second"),
    ):
        out = cli(*command)
        table = out[out.index("\n  ") :].split("\n\n")[0] if command[1] == "show" else out
        assert max(map(len, table.splitlines())) <= 80, out
        assert more not in out
        assert more in cli(*command, "--wide")


def test_a_gate_that_says_no_is_exit_code_3(
    shop: Shop, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("night", "--date", "2026-11-22")
    # No list can be full: one item more is asked for than the catalog has.
    monkeypatch.setenv("GPT4REC_K", "200")
    line = cli.error("night", "--date", "2026-11-23", code=3)
    assert "lists are full" in line
    assert "--force --reason" in line


def test_dates_that_cannot_be_published_are_refused_before_work(shop: Shop, cli: Cli) -> None:
    cli("night", "--date", "2026-11-22")
    line = cli.error("night", "--date", "2026-11-21", code=1)
    assert "could not be published: nightly-2026-11-22-1 is" in line
    assert "gpt4rec runs reject nightly-2026-11-22-1" in line
    line = cli.error("night", "--date", "2126-12-01", code=2)
    assert "2126-12-01 is in the future" in line
    assert "is in the future" in cli.error("night", "--date", "2126-12-01", "--dry-run", code=2)
    assert len(cli.json("runs", "list")) == 1
    cli("night", "--date", "2126-12-01", "--allow-future")
    assert "could not be published" in cli.error("night", code=1)


def test_mistakes_are_one_line_with_the_way_out(
    shop: Shop, cli: Cli, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "No run is published yet" in cli.error("why", "u014", code=2)
    assert "There is no run 'x'" in cli.error("runs", "show", "x", code=2)
    assert "--date" in cli.error("night", "--date", "yesterday", code=2)
    assert "--reason" in cli.error("runs", "cancel", "x", code=2)
    assert "No run is published" in cli.error("runs", "rollback", "--reason", "x", code=2)
    with hold_lock(database.engine, "night nightly"):
        assert "A night is running already" in cli.error("night", code=1)
    cli("night")
    assert "There is no user 'nobody'" in cli.error("why", "nobody", code=2)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE generators SET is_current = false"))
    assert "No query generator is in use" in cli.error("night", code=2)
    monkeypatch.setenv("ELASTICSEARCH_URL", "http://127.0.0.1:9")
    use_titles(database)
    assert "127.0.0.1:9" in cli.error("night", code=4)
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:geheim@127.0.0.1:9/x")
    line = cli.error("runs", "list", code=4)
    assert "127.0.0.1:9" in line or "port 9" in line
    assert "geheim" not in line


def test_a_night_without_users(shop: Shop, cli: Cli, database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("DELETE FROM interactions"))
        connection.execute(text("DELETE FROM users"))
    assert "no user to recommend for" in cli.error("night", code=2)


def test_cancel_stops_an_unfinished_run_alone(shop: Shop, cli: Cli) -> None:
    runtime = shop.runtime()
    start_night(runtime.night_parts(), runtime.night_options(), dt.date(2026, 11, 22))
    runtime.close()
    not_merged = ("export", "queries", "--run", "nightly-2026-11-22-1")
    assert "is planned: its lists are not complete" in cli.error(*not_merged, code=2)
    why = ("nightly-2026-11-22-1", "--reason", "wrong prices")
    assert cli.json("runs", "cancel", *why, "--dry-run")["was"] == "planned"
    asked = cli.json("runs", "ensure", "--dry-run")
    assert (asked["action"], asked["run_id"]) == ("resume", "nightly-2026-11-22-1")
    assert cli.json("runs", "cancel", *why)["dry_run"] is False
    shown = cli.json("runs", "show", "nightly-2026-11-22-1")
    assert (shown["state"], shown["error"]) == ("cancelled", "wrong prices")
    for more in ((), ("--dry-run",)):
        assert "is cancelled already" in cli.error("runs", "cancel", *why, *more, code=2)


def test_ensure_starts_the_night_that_is_due_once(shop: Shop, cli: Cli) -> None:
    asked = cli.json("runs", "ensure", "--dry-run")
    due = asked["due"]
    assert (asked["action"], asked["run_id"]) == ("plan", None)
    first = cli.json("runs", "ensure", "--here")
    asked = cli.json("runs", "ensure", "--dry-run")
    assert (asked["action"], asked["run_id"]) == ("nothing", first["run_id"])
    assert (first["run_id"], first["state"]) == (f"nightly-{due}-1", "published")
    assert cli.json("runs", "ensure", "--here")["run_id"] is None


def test_an_unfinished_night_is_gone_on_with_or_given_up(
    shop: Shop, cli: Cli, database: Database
) -> None:
    runtime = shop.runtime()
    started = start_night(runtime.night_parts(), runtime.night_options(), dt.date(2026, 11, 22))
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE runs SET code_version = 'older'"))
    assert "--supersede" in cli.error("night", "--date", "2026-11-22", code=1)
    report = cli.json("night", "--date", "2026-11-22", "--supersede")
    assert (report["run_id"], report["state"]) == ("nightly-2026-11-22-2", "published")
    assert cli.json("runs", "show", started.run.run_id)["state"] == "superseded"


def test_status_names_workers_and_stuck_shards(shop: Shop, cli: Cli, database: Database) -> None:
    runtime = shop.runtime()
    run = start_night(runtime.night_parts(), runtime.night_options(), dt.date(2026, 11, 22)).run
    advance(database.engine, run.run_no)
    with database.engine.begin() as connection:
        held = claim(connection, run.run_no, "generate", "host:1", 60)
        dead = claim(connection, run.run_no, "generate", "host:2", 60)
        failed = claim(connection, run.run_no, "generate", "host:3", 60)
        assert held
        assert dead
        assert failed
        connection.execute(
            text("UPDATE shards SET lease_until = planned_at FROM runs WHERE shard_no = :no"),
            {"no": dead.shard_no},
        )
        give_back(connection, failed, ValueError("a bad one"), 0, is_own_fault=True)
    data = cli.json("runs", "status", code=3)
    assert data["newest"]["users_done"] == 0
    assert [(lease["owner"], lease["members"]) for lease in data["newest"]["leases"]] == [
        ("host:2", 8),
        ("host:1", 8),
    ]
    dead_said, failed_said = (problem["what"] for problem in data["stuck"])
    assert "host:2 has not renewed" in dead_said
    assert "failed once: ValueError: a bad one" in failed_said
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE shards SET lease_until = lease_until - interval '1 hour'"))
        connection.execute(text("UPDATE runs SET planned_at = planned_at - interval '1 hour'"))
    assert "Start a worker: `celery -A workers worker -Q generation`" in cli(
        "runs", "status", code=3
    )
    cli("night", "--date", "2026-11-22")
    done = cli.json("runs", "status")
    assert (done["stuck"], done["alarms"]) == ([], [])
    assert done["newest"]["users_done"] == 40
    assert done["newest"]["users_per_second"] > 0
    assert "40 of 40 users done, " in cli("runs", "status")


def test_old_lists_and_a_refused_run_are_alarms(
    shop: Shop, cli: Cli, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("night", "--date", "2026-11-22")
    with database.engine.begin() as connection:
        connection.execute(
            text("UPDATE publications SET published_at = published_at - interval '27 hours'")
        )
    assert "is 27.0 hours old, more than 26." in cli("runs", "status", code=3)
    monkeypatch.setenv("GPT4REC_MAX_PUBLISHED_AGE_HOURS", "30")
    cli("runs", "status")
    cli("night", "--date", "2026-11-23")
    cli("runs", "reject", "nightly-2026-11-23-1", "--reason", "looks odd")
    out = cli("runs", "status", code=3)
    assert "nightly-2026-11-23-1 was rejected: by an operator: looks odd." in out


def test_runs_are_pinned_rejected_and_pruned(shop: Shop, cli: Cli) -> None:
    for day in (21, 22, 23, 24):
        cli("night", "--date", f"2026-11-{day}")
    assert "would be pinned" in cli("runs", "pin", "nightly-2026-11-21-1", "--dry-run")
    assert not any(row["is_pinned"] for row in cli.json("runs", "list"))
    assert "is pinned" in cli("runs", "pin", "nightly-2026-11-21-1", "--reason", "report")
    assert [row["is_pinned"] for row in cli.json("runs", "list")] == [False, False, False, True]
    planned = cli.json("runs", "prune", "--keep-published", "1", "--dry-run")
    assert planned["runs"] == ["nightly-2026-11-22-1"]
    assert "Dropped the lists of: nightly-2026-11-22-1" in cli(
        "runs", "prune", "--keep-published", "1"
    )
    for command in (
        ("runs", "pin", "nightly-2026-11-22-1"),
        ("runs", "diff", "nightly-2026-11-22-1"),
        ("runs", "diff", "latest", "nightly-2026-11-22-1"),
        ("export", "recommendations", "--run", "nightly-2026-11-22-1"),
        ("export", "queries", "--run", "nightly-2026-11-22-1"),
    ):
        assert "nightly-2026-11-22-1 were pruned" in cli.error(*command, code=2)
    assert "lists for 40 users were pruned" in cli("runs", "show", "nightly-2026-11-22-1")
    assert "-1" in cli.error("runs", "prune", "--keep-published", "-1", code=2)
    assert "is not pinned" in cli("runs", "unpin", "nightly-2026-11-21-1")
    assert "--reason" in cli.error("runs", "reject", "latest", code=2)
    said = cli("runs", "reject", "latest", "--reason", "odd", "--dry-run")
    assert "would be rejected" in said
    assert cli.json("runs", "reject", "latest", "--reason", "odd") == {
        "rejected": "nightly-2026-11-24-1",
        "published": "nightly-2026-11-23-1",
        "dry_run": False,
    }
    assert "it is not published" in cli.error(
        "runs", "reject", "nightly-2026-11-24-1", "--reason", "odd", code=2
    )


def test_an_interrupted_night_says_how_to_go_on(
    shop: Shop, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_args: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gpt4rec_es.night.inprocess.run_night", interrupted)
    cli("night", "--date", "2026-11-22", code=130)
    assert "Interrupted. `gpt4rec night` goes on; `gpt4rec runs cancel RUN" in cli.err
