"""Statements on existing shards: leases with fencing tokens, and state changes.

All times are the database's clock.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, text

from gpt4rec_es.db.rows import run_counts
from gpt4rec_es.errors import LeaseLostError
from gpt4rec_es.logs import scrub


@dataclass(frozen=True, slots=True)
class Shard:
    """A claimed shard. ``token`` must still be the row's when anything is stored for it."""

    shard_no: int
    run_no: int
    stage: str
    members: tuple[int, ...]
    token: int
    attempt: int
    failures: int


# An expired lease counts as a failure of the shard, which may have killed its worker.
_CLAIM = text("""
WITH candidate AS (
    SELECT shard_no, state FROM shards
    WHERE run_no = :run_no AND stage = :stage
      AND ((state = 'ready' AND coalesce(available_at <= clock_timestamp(), true))
           OR (state = 'leased' AND lease_until < clock_timestamp()))
    ORDER BY shard_no LIMIT 1 FOR UPDATE SKIP LOCKED
)
UPDATE shards AS s SET
    state = 'leased', owner = :owner, token = s.token + 1, attempt = s.attempt + 1,
    failures = s.failures + (s.state = 'leased')::int,
    lease_until = clock_timestamp() + make_interval(secs => :lease_seconds)
FROM candidate WHERE s.shard_no = candidate.shard_no
RETURNING s.shard_no, s.run_no, s.stage, s.members, s.token, s.attempt, s.failures,
          candidate.state = 'leased' AS is_takeover
""")


def claim(
    connection: Connection, run_no: int, stage: str, owner: str, lease_seconds: float
) -> Shard | None:
    """Lease the first free shard of a stage to ``owner``; None: no shard is free now."""
    row = connection.execute(
        _CLAIM,
        {"run_no": run_no, "stage": stage, "owner": owner, "lease_seconds": lease_seconds},
    ).one_or_none()
    if row is None:
        return None
    if row.is_takeover:
        run_counts.add_one(connection, run_no, stage, "takeovers")
    return Shard(
        row.shard_no,
        row.run_no,
        row.stage,
        tuple(row.members),
        row.token,
        row.attempt,
        row.failures,
    )


def _fenced(connection: Connection, shard: Shard, assignments: str, **values: object) -> None:
    """Update the shard's row if it is still leased with this token.

    Raises:
        LeaseLostError: it is not; the caller's transaction must roll back.
    """
    statement = text(
        f"UPDATE shards SET {assignments} "  # noqa: S608 - assignments are literals of this module
        "WHERE shard_no = :shard_no AND token = :token AND state = 'leased'"
    )
    result = connection.execute(
        statement, {"shard_no": shard.shard_no, "token": shard.token, **values}
    )
    if result.rowcount != 1:
        raise LeaseLostError(
            f"Shard {shard.shard_no} was given to another worker (token {shard.token} is stale)."
        )


def renew(connection: Connection, shard: Shard, lease_seconds: float) -> None:
    """Extend the lease; LeaseLostError: the lease was lost."""
    _fenced(
        connection,
        shard,
        "lease_until = clock_timestamp() + make_interval(secs => :lease_seconds)",
        lease_seconds=lease_seconds,
    )


def finish(
    connection: Connection, shard: Shard, counts: Mapping[str, int], error: str | None = None
) -> None:
    """Mark the shard done, in the transaction that stores its rows; may raise LeaseLostError.

    counts: counts of its work, by name or "name:detail" (see ``run_counts``).
    """
    _fenced(
        connection,
        shard,
        "state = 'done', finished_at = clock_timestamp(), counts = cast(:counts AS jsonb), "
        "error = :error",
        counts=json.dumps({"members": len(shard.members), **counts}),
        error=error,
    )


