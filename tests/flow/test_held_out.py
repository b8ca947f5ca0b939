"""Hidden purchases: the sample of a night, and its comparison with the published run."""

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import Connection, text

from gpt4rec_es.db.rows import held_out, measures
from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.db.rows.gates import GateResult
from gpt4rec_es.db.rows.lists import load_inputs
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.errors import ConflictError
from gpt4rec_es.metrics.lists import PerUser
from gpt4rec_es.night.inprocess import run_night
from gpt4rec_es.night.inputs.parts import NightParts
from gpt4rec_es.night.publish import gates
from gpt4rec_es.night.publish import hidden_purchases as gate
from gpt4rec_es.night.publish.prune import prune
from gpt4rec_es.privacy.forget import forget_user
from gpt4rec_es.runtime import Runtime
from tests.databases import Database
from tests.shop import Shop, add_purchases

DAY = dt.date(2026, 11, 22)
NAME = "hidden_purchases_are_found"


def runtime_of(shop: Shop, **changes: object) -> Runtime:
    return shop.runtime(k=10, gate_limits="held_out_share=1 held_out_users=100", **changes)


def night(runtime: Runtime, day: int) -> None:
    run_night(runtime.night_parts(), runtime.night_options(), DAY + dt.timedelta(days=day))


def result(runtime: Runtime, run_no: int) -> GateResult:
    with runtime.engine.connect() as connection:
        run = run_rows.load(connection, run_no)
        found = gates.check(runtime.night_parts(), connection, run)
    return next(one for one in found.results if one.gate == NAME)


def hide_alike(database: Database) -> None:
    """Let hidden purchases be items whose titles share words with the newest one."""
    with database.engine.begin() as connection:
        connection.execute(
            text("UPDATE held_out_users SET target_item_no = 1 + bought_item_nos[1] % 60")
        )


def test_hidden_purchases(shop: Shop, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = runtime_of(shop)
    night(runtime, 0)
    assert result(runtime, 1).measured == "nothing is published yet"
    with database.engine.connect() as connection:
        run = run_rows.load(connection, 1)
        users = held_out.load_common(connection, run, run)
        bought = connection.execute(
            text("SELECT user_no, count(DISTINCT item_no) AS n FROM interactions GROUP BY 1")
        )
        # Every user with two items or more, without the last one.
        assert {one.user_no: len(one.bought) + 1 for one in users} == {
            row.user_no: row.n for row in bought if row.n > 1
        }
        assert all(one.target not in one.bought for one in users)
        # A hidden item that can no longer be recommended counts for neither run.
        gone = users[0].target
        inactive = text("UPDATE items SET is_active = false WHERE item_no = :item")
        connection.execute(inactive, {"item": gone})
        found = held_out.load_common(connection, run, run)
        assert found == [one for one in users if one.target != gone]

    night(runtime, 1)  # nothing changed
    assert result(runtime, 2).measured.startswith("not measured: generator, recipe, build and code")

    # Another recipe, and purchases of some users: only the others are compared.
    with database.engine.begin() as connection:
        add_purchases(connection, version=2, first_user=30, users=40)
        connection.execute(text("UPDATE catalog_state SET history_version = 2"))
    changed = runtime_of(shop, num_queries=2)
    night(changed, 2)
    hide_alike(database)
    served = result(changed, 3)
    assert served.passed, served
    assert not served.is_blocking, "fewer than 1,000 users only warn"
    with database.engine.connect() as connection:
        stored = measures.load(connection, 3)["held_out_hit_rate"]
        assert 0 < stored.n < len(users)
    assert f"of {stored.n} hidden purchases" in served.measured
    assert " 0.00%" not in served.measured

    # Queries that find nothing of the kind: the published run finds more.
    monkeypatch.setattr(gate, "ENOUGH", 10)
    with database.engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE generated_queries SET query_no = (SELECT max(query_no) FROM queries) "
                "WHERE generation_no IN (SELECT generation_no FROM generations WHERE decoding_no "
                "= (SELECT decoding_no FROM runs WHERE run_no = 3)) AND rank = 1"
            )
        )
        connection.execute(
            text(
                "DELETE FROM generated_queries WHERE rank > 1 AND generation_no IN (SELECT "
                "generation_no FROM generations WHERE decoding_no "
                "= (SELECT decoding_no FROM runs WHERE run_no = 3))"
            )
        )
    worse = result(changed, 3)
    assert (worse.passed, worse.is_blocking) == (False, True)

    # A published run whose re-ranker is gone cannot be served again.
    serve = gate._serve

    def refused(parts: NightParts, connection: Connection, run: Run, *others: Any) -> PerUser:
        if run.run_no == 2:
            raise ConflictError("Re-ranker old is another one now.", "Register it again.")
        return serve(parts, connection, run, *others)

    with monkeypatch.context() as patched:
        patched.setattr(gate, "_serve", refused)
        unknown = result(changed, 3)
    assert (unknown.passed, unknown.is_blocking) == (False, False)
    assert "Re-ranker old is another one now" in unknown.measured

    # Samples without a common user say nothing.
    with database.engine.begin() as connection:
        connection.execute(text("DELETE FROM held_out_users WHERE run_no = 2"))
    assert "no user is in the samples of both runs" in result(changed, 3).measured
    with database.engine.begin() as connection:
        connection.execute(text("DELETE FROM held_out_users"))
    assert "too small for a sample" in result(changed, 3).measured


def test_an_erased_user_and_a_pruned_night_leave_no_sample(shop: Shop, database: Database) -> None:
    runtime = runtime_of(shop)
    for day in range(3):
        night(runtime, day)
    with database.engine.connect() as connection:
        users = text("SELECT DISTINCT user_no FROM held_out_users ORDER BY 1 LIMIT 1")
        user = connection.execute(users).scalar_one()
        name = text("SELECT user_id FROM users WHERE user_no = :user")
        user_id = connection.execute(name, {"user": user}).scalar_one()
    report = forget_user(database.engine, user_id, actor="test")
    assert report.rows["held_out_users"] == 3
    prune(runtime.night_parts(), keep_published=0)
    with database.engine.connect() as connection:
        kept = connection.execute(text("SELECT DISTINCT run_no FROM held_out_users ORDER BY 1"))
        assert kept.scalars().all() == [2, 3], "those of the published night and the one before"
        # No prompt or query that the sample needs was deleted.
        run = run_rows.load(connection, 3)
        numbers = [one.user_no for one in held_out.load_common(connection, run, run)]
        inputs = load_inputs(connection, run, numbers, held_out=True)
        assert len(inputs) == len(numbers) > 0
        assert all(one.query_nos for one in inputs)
