"""Counters of all work that nights ever did, whichever process did it.

They are summed from rows that are never deleted, so they only grow.
"""

from prometheus_client.core import CounterMetricFamily, Metric
from sqlalchemy import Connection

from gpt4rec_es.db.rows import run_counts
from gpt4rec_es.db.rows.runs import STAGES
from gpt4rec_es.exporter.families import counter
from gpt4rec_es.records import Outcome

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
