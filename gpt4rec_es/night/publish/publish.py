"""Publishing: gates, then an update of one pointer row; withdraw.py has the reverse.

Pointer and run state change in one transaction, so readers see the old lists or the new ones and
never a mixture, also if a process is killed. The transaction includes the daily sums, which are
computed before the rows that other transactions need are locked. A run that passes the gates with
its canary alone is not published: the other users follow.
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection

from gpt4rec_es.db import locks
from gpt4rec_es.db.engine import retrying, transaction
from gpt4rec_es.db.rows import audit, daily, first_queries, measures
from gpt4rec_es.db.rows import gates as gate_rows
from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.db.rows.gates import GateResult
from gpt4rec_es.db.rows.pins import pin
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.errors import ConflictError, GateError, UsageError
from gpt4rec_es.night.inputs.parts import NightParts
from gpt4rec_es.night.publish.gates import Examination, check
from gpt4rec_es.night.stages.advance import begin_rest
from gpt4rec_es.version import code_version

log = logging.getLogger(__name__)


def check_and_publish(parts: NightParts, run: Run) -> list[GateResult]:
    """Check a run whose lists are stored and publish it; return the gate results.

    After its canary the run goes on with the other users instead. Idempotent, also when called
    concurrently.

    Raises:
        GateError: a gate failed; the run is rejected and the published run stays.
    """
    with parts.engine.connect() as connection:
        found = check(parts, connection, run)
    why = _sentence(found.refused)
    if why and run.is_canary:
        why = f"by its canary of {run.canary_users:,} users: {why}"
    state = retrying(parts.engine, lambda c: _decide(c, parts.actor, run, found, why))
    if state == "rejected":
        then = (
            "lets the rest of the night run, and gates judge it" if run.is_canary else "overrides"
        )
        raise GateError(
            f"Run {run.run_id} was rejected: {why or 'by an operator, during the check'}.",
            f"The last published run stays in place. See `gpt4rec runs show {run.run_id}`; "
            f"`gpt4rec runs publish {run.run_id} --force --reason 'why'` {then}.",
        )
    log.info("run %s is %s%s", run.run_id, state, " after its canary" if run.is_canary else "")
    for result in found.results:
        if not result.passed:
            log.warning("gate %s warns: %s", result.gate, _sentence([result]))
    return found.results


def _decide(connection: Connection, actor: str, run: Run, found: Examination, why: str) -> str:
    """Reject or publish the run, or begin with the users apart from its canary; return its state.

    why: why it is rejected; empty: it is not.
    """
    if not why and not run.is_canary:
        daily.lock_sums(connection, run)
        if (state := run_rows.load(connection, run.run_no).state) != "checking":
            return state
        daily.store_daily(connection, run)
    run_rows.lock_state(connection, run.run_no)
    now = run_rows.load(connection, run.run_no)
    if now.state != "checking" or now.is_canary != run.is_canary:  # another process decided
        return now.state
    if why:
        _store(connection, run, found)
        run_rows.set_state(connection, run.run_no, "rejected", why)
        audit.record(connection, actor, "reject", run.run_id, reason=why)
        return "rejected"
    if run.is_canary:
        begin_rest(connection, run)
        return "generating"
    _store(connection, run, found)
    _publish(connection, actor, run, "publish", None)
    return "published"


def publish(parts: NightParts, run_id: str, *, force: bool, reason: str | None) -> Run:
    """Publish a rejected or withdrawn run for an operator; return it.

    A run that its canary rejected has no lists of the other users: it goes on with these, and gates
    judge it again at its end. The operator's decision is only that it may.

    Raises:
        UsageError: it has no stored lists or is published now (``force`` publishes it again), or
            ``force`` comes without a reason.
        GateError: a gate fails and ``force`` is not given.
        ConflictError: its state changed while it was checked, or it cannot go on.
    """
    if force and not reason:
        raise UsageError("--force needs a reason.", "Add --reason 'why'; it goes into the audit.")
    with parts.engine.connect() as connection:
        run = run_rows.find(connection, run_id)
        if run.pruned_at:
            raise UsageError(
                f"The lists of {run.run_id} were pruned.", "Choose another, or start a new night."
            )
        if run.state not in {"rejected", "published", "checking"}:
            raise UsageError(
                f"Run {run.run_id} is {run.state}; it has no complete lists to publish.",
                "Choose a published or rejected run from `gpt4rec runs list`.",
            )
        if not force:
            _require_not_shown(connection, run)
        found = check(parts, connection, run)
    refused = found.refused
    if refused and not force:
        raise GateError(
            f"Gates refuse {run.run_id}: {_sentence(refused)}.",
            "Override with --force --reason 'why'.",
        )
    action = "force_publish" if refused else "publish"
    with transaction(parts.engine) as connection:
        if run.is_canary:
            _require_resumable(connection, run)
        else:
            daily.lock_sums(connection, run)
            daily.store_daily(connection, run)
        run_rows.lock_state(connection, run.run_no)
        now = run_rows.load(connection, run.run_no)
        if (now.state, now.is_canary, now.pruned_at) != (run.state, run.is_canary, None):
            raise ConflictError(
                f"Run {run.run_id} became {now.state} while it was checked.",
                "See `gpt4rec runs list`.",
            )
        _store(connection, run, found)
        if run.is_canary:
            begin_rest(connection, run)
            states = {"before": {"state": run.state}, "after": {"state": "generating"}}
            audit.record(connection, parts.actor, action, run.run_id, **states, reason=reason)
        else:
            _publish(connection, parts.actor, run, action, reason)
        return run_rows.load(connection, run.run_no)


def _require_resumable(connection: Connection, run: Run) -> None:
    """Check that the rest of a run can be made: no other run is under way, by this code and build.

    Locks the build, so that it is not deleted before the run is unfinished again.
    """
    new = "Start a new night: `gpt4rec night`."
    if others := [
        one for one in run_rows.unfinished(connection, run.kind) if one.run_no != run.run_no
    ]:
        raise ConflictError(
            f"Run {others[0].run_id} is unfinished ({others[0].state}).",
            "Let it end, or cancel it: `gpt4rec runs cancel`.",
        )
    if run.code_version != code_version():
        raise ConflictError(f"Run {run.run_id} was planned by code {run.code_version}.", new)
    try:
        pin(connection, run.build_no)
    except ConflictError as error:
        raise ConflictError(f"The index of {run.run_id} is deleted.", new) from error


def gates_of(parts: NightParts, run_id: str) -> list[dict[str, Any]]:
    """Return the gate results of a run now, as plain values; nothing is stored.

    Raises:
        UsageError: there is no such run, or it is published now.
    """
    with parts.engine.connect() as connection:
        run = run_rows.find(connection, run_id)
        _require_not_shown(connection, run)
        found = check(parts, connection, run)
    return [asdict(result) for result in found.results]


def _store(connection: Connection, run: Run, found: Examination) -> None:
    gate_rows.store(connection, run.run_no, found.results)
    measures.store(connection, run.run_no, found.measures)
    first_queries.store(connection, run.run_no, found.firsts)


def _require_not_shown(connection: Connection, run: Run) -> None:
    if run_rows.published(connection, run.kind) == run.run_no:
        raise UsageError(
            f"Run {run.run_id} is published already: readers see its lists.",
            f"`gpt4rec runs show {run.run_id}` has its gates.",
        )


def _publish(connection: Connection, actor: str, run: Run, action: str, reason: str | None) -> None:
    locks.transaction_lock(connection, f"publish {run.kind}")
    before = run_rows.published(connection, run.kind)
    before_id = None if before is None else run_rows.load(connection, before).run_id
    # Checked under the lock of the run's row, because a prune may have run meanwhile.
    if not run_rows.has_lists(connection, run.run_no):
        raise ConflictError(f"The lists of {run.run_id} were pruned.", "Start a new night.")
    run_rows.set_state(connection, run.run_no, "published")
    run_rows.point_to(connection, run.kind, run.run_no)
    daily.count_for_date(connection, run)
    audit.record(
        connection,
        actor,
        action,
        run.run_id,
        before={"published": before_id},
        after={"published": run.run_id},
        reason=reason,
    )


def _sentence(refused: Sequence[GateResult]) -> str:
    return "; ".join(
        f"{result.gate.replace('_', ' ')}: {result.measured}, required {result.required}"
        for result in refused
    )
