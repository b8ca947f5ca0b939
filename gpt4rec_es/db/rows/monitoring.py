"""Reads for the Prometheus exporter; times are Unix seconds.

A scrape every 15 seconds must be cheap: only rows of runs, shards, builds and imports are read, no
rows of users.
"""

from typing import NamedTuple

from sqlalchemy import Connection, text


class Publication(NamedTuple):
    """The published run. seconds: from its start to its end."""

    run_id: str
    run_no: int
    cohort_size: int
    published_at: float
    planned_at: float
    seconds: float


class NewestRun(NamedTuple):
    """The newest run. seconds: from its start to its end, or to now."""

    run_id: str
    state: str
    code_version: str
    cohort_size: int
    planned_at: float
    is_finished: bool
    seconds: float


class StageShards(NamedTuple):
    """One stage's shards by state, their members, and the workers that hold a live lease.

    expired: leased to a worker that is gone. last_done: when the last shard was done.
    """

    stage: str
    ready: int
    leased: int
    expired: int
    done: int
    split: int
    members: int
    members_done: int
    owners: int
    last_done: float | None


class LiveBuild(NamedTuple):
    """The build that an alias points to. lag: number of item imports since."""

    build_no: int
    document_count: int
    k1: float
    b: float
    ready_at: float
    lag: int


class LastImport(NamedTuple):
    """The last import of a kind that was done."""

    kind: str
    finished_at: float
    rejected: int
    records: int


_PUBLICATION = text("""
SELECT r.run_id, r.run_no, r.cohort_size, extract(epoch FROM p.published_at)::float8,
       extract(epoch FROM r.planned_at)::float8,
       coalesce(r.work_s, extract(epoch FROM r.finished_at - r.planned_at))::float8
FROM publications AS p JOIN runs AS r USING (run_no) WHERE p.kind = :kind
""")
_NEWEST = text("""
SELECT run_id, state, code_version, cohort_size, extract(epoch FROM planned_at)::float8,
       finished_at IS NOT NULL,
       coalesce(work_s, extract(
           epoch FROM coalesce(finished_at, clock_timestamp()) - planned_at))::float8
FROM runs WHERE kind = :kind ORDER BY run_no DESC LIMIT 1
""")
_SHARDS = text("""
SELECT stage,
       count(*) FILTER (WHERE state = 'ready') AS ready,
       count(*) FILTER (WHERE state = 'leased' AND lease_until >= clock_timestamp()) AS leased,
       count(*) FILTER (WHERE state = 'leased' AND lease_until < clock_timestamp()) AS expired,
       count(*) FILTER (WHERE state = 'done') AS done,
       count(*) FILTER (WHERE state = 'split') AS split,
       coalesce(sum(n_members) FILTER (WHERE state <> 'split'), 0) AS members,
       coalesce(sum(n_members) FILTER (WHERE state = 'done'), 0) AS members_done,
       count(DISTINCT owner) FILTER (
           WHERE state = 'leased' AND lease_until >= clock_timestamp()) AS owners,
       extract(epoch FROM max(finished_at))::float8 AS last_done
FROM shards
WHERE run_no = (SELECT run_no FROM runs WHERE kind = :kind ORDER BY run_no DESC LIMIT 1)
GROUP BY stage
""")
_LIVE = text("""
SELECT b.build_no, b.document_count, b.k1, b.b, extract(epoch FROM b.ready_at)::float8,
       (SELECT catalog_version FROM catalog_state) - b.catalog_version
FROM alias_swaps AS s JOIN builds AS b ON b.build_no = s.to_build_no
WHERE s.alias = :alias ORDER BY s.swap_no DESC LIMIT 1
""")
_IMPORTS = text("""
SELECT DISTINCT ON (kind) kind, extract(epoch FROM finished_at)::float8,
       coalesce(rejected, 0), coalesce(records, 0)
FROM imports WHERE state = 'done' ORDER BY kind, import_no DESC
""")


def publication(connection: Connection, kind: str) -> Publication | None:
    """Return the published run and its time of publication; None: nothing is published yet."""
    row = connection.execute(_PUBLICATION, {"kind": kind}).one_or_none()
    return None if row is None else Publication(*row)


def count_runs(connection: Connection, kind: str) -> dict[str, int]:
    """Return state -> number of runs."""
    found = connection.execute(
        text("SELECT state, count(*) AS n FROM runs WHERE kind = :kind GROUP BY 1"), {"kind": kind}
    )
    return {row.state: row.n for row in found}


def newest_run(connection: Connection, kind: str) -> NewestRun | None:
    """Return state and times of the newest run; None: there is none yet."""
    row = connection.execute(_NEWEST, {"kind": kind}).one_or_none()
    return None if row is None else NewestRun(*row)


def newest_shards(connection: Connection, kind: str) -> dict[str, StageShards]:
    """Return stage -> shards of the newest run, for stages that have shards."""
    found = connection.execute(_SHARDS, {"kind": kind})
    return {row.stage: StageShards(*row) for row in found}


def count_builds(connection: Connection, alias: str) -> dict[str, int]:
    """Return state -> number of index builds for an alias."""
    found = connection.execute(
        text("SELECT state, count(*) AS n FROM builds WHERE alias = :alias GROUP BY 1"),
        {"alias": alias},
    )
    return {row.state: row.n for row in found}


def live_build(connection: Connection, alias: str) -> LiveBuild | None:
    """Return the build that an alias was last moved to; None: it never was."""
    row = connection.execute(_LIVE, {"alias": alias}).one_or_none()
    return None if row is None else LiveBuild(*row)


def last_imports(connection: Connection) -> list[LastImport]:
    """Return the last import of each kind that was done."""
    return [LastImport(*row) for row in connection.execute(_IMPORTS)]
