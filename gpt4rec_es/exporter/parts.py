"""What is exported, part by part: one statement each, cheap at a million users, few series.

Nothing here reads a table with a row per user: a scrape every 15 seconds must not be felt. No label
has an unlimited number of values. Counters are taken from rows that are never deleted, so they
only grow; what concerns one night is a gauge about the newest run.
"""

from functools import partial
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from sqlalchemy import Connection, text

from gpt4rec_es.db import run_counts
from gpt4rec_es.db.runs import UNFINISHED
from gpt4rec_es.exporter.collector import Part
from gpt4rec_es.records import Outcome

KIND = "nightly"
STAGES = ("generate", "search", "merge")
RUN_STATES = (*UNFINISHED, "published", "rejected", "failed", "cancelled", "superseded")
BUILD_STATES = ("building", "ready", "failed", "deleted")
SHARD_STATES = ("ready", "leased", "expired", "done", "split")
# Error classes are few, but nothing makes sure of it.
_MOST_ERRORS = 30


def all_parts(alias: str) -> dict[str, Part]:
    """Return part name -> how to read it; ``alias`` is that of the live index."""
    return {
        "publication": publication,
        "runs": runs,
        "newest_run": newest_run,
        "shards": shards,
        "gates": gates,
        "work": work,
        "builds": partial(builds, alias=alias),
        "imports": imports,
        "database": database,
    }


def publication(connection: Connection) -> list[Metric]:
    """Return which run readers see and since when; nothing while there is none."""
    row = connection.execute(_PUBLICATION, {"kind": KIND}).one_or_none()
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
    return [run, *(_gauge(name, *what) for name, what in gauges.items())]


_PUBLICATION = text("""
SELECT r.run_id, r.run_no, r.cohort_size, extract(epoch FROM p.published_at) AS published_at,
       extract(epoch FROM r.planned_at) AS planned_at,
       extract(epoch FROM r.finished_at - r.planned_at) AS seconds
FROM publications AS p JOIN runs AS r USING (run_no) WHERE p.kind = :kind
""")


def runs(connection: Connection) -> list[Metric]:
    """Return how many runs there are by state."""
    found = connection.execute(
        text("SELECT state, count(*) AS n FROM runs WHERE kind = :kind GROUP BY 1"), {"kind": KIND}
    )
    counts = {row.state: row.n for row in found}
    return [
        _by("gpt4rec_runs", "Runs by state.", "state", {s: counts.get(s, 0) for s in RUN_STATES})
    ]


def newest_run(connection: Connection) -> list[Metric]:
    """Return what the newest run is doing; nothing while there is none."""
    row = connection.execute(_NEWEST, {"kind": KIND}).one_or_none()
    if row is None:
        return []
    info = GaugeMetricFamily(
        "gpt4rec_newest_run_info", "The newest run.", labels=["run_id", "code"]
    )
    info.add_metric([row.run_id, row.code_version], 1.0)
    states = {state: int(state == row.state) for state in RUN_STATES}
    return [
        info,
        _by("gpt4rec_newest_run_state", "1: its state.", "state", states),
        _gauge("gpt4rec_newest_run_users", "Users it recommends for.", row.cohort_size),
        _gauge("gpt4rec_newest_run_planned_timestamp_seconds", "Its start.", row.planned_at),
        _gauge(
            "gpt4rec_newest_run_duration_seconds",
            "From its start to its end, or to now.",
            row.seconds,
        ),
        _gauge("gpt4rec_newest_run_finished", "1: nothing is left to do for it.", row.is_finished),
    ]


_NEWEST = text("""
SELECT run_id, state, code_version, cohort_size, extract(epoch FROM planned_at) AS planned_at,
       (finished_at IS NOT NULL)::int AS is_finished,
       extract(epoch FROM coalesce(finished_at, clock_timestamp()) - planned_at) AS seconds
FROM runs WHERE kind = :kind ORDER BY run_no DESC LIMIT 1
""")


def shards(connection: Connection) -> list[Metric]:
    """Return the newest run's shards by stage and state, and how many of their members are done."""
    rows = {row.stage: row for row in connection.execute(_SHARDS, {"kind": KIND})}
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
        row = rows.get(stage)
        for state in SHARD_STATES:
            by_state.add_metric([stage, state], float(getattr(row, state, 0)))
        members.add_metric([stage], float(row.members if row else 0))
        done.add_metric([stage], float(row.members_done if row else 0))
    last = max((row.last_done for row in rows.values() if row.last_done is not None), default=None)
    workers = sum(row.owners for row in rows.values())
    found: list[Metric] = [by_state, members, done]
    if last is not None:
        found.append(_gauge("gpt4rec_newest_run_last_shard_timestamp_seconds", "Last done.", last))
    return [*found, _gauge("gpt4rec_busy_workers", "Workers that hold a live lease.", workers)]


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
       extract(epoch FROM max(finished_at)) AS last_done
