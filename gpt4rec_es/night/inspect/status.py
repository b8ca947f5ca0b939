"""Progress and results of a run, read from the tables."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection

from gpt4rec_es.db.rows import first_queries, run_counts
from gpt4rec_es.db.rows import gates as gate_rows
from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.db.rows import status as rows
from gpt4rec_es.db.rows.filters import count_removed
from gpt4rec_es.db.rows.run_counts import Count
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.db.rows.status import LeaseStatus, StageCounts
from gpt4rec_es.night.inputs.rules import search_options_of
from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.ranking.outcome import NO_PLACE


@dataclass(frozen=True, slots=True)
class StageStatus:
    """Progress of one stage, in shards and members; ``unit`` names the members.

    members_per_second: since the first shard was done; None: fewer than two are done.
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
class RunStatus:
    """One run with its stages, leases, outcomes and gates, as JSON values.

    pruned_at: time the lists were deleted. users_done: number of users with stored lists.
    eta_seconds: estimated seconds to the end of the current stage. recipe: None: the run is older
    than recipes. weights: of its sources. holdback: share of users by arm. generator,
    reranker, encoder: None: it has none.
    canary_users: users served first, None: none; canary_passed_at: None: the others do not follow.
    distinct_first_queries, top_first_query_fraction: as in rows/first_queries.py; None: not checked
    yet. left_out_pins: pin and cause -> places of lists that it was to have and has not.
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
    generator: str | None
    reranker: str | None
    encoder: str | None
    recipe: str | None
    weights: dict[str, float]
    holdback: dict[str, float]
    canary_users: int | None
    canary_passed_at: dt.datetime | None
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
    promotions: dict[str, int]
    left_out_pins: dict[str, int]
    distinct_first_queries: int | None
    top_first_query_fraction: float | None
    gates: list[dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """Return all fields as plain values."""
        return asdict(self)


_UNITS = {"generate": "prompts", "embed": "users", "search": "queries", "merge": "users"}


def run_status(connection: Connection, run: Run) -> RunStatus:
    """Return the progress of ``run``; outcomes and sources are counted over done shards."""
    stages = [_stage(counts) for counts in rows.count_by_stage(connection, run.run_no)]
    merged = [c for c in run_counts.of_run(connection, run.run_no) if c.stage == "merge"]
    outcomes = _by_detail(merged, "users")
    merge = next((stage for stage in stages if stage.stage == "merge"), None)
    under_way = next((stage for stage in stages if stage.shards_open), None)
    build = run.manifest["build"]
    firsts = first_queries.load(connection, run.run_no)
    removed = {} if run.filters_no is None else count_removed(connection, run)
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
        generator=(run.manifest["generator"] or {}).get("name"),
        reranker=run.manifest.get("reranker", {}).get("name"),
        encoder=run.manifest.get("encoder", {}).get("name"),
        recipe=run.manifest.get("recipe", {}).get("name"),
        weights=dict(Fusion.from_dict(run.manifest.get("fusion")).weights),
        holdback=run.manifest.get("holdback", {}).get("arms", {}),
        canary_users=run.canary_users,
        canary_passed_at=run.canary_passed_at,
        index=run.index_name,
        k1=build["k1"],
        b=build["b"],
        minimum_should_match=search_options_of(run.manifest).minimum_should_match,
        planned_at=run.planned_at,
        finished_at=run.finished_at,
        error=run.error,
        stages=stages,
        leases=rows.load_leases(connection, run.run_no),
        outcomes=outcomes,
        sources=_by_detail(merged, "listed"),
        removed_queries=removed,
        promotions={
            f"{name} by {rule}": n
            for name in ("pinned", "boosted")
            for rule, n in _by_detail(merged, name).items()
        },
        left_out_pins={
            f"{rule} ({cause if cause == NO_PLACE else f'excluded by {cause}'})": n
            for detail, n in _by_detail(merged, "unpinned").items()
            for rule, cause in [detail.split(", ", 1)]
        },
        distinct_first_queries=firsts.distinct if firsts else None,
        top_first_query_fraction=firsts.top_fraction if firsts else None,
        gates=[asdict(gate) for gate in gate_rows.load(connection, run.run_no)],
    )


def _stage(counts: StageCounts) -> StageStatus:
    elapsed = counts.since_first if counts.shards_open else counts.busy
    # The start of the first shard is not known, so that shard is left out of the rate.
    speed = counts.timed / elapsed if elapsed and counts.timed > 0 else None
    return StageStatus(
        stage=counts.stage,
        done=counts.done,
        total=counts.total,
        shards_open=counts.shards_open,
        leases=counts.leases,
        expired_leases=counts.expired_leases,
        unit=_UNITS[counts.stage],
        members_per_second=speed,
        eta_seconds=(counts.total - counts.done) / speed if speed and counts.shards_open else None,
        last_error=counts.last_error,
    )


def _by_detail(counts: Iterable[Count], name: str) -> dict[str, int]:
    """Return detail -> count of the counts with this name, most first."""
    named = [(count.detail, count.n) for count in counts if count.name == name]
    return dict(sorted(named, key=lambda pair: -pair[1]))
