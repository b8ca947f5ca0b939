"""Statements on runs and the publication pointer; night/ decides the order of states."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, text, update
from sqlalchemy.engine import RowMapping

from gpt4rec_es.db.rows import run_counts
from gpt4rec_es.db.tables import UNFINISHED, runs
from gpt4rec_es.errors import UsageError

# Characters of the longest id of a run, far above those that are given.
MAX_RUN_ID = 200


@dataclass(frozen=True, slots=True)
class Run:
    """One row of ``runs``, joined with the columns that its stages need from other tables.

    content_hash: of the generator; empty without one, so that no generation belongs to the run.
    canary_users: number of users that are served first; None: the run has no canary.
    """

    run_no: int
    run_id: str
    kind: str
    logical_date: dt.date
    attempt: int
    state: str
    manifest: dict[str, Any]
    build_no: int
    index_name: str
    generator_no: int | None
    content_hash: str
    decoding_no: int
    k: int
    depth: int
    history_version: int
    cohort_size: int
    code_version: str
    actor: str
    planned_at: dt.datetime
    finished_at: dt.datetime | None
    error: str | None
    is_pinned: bool
    pruned_at: dt.datetime | None
    co_purchase_set_no: int | None
    filters_no: int | None
    search_options_no: int
    reranker_no: int | None
    canary_users: int | None
    canary_passed_at: dt.datetime | None

    @property
    def is_canary(self) -> bool:
        """Whether the run serves only its canary so far."""
        return self.canary_users is not None and self.canary_passed_at is None

    @property
    def is_finished(self) -> bool:
        """Whether the run is in a final state."""
        return self.state not in UNFINISHED


_SELECT = """
SELECT r.run_no, r.run_id, r.kind, r.logical_date, r.attempt, r.state, r.manifest, r.build_no,
       b.index_name, r.generator_no,
       coalesce(g.content_hash, '') AS content_hash, r.decoding_no, r.k, r.depth,
       r.history_version, r.cohort_size, r.code_version, r.actor, r.planned_at, r.finished_at,
       r.error, r.is_pinned, r.pruned_at, r.co_purchase_set_no, r.filters_no,
       coalesce(r.search_options_no, 0) AS search_options_no, r.reranker_no, r.canary_users,
       r.canary_passed_at
FROM runs AS r JOIN builds AS b USING (build_no) LEFT JOIN generators AS g USING (generator_no)
"""


def _run(row: RowMapping) -> Run:
    return Run(**row)


def load(connection: Connection, run_no: int) -> Run:
    """Return the run with this number; it must exist."""
    found = connection.execute(text(_SELECT + "WHERE r.run_no = :run_no"), {"run_no": run_no})
    return _run(found.mappings().one())


def find(connection: Connection, run_id: str) -> Run:
    """Return the run with this id, or the published one for ``latest``.

    Raises:
        UsageError: there is no such run.
    """
    if len(run_id) > MAX_RUN_ID:
        raise UsageError("No run has an id of that length.", "See `gpt4rec runs list`.")
    if run_id == "latest":
        pointer = published(connection, "nightly")
        if pointer is None:
            raise UsageError("No run is published yet.", "Create one with `gpt4rec night`.")
        return load(connection, pointer)
    row = (
        connection.execute(text(_SELECT + "WHERE r.run_id = :run_id"), {"run_id": run_id})
        .mappings()
        .one_or_none()
    )
    if row is None:
        raise UsageError(f"There is no run {run_id!r}.", "See `gpt4rec runs list`.")
    return _run(row)


def find_with_lists(connection: Connection, run_id: str) -> Run:
    """Return the run with this id, or the published one for ``latest``, if it has all its lists.

    Raises:
        UsageError: there is no such run, it is not merged yet, or its lists were pruned.
    """
    run = find(connection, run_id)
    others = "`gpt4rec runs list` shows others."
    if run.pruned_at:
        raise UsageError(f"The lists of {run.run_id} were pruned.", others)
    if run.is_canary or not (run.is_finished or run.state == "checking"):
        raise UsageError(f"{run.run_id} is {run.state}: its lists are not complete.", others)
    return run


def unfinished(connection: Connection, kind: str | None = None) -> list[Run]:
    """Return the unfinished runs, oldest first; only those of ``kind`` if given."""
    where = "WHERE r.state = ANY(:states) AND (:kind IS NULL OR r.kind = :kind) ORDER BY r.run_no"
    found = connection.execute(text(_SELECT + where), {"states": list(UNFINISHED), "kind": kind})
    return [_run(row) for row in found.mappings()]


def newest(connection: Connection, limit: int) -> list[Run]:
    """Return the newest runs, newest first."""
    found = connection.execute(
        text(_SELECT + "ORDER BY r.run_no DESC LIMIT :limit"), {"limit": limit}
    )
    return [_run(row) for row in found.mappings()]


def of_date(connection: Connection, kind: str, logical_date: dt.date) -> list[Run]:
    """Return all runs of a kind and date, first attempt first."""
    where = "WHERE r.kind = :kind AND r.logical_date = :date ORDER BY r.attempt"
    found = connection.execute(text(_SELECT + where), {"kind": kind, "date": logical_date})
    return [_run(row) for row in found.mappings()]


def insert(connection: Connection, **values: object) -> int:
    """Insert a run in state planned; return its number."""
    statement = runs.insert().values(state="planned", **values).returning(runs.c.run_no)
    return int(connection.execute(statement).scalar_one())


def lock_state(connection: Connection, run_no: int) -> str:
    """Lock the run's row until the end of the transaction and return its state."""
    return str(
        connection.execute(
            select(runs.c.state).where(runs.c.run_no == run_no).with_for_update()
        ).scalar_one()
    )


