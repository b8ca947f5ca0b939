"""Exported metrics by part: each part is a function from a connection to metrics.

There are gauges of one night, and counters of all work. No part reads a table with a row per user,
so that a scrape every 15 seconds costs little. No label has an
unlimited number of values.
"""

from collections.abc import Mapping
from functools import partial

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from sqlalchemy import Connection

from gpt4rec_es.db.rows import monitoring as rows
from gpt4rec_es.db.rows import run_counts
from gpt4rec_es.db.rows.gates import newest_results
from gpt4rec_es.db.rows.health import database_bytes
from gpt4rec_es.db.rows.measures import Measured, load_newest
from gpt4rec_es.db.tables import FINISHED, STAGES, UNFINISHED
from gpt4rec_es.exporter.collector import Part, counter, gauge, gauges_by
from gpt4rec_es.exporter.quality import quality
from gpt4rec_es.records import Outcome

_KIND = "nightly"
_BUILD_STATES = ("building", "ready", "failed", "deleted")
_SHARD_STATES = ("ready", "leased", "expired", "done", "split")
# Limits the number of error classes shown.
_MOST_ERRORS = 30


def publication(connection: Connection) -> list[Metric]:
    """Return the published run and its time of publication; no metrics without one."""
    row = rows.publication(connection, _KIND)
    if row is None:
        return []
    run = GaugeMetricFamily(
        "gpt4rec_published_run_info", "The run that readers see.", labels=["run_id"]
    )
    run.add_metric([row.run_id], 1.0)
    gauges = {
        "gpt4rec_published_timestamp_seconds": ("When readers got it.", row.published_at),
        "gpt4rec_published_run_planned_timestamp_seconds": ("When it was planned.", row.planned_at),
        "gpt4rec_published_run_duration_seconds": ("From its start to its end.", row.seconds),
        "gpt4rec_published_run_number": ("Its number; a lower one is a rollback.", row.run_no),
        "gpt4rec_published_run_users": ("Users it recommends for.", row.cohort_size),
    }
    return [run, *(gauge(name, *what) for name, what in gauges.items())]


def runs(connection: Connection) -> list[Metric]:
    """Return the number of runs by state."""
    counts = rows.count_runs(connection, _KIND)
    return [
        gauges_by(
            "gpt4rec_runs",
            "Runs by state.",
            "state",
            {s: counts.get(s, 0) for s in (*UNFINISHED, *FINISHED)},
        )
    ]


def newest_run(connection: Connection) -> list[Metric]:
    """Return state and progress of the newest run; no metrics without one."""
    row = rows.newest_run(connection, _KIND)
    if row is None:
        return []
    info = GaugeMetricFamily(
        "gpt4rec_newest_run_info", "The newest run.", labels=["run_id", "code"]
    )
    info.add_metric([row.run_id, row.code_version], 1.0)
    states = {state: int(state == row.state) for state in (*UNFINISHED, *FINISHED)}
    return [
        info,
        gauges_by("gpt4rec_newest_run_state", "1: its state.", "state", states),
        gauge("gpt4rec_newest_run_users", "Users it recommends for.", row.cohort_size),
        gauge("gpt4rec_newest_run_planned_timestamp_seconds", "Its start.", row.planned_at),
        gauge(
            "gpt4rec_newest_run_duration_seconds",
            "From its start to its end, or to now.",
            row.seconds,
        ),
        gauge("gpt4rec_newest_run_finished", "1: nothing is left to do for it.", row.is_finished),
    ]


def shards(connection: Connection) -> list[Metric]:
    """Return the newest run's shards by stage and state, and the number of finished members."""
    by_stage = rows.newest_shards(connection, _KIND)
    by_state = GaugeMetricFamily(
        "gpt4rec_newest_run_shards",
        "Shards of the newest run; expired: leased to a worker that is gone.",
        labels=["stage", "state"],
    )
    members = GaugeMetricFamily(
        "gpt4rec_newest_run_stage_members",
        "Prompts, queries or users that a stage of the newest run has to do.",
        labels=["stage"],
    )
    done = GaugeMetricFamily(
        "gpt4rec_newest_run_stage_members_done", "How many of them are done.", labels=["stage"]
    )
    for stage in STAGES:
        row = by_stage.get(stage)
        for state in _SHARD_STATES:
            by_state.add_metric([stage, state], float(getattr(row, state, 0)))
        members.add_metric([stage], float(row.members if row else 0))
        done.add_metric([stage], float(row.members_done if row else 0))
    ends = [row.last_done for row in by_stage.values() if row.last_done is not None]
    workers = sum(row.owners for row in by_stage.values())
    found: list[Metric] = [by_state, members, done]
    if ends:
        name = "gpt4rec_newest_run_last_shard_timestamp_seconds"
        found.append(gauge(name, "Last done.", max(ends)))
    return [*found, gauge("gpt4rec_busy_workers", "Workers that hold a live lease.", workers)]


