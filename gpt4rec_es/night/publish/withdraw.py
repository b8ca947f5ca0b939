"""Reject, roll back, pin and unpin runs; each action is audited.

The pointer row of publishing and the run's state change in one transaction.
"""

from dataclasses import dataclass

from sqlalchemy import Connection

from gpt4rec_es.db import locks
from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import audit, daily
from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.errors import UsageError
from gpt4rec_es.night.inputs.parts import NightParts


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A withdrawn run, and the run that is published then; None: the pointer did not move."""

    rejected: Run
    published: Run | None


def reject(parts: NightParts, run_id: str, *, reason: str, dry_run: bool = False) -> Withdrawal:
    """Reject a run that was published or is being checked; return the resulting publication.

    If it is the published run, the pointer moves to the one before. If it was published earlier, no
    rollback shows it any more. Its lists are kept, and `runs publish` shows it again. dry_run:
    return the result without changes.

    Raises:
        UsageError: it is in another state, or it is published and no earlier published run is kept.
    """
    with transaction(parts.engine) as connection:
        run = run_rows.find(connection, run_id)
        run_rows.lock_state(connection, run.run_no)
        locks.transaction_lock(connection, f"publish {run.kind}")
        run = run_rows.load(connection, run.run_no)
        _require_rejectable(run)
        return _withdraw(connection, parts.actor, run, "reject", reason, dry_run)


def rollback(
    parts: NightParts, *, kind: str = "nightly", reason: str, dry_run: bool = False
) -> Run:
    """Withdraw the published run and publish the one before it; return that one.

    dry_run: return it without changes.

    Raises:
        UsageError: nothing is published, or no earlier published run is kept.
    """
    with transaction(parts.engine) as connection:
        locks.transaction_lock(connection, f"publish {kind}")
        current = run_rows.published(connection, kind)
        if current is None:
            raise UsageError("No run is published.", "There is nothing to roll back.")
        run = run_rows.load(connection, current)
        done = _withdraw(connection, parts.actor, run, "rollback", reason, dry_run)
    assert done.published is not None  # noqa: S101 -- a shown run is replaced, or refused
    return done.published


def set_pinned(
    parts: NightParts, run_id: str, *, is_pinned: bool, reason: str | None, dry_run: bool = False
) -> Run:
    """Pin or unpin a run and its build, so that they are not pruned; return the run.

    dry_run: only check whether it is possible.

    Raises:
        UsageError: there is no such run, or its lists were pruned already.
    """
    with transaction(parts.engine) as connection:
        run = run_rows.find(connection, run_id)
        run_rows.lock_state(connection, run.run_no)
        run = run_rows.load(connection, run.run_no)
        if is_pinned and run.pruned_at:
            raise UsageError(
                f"The lists of {run.run_id} were pruned; the run cannot be pinned.",
                "See `gpt4rec runs list`.",
            )
        if run.is_pinned != is_pinned and not dry_run:
            run_rows.set_pinned(connection, run.run_no, is_pinned)
            audit.record(
                connection,
                parts.actor,
                "pin" if is_pinned else "unpin",
                run.run_id,
                before={"is_pinned": run.is_pinned},
                after={"is_pinned": is_pinned},
                reason=reason,
            )
        return run_rows.load(connection, run.run_no)


def _require_rejectable(run: Run) -> None:
    if run.state in {"published", "checking"}:
        return
    if not run.is_finished:
        raise UsageError(
            f"Run {run.run_id} is {run.state}; it has no lists to reject yet.",
            f"`gpt4rec runs cancel {run.run_id} --reason 'why'` stops it.",
        )
    raise UsageError(
        f"Run {run.run_id} is {run.state}: it is not published.", "See `gpt4rec runs list`."
    )


def _withdraw(
    connection: Connection, actor: str, run: Run, action: str, reason: str, dry_run: bool
) -> Withdrawal:
    """Reject ``run`` and, if it is published, publish the one before; needs the publish lock."""
    current = run_rows.published(connection, run.kind)
    after = current
    if current == run.run_no:
        after = run_rows.published_before(connection, run.kind, current)
        if after is None:
            raise UsageError(
                "No earlier published run is kept.",
                "Publish another run first.",
            )
    if not dry_run:
        why = "rolled back" if action == "rollback" else "by an operator"
        run_rows.set_state(connection, run.run_no, "rejected", f"{why}: {reason}")
        if after is not None and after != current:
            run_rows.point_to(connection, run.kind, after)
        daily.withdraw_from_date(connection, run)
        audit.record(
            connection,
            actor,
            action,
            run.run_id,
            before={"state": run.state, "published": _id_of(connection, current)},
            after={"state": "rejected", "published": _id_of(connection, after)},
            reason=reason,
        )
    return Withdrawal(
        run_rows.load(connection, run.run_no),
        None if after is None else run_rows.load(connection, after),
    )


def _id_of(connection: Connection, run_no: int | None) -> str | None:
    return None if run_no is None else run_rows.load(connection, run_no).run_id