FROM shards
WHERE run_no = (SELECT run_no FROM runs WHERE kind = :kind ORDER BY run_no DESC LIMIT 1)
GROUP BY stage
""")


def gates(connection: Connection) -> list[Metric]:
    """Return what the gates said when a run was last checked."""
    passed = GaugeMetricFamily(
        "gpt4rec_gate_passed", "1: the gate let the last checked run pass.", labels=["gate"]
    )
    for row in connection.execute(_GATES):
        passed.add_metric([row.gate], float(row.passed))
    return [passed]


_GATES = text("""
SELECT gate, passed FROM gate_results
WHERE run_no = (SELECT run_no FROM gate_results ORDER BY run_no DESC LIMIT 1) ORDER BY gate
""")


def work(connection: Connection) -> list[Metric]:
    """Return counters of all work ever done by nights, whichever process did it."""
    counted = run_counts.totals(connection)

    def of(name: str) -> dict[tuple[str, str], int]:
        return {(c.stage, c.detail): c.n for c in counted if c.name == name}

    users = {detail: n for (_, detail), n in of("users").items()}
    outcomes = {outcome.value: users.get(outcome.value, 0) for outcome in Outcome}
    searches, takeovers, done = of("searches"), of("takeovers"), of("members")
    return [
        _counter("gpt4rec_users", "Users done, by outcome.", "outcome", outcomes),
        _counter("gpt4rec_stage_members", "Prompts, queries, users done.", "stage", _stages(done)),
        _counter("gpt4rec_tokens_generated", "Tokens of all hypotheses.", "", _sum(of("tokens"))),
        _counter("gpt4rec_queries_generated", "Queries generated.", "", _sum(of("queries"))),
        _counter(
            "gpt4rec_searches", "Texts searched for.", "stage", _stages(searches, "search", "merge")
        ),
        _counter("gpt4rec_lease_takeovers", "Shards taken over.", "stage", _stages(takeovers)),
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
    # In order of name: which classes are shown must not change as counts grow.
    for (stage, error), n in sorted(counts.items())[:_MOST_ERRORS]:
        errors.add_metric([stage, error], n)
    for stage in STAGES:
        rest = [n for (of, _), n in sorted(counts.items())[_MOST_ERRORS:] if of == stage]
        errors.add_metric([stage, "other"], sum(rest))
    return errors


def builds(connection: Connection, alias: str) -> list[Metric]:
    """Return builds by state, and what is live, of what age and how far behind the catalog."""
    found = connection.execute(
        text("SELECT state, count(*) AS n FROM builds WHERE alias = :alias GROUP BY 1"),
        {"alias": alias},
    )
    counts = {row.state: row.n for row in found}
    states = {state: counts.get(state, 0) for state in BUILD_STATES}
    metrics: list[Metric] = [_by("gpt4rec_builds", "Index builds by state.", "state", states)]
    row = connection.execute(_LIVE, {"alias": alias}).one_or_none()
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
    return metrics + [_gauge(name, *what) for name, what in gauges.items()]


_LIVE = text("""
SELECT b.build_no, b.document_count, b.k1, b.b, extract(epoch FROM b.ready_at) AS ready_at,
       (SELECT catalog_version FROM catalog_state) - b.catalog_version AS lag
FROM alias_swaps AS s JOIN builds AS b ON b.build_no = s.to_build_no
WHERE s.alias = :alias ORDER BY s.swap_no DESC LIMIT 1
""")


def imports(connection: Connection) -> list[Metric]:
    """Return the last import of each kind that was done, and how many failed."""
    done = GaugeMetricFamily(
        "gpt4rec_last_import_timestamp_seconds", "End of the last import done.", labels=["kind"]
    )
    rejected = GaugeMetricFamily(
        "gpt4rec_last_import_rejected_records", "Records it set aside.", labels=["kind"]
    )
    records = GaugeMetricFamily("gpt4rec_last_import_records", "Records it read.", labels=["kind"])
    for row in connection.execute(_IMPORTS):
        done.add_metric([row.kind], float(row.finished_at))
        rejected.add_metric([row.kind], float(row.rejected))
        records.add_metric([row.kind], float(row.records))
    return [done, rejected, records]


_IMPORTS = text("""
SELECT DISTINCT ON (kind) kind, extract(epoch FROM finished_at) AS finished_at,
       coalesce(rejected, 0) AS rejected, coalesce(records, 0) AS records
FROM imports WHERE state = 'done' ORDER BY kind, import_no DESC
""")


def database(connection: Connection) -> list[Metric]:
    """Return how large the database is."""
    size = connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
    return [_gauge("gpt4rec_database_size_bytes", "Size of the database.", size)]


def _gauge(name: str, help_text: str, value: Any) -> Metric:
    return GaugeMetricFamily(name, help_text, float(value))


def _by(name: str, help_text: str, label: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, help_text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], float(value))
    return family


def _counter(name: str, help_text: str, label: str, values: dict[str, int]) -> Metric:
    """Return a counter by ``label``; label "" is one without labels, its value under ""."""
    family = CounterMetricFamily(name, help_text, labels=[label] if label else [])
    for key, value in values.items():
        family.add_metric([key] if label else [], value)
    return family