def give_back(
    connection: Connection,
    shard: Shard,
    error: BaseException | None,
    delay_seconds: float,
    *,
    is_own_fault: bool,
) -> None:
    """Release the shard for a retry after ``delay_seconds``; ``is_own_fault``: count a failure.

    error None: nothing is wrong with the shard; its process was stopped.
    """
    _fenced(
        connection,
        shard,
        "state = 'ready', error = coalesce(:error, error), failures = failures + :fault, "
        "available_at = clock_timestamp() + make_interval(secs => :delay)",
        error=None if error is None else scrub(f"{type(error).__name__}: {error}")[:2000],
        fault=int(is_own_fault),
        delay=delay_seconds,
    )
    if error is not None:
        run_counts.add_one(connection, shard.run_no, shard.stage, "errors", type(error).__name__)


def split(connection: Connection, shard: Shard) -> None:
    """Replace the shard by its two halves, in order, with attempts and failures set to 0."""
    _fenced(connection, shard, "state = 'split', finished_at = clock_timestamp()")
    middle = len(shard.members) // 2
    for half in (shard.members[:middle], shard.members[middle:]):
        connection.execute(
            text(
                "INSERT INTO shards (run_no, stage, members, parent_shard_no) "
                "VALUES (:run_no, :stage, :members, :parent)"
            ),
            {
                "run_no": shard.run_no,
                "stage": shard.stage,
                "members": list(half),
                "parent": shard.shard_no,
            },
        )


def has_open(connection: Connection, run_no: int, stage: str) -> bool:
    """Return whether a shard of the stage is neither done nor split."""
    return bool(
        connection.execute(
            text(
                "SELECT EXISTS (SELECT FROM shards WHERE run_no = :run_no AND stage = :stage "
                "AND state IN ('ready', 'leased'))"
            ),
            {"run_no": run_no, "stage": stage},
        ).scalar_one()
    )


def count_claimable(connection: Connection, run_no: int, stage: str) -> int:
    """Return the number of shards of a stage that can be claimed now."""
    return int(
        connection.execute(
            text(
                "SELECT count(*) FROM shards WHERE run_no = :run_no AND stage = :stage "
                "AND ((state = 'ready' AND coalesce(available_at <= clock_timestamp(), true)) "
                "OR (state = 'leased' AND lease_until < clock_timestamp()))"
            ),
            {"run_no": run_no, "stage": stage},
        ).scalar_one()
    )


def has_live_lease(connection: Connection, run_no: int) -> bool:
    """Return whether a worker holds an unexpired lease on a shard of the run."""
    found = connection.execute(
        text("""
        SELECT EXISTS (SELECT FROM shards WHERE run_no = :run_no AND state = 'leased'
                       AND lease_until > clock_timestamp())
        """),
        {"run_no": run_no},
    )
    return bool(found.scalar_one())


def is_done(connection: Connection, shard: Shard) -> bool:
    """Return whether the shard was finished with exactly this token."""
    return bool(
        connection.execute(
            text("SELECT state = 'done' AND token = :token FROM shards WHERE shard_no = :shard_no"),
            {"shard_no": shard.shard_no, "token": shard.token},
        ).scalar_one()
    )


def last_error(connection: Connection, shard: Shard) -> str:
    """Return the last error of the shard, or a text for killed workers, which store no error."""
    found = connection.execute(
        text("SELECT error FROM shards WHERE shard_no = :shard_no"), {"shard_no": shard.shard_no}
    ).scalar_one()
    return str(found or "its workers were killed")


def members_done(connection: Connection, run_no: int, stage: str) -> tuple[int, int]:
    """Return the numbers of done members and of all members of a stage."""
    row = connection.execute(
        text("""
        SELECT coalesce(sum(n_members) FILTER (WHERE state = 'done'), 0) AS done,
               coalesce(sum(n_members), 0) AS total
        FROM shards WHERE run_no = :run_no AND stage = :stage AND state <> 'split'
        """),
        {"run_no": run_no, "stage": stage},
    ).one()
    return int(row.done), int(row.total)
