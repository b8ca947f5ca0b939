"""Which run readers see, what the newest one is doing and what its gates said.

These are gauges about one night: they may fall again. Rows of runs and shards are read, never of
users.
"""

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from sqlalchemy import Connection, text

from gpt4rec_es.db.rows import run_counts
from gpt4rec_es.db.rows.runs import STAGES, UNFINISHED
from gpt4rec_es.exporter.collector import counter, gauge, gauges_by
from gpt4rec_es.records import Outcome

_KIND = "nightly"
_RUN_STATES = (*UNFINISHED, "published", "rejected", "failed", "cancelled", "superseded")
_SHARD_STATES = ("ready", "leased", "expired", "done", "split")


def publication(connection: Connection) -> list[Metric]:
    """Return which run readers see and since when; nothing while there is none."""
    row = connection.execute(_PUBLICATION, {"kind": _KIND}).one_or_none()
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


_PUBLICATION = text("""
SELECT r.run_id, r.run_no, r.cohort_size, extract(epoch FROM p.published_at) AS published_at,
       extract(epoch FROM r.planned_at) AS planned_at,
       extract(epoch FROM r.finished_at - r.planned_at) AS seconds
FROM publications AS p JOIN runs AS r USING (run_no) WHERE p.kind = :kind
""")


def runs(connection: Connection) -> list[Metric]:
    """Return how many runs there are by state."""
    found = connection.execute(
        text("SELECT state, count(*) AS n FROM runs WHERE kind = :kind GROUP BY 1"), {"kind": _KIND}
    )
    counts = {row.state: row.n for row in found}
    return [
        gauges_by(
            "gpt4rec_runs", "Runs by state.", "state", {s: counts.get(s, 0) for s in _RUN_STATES}
        )
    ]


def newest_run(connection: Connection) -> list[Metric]:
    """Return what the newest run is doing; nothing while there is none."""
    row = connection.execute(_NEWEST, {"kind": _KIND}).one_or_none()
    if row is None:
        return []
    info = GaugeMetricFamily(
        "gpt4rec_newest_run_info", "The newest run.", labels=["run_id", "code"]
    )
    info.add_metric([row.run_id, row.code_version], 1.0)
    states = {state: int(state == row.state) for state in _RUN_STATES}
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


_NEWEST = text("""
SELECT run_id, state, code_version, cohort_size, extract(epoch FROM planned_at) AS planned_at,
       (finished_at IS NOT NULL)::int AS is_finished,
       extract(epoch FROM coalesce(finished_at, clock_timestamp()) - planned_at) AS seconds
FROM runs WHERE kind = :kind ORDER BY run_no DESC LIMIT 1
""")


def shards(connection: Connection) -> list[Metric]:
    """Return the newest run's shards by stage and state, and how many of their members are done."""
    rows = {row.stage: row for row in connection.execute(_SHARDS, {"kind": _KIND})}
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
        for state in _SHARD_STATES:
            by_state.add_metric([stage, state], float(getattr(row, state, 0)))
        members.add_metric([stage], float(row.members if row else 0))
        done.add_metric([stage], float(row.members_done if row else 0))
    last = max((row.last_done for row in rows.values() if row.last_done is not None), default=None)
    workers = sum(row.owners for row in rows.values())
    found: list[Metric] = [by_state, members, done]
    if last is not None:
        found.append(gauge("gpt4rec_newest_run_last_shard_timestamp_seconds", "Last done.", last))
    return [*found, gauge("gpt4rec_busy_workers", "Workers that hold a live lease.", workers)]


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


# Error classes are few, but nothing makes sure of it.
_MOST_ERRORS = 30


def work(connection: Connection) -> list[Metric]:
    """Return counters of all work ever done by nights, whichever process did it."""
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
    # In order of name: which classes are shown must not change as counts grow.
    for (stage, error), n in sorted(counts.items())[:_MOST_ERRORS]:
        errors.add_metric([stage, error], n)
    for stage in STAGES:
        rest = [n for (of, _), n in sorted(counts.items())[_MOST_ERRORS:] if of == stage]
        errors.add_metric([stage, "other"], sum(rest))
    return errors
