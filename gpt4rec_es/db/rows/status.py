"""Reads of a run's progress: shards by stage, leases, expired leases and failing shards.

No statement takes a row lock. All times are in seconds, by the database's clock.
"""

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, text


class StageCounts(NamedTuple):
    """One stage's shards and their members (done, total), without shards that were split.

    since_first: seconds since the first shard was done; busy: seconds from the first to the last
    done shard; timed: number of members done meanwhile. These leave out a canary that was passed.
    """

    stage: str
    done: int
    total: int
    shards_open: int
    leases: int
    expired_leases: int
    since_first: float | None
    busy: float | None
    timed: int
    last_error: str | None


@dataclass(frozen=True, slots=True)
class LeaseStatus:
    """One leased shard. seconds_left: until the lease expires; below 0: expired."""

    stage: str
    shard_no: int
    owner: str
    members: int
    attempt: int
    seconds_left: float


class ExpiredLease(NamedTuple):
    """A shard whose lease expired ``seconds`` ago."""

    owner: str
    shard_no: int
    stage: str
    seconds: float


class FailingShard(NamedTuple):
    """A shard that failed or waits after an error. error None: its workers were killed."""

    shard_no: int
    stage: str
    members: int
    failures: int
    error: str | None


class Inactivity(NamedTuple):
    """Number of ready shards, whether none is leased, and seconds since the last activity."""

    ready: int
    is_idle: bool
    seconds: float


_STAGES = text("""
SELECT stage,
       coalesce(sum(n_members) FILTER (WHERE state = 'done'), 0) AS done,
       sum(n_members) FILTER (WHERE state <> 'split') AS total,
       count(*) FILTER (WHERE state IN ('ready', 'leased')) AS shards_open,
       count(*) FILTER (WHERE state = 'leased' AND lease_until >= clock_timestamp()) AS leases,
       count(*) FILTER (WHERE state = 'leased' AND lease_until < clock_timestamp())
           AS expired_leases,
       extract(epoch FROM clock_timestamp() - min(finished_at) FILTER (WHERE is_timed))::float8
           AS since_first,
       extract(epoch FROM max(finished_at) FILTER (WHERE is_timed)
                          - min(finished_at) FILTER (WHERE is_timed))::float8 AS busy,
       coalesce(sum(n_members) FILTER (WHERE is_timed) - (array_agg(n_members ORDER BY finished_at)
                 FILTER (WHERE is_timed))[1], 0) AS timed,
       (array_agg(error ORDER BY shard_no DESC) FILTER (WHERE error IS NOT NULL))[1] AS last_error
FROM (SELECT s.*,
             s.state = 'done' AND coalesce(s.finished_at > r.canary_passed_at, true) AS is_timed
      FROM shards AS s JOIN runs AS r USING (run_no) WHERE run_no = :run_no) AS shards
GROUP BY stage
ORDER BY array_position(ARRAY['generate', 'embed', 'search', 'merge'], stage)
""")
_LEASES = text("""
SELECT stage, shard_no, owner, n_members AS members, attempt,
       extract(epoch FROM lease_until - clock_timestamp())::float8 AS seconds_left
FROM shards WHERE run_no = :run_no AND state = 'leased' ORDER BY seconds_left LIMIT 200
""")
_EXPIRED = text("""
SELECT owner, shard_no, stage,
       extract(epoch FROM clock_timestamp() - lease_until)::float8 AS seconds
FROM shards WHERE run_no = :run_no AND state = 'leased' AND lease_until < clock_timestamp()
ORDER BY lease_until LIMIT :limit
""")
_FAILING = text("""
SELECT shard_no, stage, n_members AS members, failures, error
FROM shards WHERE run_no = :run_no AND state IN ('ready', 'leased')
  AND (failures > 0 OR error IS NOT NULL)
ORDER BY failures DESC, shard_no LIMIT :limit
""")
# With a lease held there is activity now; otherwise the latest event of the run is used.
_INACTIVITY = text("""
SELECT count(*) FILTER (WHERE s.state = 'ready') AS ready,
       count(*) FILTER (WHERE s.state = 'leased' AND s.lease_until >= clock_timestamp()) = 0
           AS is_idle,
       extract(epoch FROM clock_timestamp() - greatest(r.planned_at, max(s.finished_at),
           max(s.lease_until)))::float8 AS seconds
FROM runs AS r LEFT JOIN shards AS s USING (run_no) WHERE r.run_no = :run_no GROUP BY r.run_no
""")


def count_by_stage(connection: Connection, run_no: int) -> list[StageCounts]:
    """Return the counts of those stages that have shards, in order of stages."""
    return [StageCounts(*row) for row in connection.execute(_STAGES, {"run_no": run_no})]


def load_leases(connection: Connection, run_no: int) -> list[LeaseStatus]:
    """Return at most 200 leased shards, those that expire first at first."""
    return [LeaseStatus(*row) for row in connection.execute(_LEASES, {"run_no": run_no})]


def expired_leases(connection: Connection, run_no: int, limit: int) -> list[ExpiredLease]:
    """Return at most ``limit`` expired leases, oldest first."""
    found = connection.execute(_EXPIRED, {"run_no": run_no, "limit": limit})
    return [ExpiredLease(*row) for row in found]


def failing_shards(connection: Connection, run_no: int, limit: int) -> list[FailingShard]:
    """Return at most ``limit`` open shards with an error, most failures first."""
    found = connection.execute(_FAILING, {"run_no": run_no, "limit": limit})
    return [FailingShard(*row) for row in found]


def inactivity(connection: Connection, run_no: int) -> Inactivity:
    """Return the time since the last activity on a run, which must exist."""
    return Inactivity(*connection.execute(_INACTIVITY, {"run_no": run_no}).one())


class Publication(NamedTuple):
    """The published run: hours since it was published, and since its lists were complete.

    The two differ after a rollback, and where a run was published by an operator.
    """

    run_id: str
    published_hours_ago: float
    made_hours_ago: float


def publication(connection: Connection) -> Publication | None:
    """Return the published run with its age; None when nothing is published."""
    found = connection.execute(
        text("""
        SELECT r.run_id,
            extract(epoch FROM clock_timestamp() - p.published_at)::float8 / 3600,
            extract(epoch FROM clock_timestamp() - coalesce(
                r.planned_at + make_interval(secs => r.work_s), r.finished_at, p.published_at)
            )::float8 / 3600
        FROM publications AS p JOIN runs AS r USING (run_no) WHERE p.kind = 'nightly'
        """)
    ).one_or_none()
    return None if found is None else Publication(*found)
