"""What a run is doing and what it did, read from the tables."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Row, text

from gpt4rec_es.db.rows import run_counts
from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.db.rows.run_counts import Count
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.night.inputs.rules import search_options_of


@dataclass(frozen=True, slots=True)
class StageStatus:
    """Progress of one stage, in shards and members; ``unit`` says what these are.

    members_per_second: since its first shard was done; None: no second one is.
    """

    stage: str
    done: int
    total: int
    shards_open: int
    leases: int
    expired_leases: int
    unit: str
    members_per_second: float | None
    eta_seconds: float | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class LeaseStatus:
    """One shard that somebody holds. seconds_left: below 0, its holder is taken for dead."""

    stage: str
    shard_no: int
    owner: str
    members: int
    attempt: int
    seconds_left: float


@dataclass(frozen=True, slots=True)
class RunStatus:
    """One run with its stages, leases, outcomes and gates; plain values, ready for JSON.

    pruned_at: since then the lists are gone. users_done: users whose lists are stored.
    eta_seconds: to the end of the stage it is in.
    """

    run_id: str
    state: str
    logical_date: dt.date
    is_published: bool
    is_pinned: bool
    pruned_at: dt.datetime | None
    cohort_size: int
    users_done: int
    users_per_second: float | None
    eta_seconds: float | None
    k: int
    generator: str
    index: str
    k1: float
    b: float
    minimum_should_match: str | None
    planned_at: dt.datetime
    finished_at: dt.datetime | None
    error: str | None
    stages: list[StageStatus]
    leases: list[LeaseStatus]
    outcomes: dict[str, int]
    sources: dict[str, int]
    removed_queries: dict[str, int]
    gates: list[dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """Return all fields as plain values."""
        return asdict(self)


_STAGES = text("""
SELECT stage,
       coalesce(sum(n_members) FILTER (WHERE state = 'done'), 0) AS done,
       sum(n_members) FILTER (WHERE state <> 'split') AS total,
       count(*) FILTER (WHERE state IN ('ready', 'leased')) AS shards_open,
       count(*) FILTER (WHERE state = 'leased' AND lease_until >= clock_timestamp()) AS leases,
       count(*) FILTER (WHERE state = 'leased' AND lease_until < clock_timestamp()) AS expired,
       extract(epoch FROM clock_timestamp() - min(finished_at))::float8 AS since_first,
       extract(epoch FROM max(finished_at) - min(finished_at))::float8 AS busy,
       coalesce((array_agg(n_members ORDER BY finished_at)
                 FILTER (WHERE state = 'done'))[1], 0) AS first_done,
       (array_agg(error ORDER BY shard_no DESC) FILTER (WHERE error IS NOT NULL))[1] AS last_error
FROM shards WHERE run_no = :run_no GROUP BY stage
ORDER BY array_position(ARRAY['generate', 'search', 'merge'], stage)
""")


_LEASES = text("""
SELECT stage, shard_no, owner, n_members AS members, attempt,
       extract(epoch FROM lease_until - clock_timestamp())::float8 AS seconds_left
FROM shards WHERE run_no = :run_no AND state = 'leased' ORDER BY seconds_left LIMIT 200
""")
_UNITS = {"generate": "prompts", "search": "queries", "merge": "users"}


def run_status(connection: Connection, run: Run) -> RunStatus:
    """Return how far ``run`` is; the counts of outcomes and sources are those of shards done."""
    stages = [_stage(row) for row in connection.execute(_STAGES, {"run_no": run.run_no})]
    leases = connection.execute(_LEASES, {"run_no": run.run_no}).mappings()
    merged = [c for c in run_counts.of_run(connection, run.run_no) if c.stage == "merge"]
    outcomes = _by_detail(merged, "users")
    merge = next((stage for stage in stages if stage.stage == "merge"), None)
    under_way = next((stage for stage in stages if stage.shards_open), None)
    build = run.manifest["build"]
    return RunStatus(
        run_id=run.run_id,
        state=run.state,
        logical_date=run.logical_date,
        is_published=run_rows.published(connection, run.kind) == run.run_no,
        is_pinned=run.is_pinned,
        pruned_at=run.pruned_at,
        cohort_size=run.cohort_size,
        users_done=sum(outcomes.values()),
        users_per_second=merge.members_per_second if merge else None,
        eta_seconds=under_way.eta_seconds if under_way else None,
        k=run.k,
        generator=run.manifest["generator"]["name"],
        index=run.index_name,
        k1=build["k1"],
        b=build["b"],
        minimum_should_match=search_options_of(run.manifest).minimum_should_match,
        planned_at=run.planned_at,
        finished_at=run.finished_at,
        error=run.error,
        stages=stages,
        leases=[LeaseStatus(**lease) for lease in leases],
        outcomes=outcomes,
        sources=_by_detail(merged, "listed"),
        removed_queries=_removed_queries(connection, run),
        gates=_gates(connection, run),
    )


def _stage(row: Row[Any]) -> StageStatus:
    elapsed = row.since_first if row.shards_open else row.busy
    # The time before the first shard was done is not known, so that shard does not count.
    counted = row.done - row.first_done
    speed = counted / elapsed if elapsed and counted > 0 else None
    return StageStatus(
        stage=row.stage,
        done=row.done,
        total=row.total,
        shards_open=row.shards_open,
        leases=row.leases,
        expired_leases=row.expired,
        unit=_UNITS[row.stage],
        members_per_second=speed,
        eta_seconds=(row.total - row.done) / speed if speed and row.shards_open else None,
        last_error=row.last_error,
    )


def _by_detail(counts: Iterable[Count], name: str) -> dict[str, int]:
    """Return detail -> count of the counts with this name, most first."""
    named = [(count.detail, count.n) for count in counts if count.name == name]
    return dict(sorted(named, key=lambda pair: -pair[1]))


def _removed_queries(connection: Connection, run: Run) -> dict[str, int]:
    """Return how many distinct queries the run's filters removed, by reason."""
    if run.filters_no is None:
        return {}
    found = connection.execute(
        text(
            "SELECT removal_reason AS name, count(*) AS n FROM analytics.removed_queries "
            "WHERE run_id = :run_id GROUP BY 1 ORDER BY 2 DESC"
        ),
        {"run_id": run.run_id},
    )
    return {row.name: row.n for row in found}


def _gates(connection: Connection, run: Run) -> list[dict[str, Any]]:
    found = connection.execute(
        text(
            "SELECT gate, passed, measured, required FROM gate_results "
            "WHERE run_no = :run_no ORDER BY passed, gate"
        ),
        {"run_no": run.run_no},
    )
    return [dict(row) for row in found.mappings()]


def published_age_hours(connection: Connection) -> float | None:
    """Return the hours since the last publication; None when there is none."""
    found = connection.execute(
        text(
            "SELECT extract(epoch FROM clock_timestamp() - published_at)::float8 / 3600 "
            "FROM publications WHERE kind = 'nightly'"
        )
    ).scalar_one_or_none()
    return None if found is None else float(found)
