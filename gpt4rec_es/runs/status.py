"""What a run is doing and what it did, read from the tables."""

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, text

from gpt4rec_es.db import runs as run_rows
from gpt4rec_es.db.runs import Run


@dataclass(frozen=True, slots=True)
class StageStatus:
    """Progress of one stage, in members (prompts, queries, users) and shards."""

    stage: str
    done: int
    total: int
    shards_open: int
    leases: int
    expired_leases: int
    members_per_second: float | None
    eta_seconds: float | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class RunStatus:
    """One run with its stages, outcomes and gates; plain values, ready for JSON."""

    run_id: str
    state: str
    logical_date: dt.date
    is_published: bool
    cohort_size: int
    k: int
    generator: str
    index: str
    k1: float
    b: float
    planned_at: dt.datetime
    finished_at: dt.datetime | None
    error: str | None
    stages: list[StageStatus]
    outcomes: dict[str, int]
    sources: dict[str, int]
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
       (array_agg(error ORDER BY shard_no DESC) FILTER (WHERE error IS NOT NULL))[1] AS last_error
FROM shards WHERE run_no = :run_no GROUP BY stage
ORDER BY array_position(ARRAY['generate', 'search', 'merge'], stage)
""")


def run_status(connection: Connection, run: Run) -> RunStatus:
    """Return how far ``run`` is; the counts of outcomes and sources are those stored so far."""
    stages = []
    for row in connection.execute(_STAGES, {"run_no": run.run_no}):
        elapsed = row.since_first if row.shards_open else row.busy
        speed = row.done / elapsed if elapsed else None
        stages.append(
            StageStatus(
                stage=row.stage,
                done=row.done,
                total=row.total,
                shards_open=row.shards_open,
                leases=row.leases,
                expired_leases=row.expired,
                members_per_second=speed,
                eta_seconds=(row.total - row.done) / speed if speed and row.shards_open else None,
                last_error=row.last_error,
            )
        )
    build = run.manifest["build"]
    return RunStatus(
        run_id=run.run_id,
        state=run.state,
        logical_date=run.logical_date,
        is_published=run_rows.published(connection, run.kind) == run.run_no,
        cohort_size=run.cohort_size,
        k=run.k,
        generator=run.manifest["generator"]["name"],
        index=run.index_name,
        k1=build["k1"],
        b=build["b"],
        planned_at=run.planned_at,
        finished_at=run.finished_at,
        error=run.error,
        stages=stages,
        outcomes=_counts(connection, run, "user_outcomes", "outcome"),
        sources=_counts(connection, run, "recommendations", "source"),
        gates=_gates(connection, run),
    )


def _counts(connection: Connection, run: Run, table: str, column: str) -> dict[str, int]:
    found = connection.execute(
        text(
            f"SELECT {column} AS name, count(*) AS n FROM {table} "  # noqa: S608 - names from above
            "WHERE run_no = :run_no GROUP BY 1 ORDER BY 2 DESC"
        ),
        {"run_no": run.run_no},
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