def lock_state_now(connection: Connection, run_no: int) -> str | None:
    """Lock the run's row as ``lock_state`` does; None: another transaction has locked it."""
    row = select(runs.c.state).where(runs.c.run_no == run_no).with_for_update(skip_locked=True)
    state = connection.execute(row).scalar_one_or_none()
    return None if state is None else str(state)


# Without the time that a finished run, or a rejected canary, waited for an operator.
_WORKED = text("""CASE WHEN finished_at IS NOT NULL THEN work_s ELSE extract(epoch FROM coalesce(
    make_interval(secs => work_s) + (clock_timestamp() - canary_passed_at),
    clock_timestamp() - planned_at)) END""")


def set_state(connection: Connection, run_no: int, state: str, error: str | None = None) -> None:
    """Set the state; for a finished state also its time and error."""
    values: dict[str, object] = {"state": state}
    if state not in UNFINISHED:
        values |= {"finished_at": text("clock_timestamp()"), "error": error, "work_s": _WORKED}
        run_counts.keep(connection, run_no)
    connection.execute(update(runs).where(runs.c.run_no == run_no).values(**values))


def set_pinned(connection: Connection, run_no: int, is_pinned: bool) -> None:
    """Pin or unpin the run for an operator."""
    connection.execute(update(runs).where(runs.c.run_no == run_no).values(is_pinned=is_pinned))


def published(connection: Connection, kind: str) -> int | None:
    """Return the number of the published run; None before the first publication."""
    found = connection.execute(
        text("SELECT run_no FROM publications WHERE kind = :kind"), {"kind": kind}
    ).scalar_one_or_none()
    return None if found is None else int(found)


def load_published(connection: Connection, kind: str) -> Run | None:
    """Return the published run; None before the first publication."""
    pointer = published(connection, kind)
    return None if pointer is None else load(connection, pointer)


def has_lists(connection: Connection, run_no: int) -> bool:
    """Return whether the run was not pruned, so that the lists it made are stored."""
    found = connection.execute(select(runs.c.pruned_at.is_(None)).where(runs.c.run_no == run_no))
    return bool(found.scalar_one())


def shown(connection: Connection, kind: str) -> set[int]:
    """Return the numbers of the published run and of the run published before it."""
    found = connection.execute(
        text("SELECT run_no, previous_run_no FROM publications WHERE kind = :kind"), {"kind": kind}
    )
    return {number for row in found for number in row if number is not None}


def mark_pruned(connection: Connection, run_no: int) -> None:
    """Mark the run as pruned; its lists are dropped later."""
    connection.execute(
        update(runs).where(runs.c.run_no == run_no).values(pruned_at=text("clock_timestamp()"))
    )


def point_to(connection: Connection, kind: str, run_no: int) -> None:
    """Move the publication pointer to ``run_no``, unless it is there already."""
    connection.execute(
        text("""
        INSERT INTO publications (kind, run_no) VALUES (:kind, :run_no)
        ON CONFLICT (kind) DO UPDATE SET run_no = excluded.run_no,
            previous_run_no = publications.run_no, published_at = clock_timestamp()
            WHERE publications.run_no <> excluded.run_no
        """),
        {"kind": kind, "run_no": run_no},
    )


def published_before(connection: Connection, kind: str, run_no: int) -> int | None:
    """Return the newest earlier run in state published that is not pruned; None: there is none."""
    found = connection.execute(
        text("""
        SELECT r.run_no FROM runs AS r JOIN runs AS current ON current.run_no = :run_no
        WHERE r.kind = :kind AND r.state = 'published' AND r.pruned_at IS NULL
          AND (r.logical_date, r.attempt) < (current.logical_date, current.attempt)
        ORDER BY r.logical_date DESC, r.attempt DESC LIMIT 1
        """),
        {"kind": kind, "run_no": run_no},
    ).scalar_one_or_none()
    return None if found is None else int(found)