def gates(connection: Connection) -> list[Metric]:
    """Return results and measures of the gates for the run checked last."""
    results = newest_results(connection)
    passed = GaugeMetricFamily(
        "gpt4rec_gate_passed", "1: the gate let the last checked run pass.", labels=["gate"]
    )
    for one in results:
        passed.add_metric([one.gate], float(one.passed))
    warned = sum(not (one.passed or one.is_blocking) for one in results)
    found = load_newest(connection)
    return [
        passed,
        gauge("gpt4rec_gate_warnings", "Gates that warn of the last checked run.", warned),
        _measures("gpt4rec_measure", "Value of the run measured last.", found, "value"),
        _measures("gpt4rec_measure_usual", "Median of the nights before it.", found, "usual"),
    ]


def _measures(name: str, meaning: str, found: Mapping[str, Measured], field: str) -> Metric:
    family = GaugeMetricFamily(name, meaning, labels=["measure"])
    for measure, one in found.items():
        if (value := getattr(one, field)) is not None:
            family.add_metric([measure], value)
    return family


def work(connection: Connection) -> list[Metric]:
    """Return counters of all work done by nights, over all processes."""
    counted = run_counts.totals(connection)

    def of(name: str) -> dict[tuple[str, str], int]:
        return {(c.stage, c.detail): c.n for c in counted if c.name == name}

    users = {detail: n for (_, detail), n in of("users").items()}
    outcomes = {outcome.value: users.get(outcome.value, 0) for outcome in Outcome}
    searches, takeovers, done = of("searches"), of("takeovers"), of("members")
    return [
        counter("gpt4rec_users", "Users done, by outcome.", "outcome", outcomes),
        counter("gpt4rec_stage_members", "Prompts, queries, users done.", "stage", _stages(done)),
        counter("gpt4rec_tokens_generated", "Tokens of all hypotheses.", "", _sum(of("tokens"))),
        counter("gpt4rec_queries_generated", "Queries generated.", "", _sum(of("queries"))),
        counter(
            "gpt4rec_searches", "Texts searched for.", "stage", _stages(searches, "search", "merge")
        ),
        counter("gpt4rec_lease_takeovers", "Shards taken over.", "stage", _stages(takeovers)),
        _errors(of("errors")),
    ]


def _sum(counts: dict[tuple[str, str], int]) -> dict[str, int]:
    return {"": sum(counts.values())}


def _stages(counts: dict[tuple[str, str], int], *stages: str) -> dict[str, int]:
    return {stage: counts.get((stage, ""), 0) for stage in stages or STAGES}


def _errors(counts: dict[tuple[str, str], int]) -> Metric:
    errors = CounterMetricFamily(
        "gpt4rec_errors", "Attempts at shards that ended in an error.", labels=["stage", "error"]
    )
    # Ordered by name: the shown classes must not change as counts grow.
    for (stage, error), n in sorted(counts.items())[:_MOST_ERRORS]:
        errors.add_metric([stage, error], n)
    for stage in STAGES:
        rest = [n for (of, _), n in sorted(counts.items())[_MOST_ERRORS:] if of == stage]
        errors.add_metric([stage, "other"], sum(rest))
    return errors


def builds(connection: Connection, alias: str) -> list[Metric]:
    """Return builds by state, and the live build's age and catalog versions behind."""
    counts = rows.count_builds(connection, alias)
    states = {state: counts.get(state, 0) for state in _BUILD_STATES}
    metrics: list[Metric] = [gauges_by("gpt4rec_builds", "Index builds by state.", "state", states)]
    row = rows.live_build(connection, alias)
    if row is None:
        return metrics
    gauges = {
        "gpt4rec_live_build_number": ("The live build.", row.build_no),
        "gpt4rec_live_build_ready_timestamp_seconds": ("When it was verified.", row.ready_at),
        "gpt4rec_live_build_documents": ("Items in it.", row.document_count),
        "gpt4rec_live_build_bm25_k1": ("Its BM25 k1.", row.k1),
        "gpt4rec_live_build_bm25_b": ("Its BM25 b.", row.b),
        "gpt4rec_live_build_catalog_lag_imports": ("Imports of items since.", row.lag),
    }
    return metrics + [gauge(name, *what) for name, what in gauges.items()]


def imports(connection: Connection) -> list[Metric]:
    """Return the last completed import of each kind, and the number of failed imports."""
    done = GaugeMetricFamily(
        "gpt4rec_last_import_timestamp_seconds", "End of the last import done.", labels=["kind"]
    )
    rejected = GaugeMetricFamily(
        "gpt4rec_last_import_rejected_records", "Records it set aside.", labels=["kind"]
    )
    records = GaugeMetricFamily("gpt4rec_last_import_records", "Records it read.", labels=["kind"])
    for row in rows.last_imports(connection):
        done.add_metric([row.kind], float(row.finished_at))
        rejected.add_metric([row.kind], float(row.rejected))
        records.add_metric([row.kind], float(row.records))
    return [done, rejected, records]


def database(connection: Connection) -> list[Metric]:
    """Return the size of the database."""
    size = database_bytes(connection)
    return [gauge("gpt4rec_database_size_bytes", "Size of the database.", size)]


def all_parts(alias: str) -> dict[str, Part]:
    """Return part name -> function that reads it; ``alias``: the alias of the live index."""
    return {
        "publication": publication,
        "runs": runs,
        "newest_run": newest_run,
        "shards": shards,
        "gates": gates,
        "work": work,
        "quality": quality,
        "builds": partial(builds, alias=alias),
        "imports": imports,
        "database": database,
    }
