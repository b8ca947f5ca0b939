"""Pins of index builds, by runs and by operators, and retirement of builds without pins.

Pinning and retiring lock the build's row, so that no run pins a build that is being deleted.
"""

from sqlalchemy import Connection, func, select, text, update

from gpt4rec_es.db.rows.builds import Build, build_of, load
from gpt4rec_es.db.tables import UNFINISHED, builds
from gpt4rec_es.errors import ConflictError, UsageError


def retire(connection: Connection, build_no: int) -> bool:
    """Mark a ready build as deleted unless it is pinned; False: it is pinned, or not ready.

    The row stays locked until the transaction ends, so that no run can pin the build.
    """
    state = connection.execute(
        select(builds.c.state).where(builds.c.build_no == build_no).with_for_update()
    ).scalar_one()
    if state != "ready" or build_no in load_pins(connection):
        return False
    connection.execute(
        update(builds)
        .where(builds.c.build_no == build_no)
        .values(state="deleted", deleted_at=func.clock_timestamp())
    )
    return True


def load_pins(connection: Connection) -> dict[int, list[str]]:
    """Return build number -> its pins: "hand" (by an operator), or ids of runs.

    Runs that pin a build: unfinished runs, the published run, the run that a rollback would show,
    and runs pinned by an operator.
    """
    found = connection.execute(
        text("""
        SELECT build_no, 'hand' AS by FROM builds WHERE is_pinned
        UNION
        SELECT build_no, run_id FROM runs WHERE state = ANY(:unfinished) OR is_pinned
        UNION
        SELECT r.build_no, r.run_id FROM runs AS r
        JOIN publications AS p ON r.run_no IN (p.run_no, p.previous_run_no)
        """),
        {"unfinished": list(UNFINISHED)},
    )
    pins: dict[int, list[str]] = {}
    for row in found:
        pins.setdefault(row.build_no, []).append(row.by)
    return {build_no: sorted(by) for build_no, by in pins.items()}


def pinnable(connection: Connection, build_no: int, is_pinned: bool) -> Build:
    """Return a build that an operator can pin or unpin, locked until the transaction ends.

    Raises:
        UsageError: there is no such build, or it has no index.
    """
    connection.execute(
        select(builds.c.build_no).where(builds.c.build_no == build_no).with_for_update()
    )
    before = load(connection, build_no)
    if is_pinned and before.state != "ready":
        raise UsageError(
            f"Build {build_no} is {before.state}; it cannot be pinned.",
            "See `gpt4rec index builds`.",
        )
    return before


def set_pinned(connection: Connection, build_no: int, is_pinned: bool) -> None:
    """Pin or unpin a :func:`pinnable` build for an operator."""
    connection.execute(
        update(builds).where(builds.c.build_no == build_no).values(is_pinned=is_pinned)
    )


def pin(connection: Connection, build_no: int) -> Build:
    """Return a ready build that cannot be deleted before the transaction ends.

    The planner calls this in the transaction that inserts the run; once committed, the run pins the
    build.

    Raises:
        ConflictError: it is not ready, or was deleted meanwhile.
    """
    row = connection.execute(
        select(builds).where(builds.c.build_no == build_no).with_for_update(read=True)
    ).one_or_none()
    if row is None or row.state != "ready":
        raise ConflictError(f"Build {build_no} cannot be searched any more.", "Try again.")
    return build_of(row)
