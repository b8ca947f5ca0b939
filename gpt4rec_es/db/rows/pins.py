"""What keeps a build: the runs that need it, and hands; and the end of builds that nothing keeps.

Pinning and retiring lock the build's row, so that no run ever pins what is being deleted.
"""

from sqlalchemy import Connection, func, select, text, update

from gpt4rec_es.db.rows.builds import Build, build_of, load
from gpt4rec_es.db.tables import UNFINISHED, builds
from gpt4rec_es.errors import ConflictError, UsageError


def retire(connection: Connection, build_no: int) -> bool:
    """Mark a ready build as deleted unless it is pinned; False: it is pinned, or not ready.

    The row stays locked until the transaction ends, so no run can pin it meanwhile.
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
    """Return build number -> who keeps it: "hand", or the ids of runs that need it.

    These are the runs that are unfinished, that readers see, that a rollback would show, and that
    were pinned by hand.
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
    """Return a build that can be pinned by hand, or let go, until the transaction ends.

    Raises:
        UsageError: there is no such build, or its index is not there to be kept.
    """
    connection.execute(
        select(builds.c.build_no).where(builds.c.build_no == build_no).with_for_update()
    )
    before = load(connection, build_no)
    if is_pinned and before.state != "ready":
        raise UsageError(
            f"Build {build_no} is {before.state}; there is nothing to keep.",
            "See `gpt4rec index builds`.",
        )
    return before


def set_pinned(connection: Connection, build_no: int, is_pinned: bool) -> None:
    """Pin a build that is :func:`pinnable` by hand, or take that back."""
    connection.execute(
        update(builds).where(builds.c.build_no == build_no).values(is_pinned=is_pinned)
    )


def pin(connection: Connection, build_no: int) -> Build:
    """Return a ready build which cannot be deleted before the transaction ends.

    Whoever plans a run calls this in the transaction that inserts the run; from then on the run
    itself protects the build.

    Raises:
        ConflictError: it is not ready, or was deleted meanwhile.
    """
    row = connection.execute(
        select(builds).where(builds.c.build_no == build_no).with_for_update(read=True)
    ).one_or_none()
    if row is None or row.state != "ready":
        raise ConflictError(f"Build {build_no} cannot be searched any more.", "Try again.")
    return build_of(row)
