"""Taking runs back, and keeping them: reject, rollback, pin, unpin. Each act is audited.

What readers see changes by the same one pointer row as in publishing, in the same transaction as
the run's state.
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
    """A run that was taken back, and the run that readers see then; None: none was shown."""

    rejected: Run
    published: Run | None


def reject(parts: NightParts, run_id: str, *, reason: str, dry_run: bool = False) -> Withdrawal:
    """Take a published run, or one that is being checked, back; return what readers see then.

    If readers see it now, the pointer moves to the published run before it. If it was published
    earlier, no rollback shows it any more. Its lists are kept, and `runs publish` shows it again.

    dry_run: only say what readers would see.

    Raises:
        UsageError: it is in another state, or it is shown and no run before it is kept.
    """
    with transaction(parts.engine) as connection:
        run = run_rows.find(connection, run_id)
        run_rows.lock_state(connection, run.run_no)
        locks.transaction_lock(connection, f"publish {run.kind}")
        run = run_rows.load(connection, run.run_no)
        _require_rejectable(run)
        return _withdraw(connection, parts.actor, run, "reject", reason, dry_run)


def rollback(
    parts: NightParts, *, kind: str = "nightly", reason: str | None = None, dry_run: bool = False
) -> Run:
    """Withdraw the published run: readers see the one before it; return that.

    dry_run: only say which one that is.

    Raises:
        UsageError: nothing is published, or nothing was before it.
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
    """Keep a run and its build from being pruned, or let them be again; return the run.

    dry_run: only look whether that can be.

    Raises:
        UsageError: there is no such run, or its lists were pruned already.
    """
    with transaction(parts.engine) as connection:
        run = run_rows.find(connection, run_id)
        run_rows.lock_state(connection, run.run_no)
        run = run_rows.load(connection, run.run_no)
        if is_pinned and run.pruned_at:
            raise UsageError(
                f"The lists of {run.run_id} were pruned; there is nothing to keep.",
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
        f"Run {run.run_id} is {run.state}: no reader sees it.", "See `gpt4rec runs list`."
    )


def _withdraw(
    connection: Connection, actor: str, run: Run, action: str, reason: str | None, dry_run: bool
) -> Withdrawal:
    """Reject ``run`` and show the one before it if it is shown; the publish lock is held."""
    current = run_rows.published(connection, run.kind)
    after = current
    if current == run.run_no:
        after = run_rows.published_before(connection, run.kind, current)
        if after is None:
            raise UsageError(
                "No earlier published run is kept.",
                "There is nothing to go back to; publish another run first.",
            )
    if not dry_run:
        why = "rolled back" if action == "rollback" else "by hand"
        run_rows.set_state(
            connection, run.run_no, "rejected", f"{why}: {reason or 'no reason given'}"
        )
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
