"""The result of a replay, as plain values and as stored rows."""

from dataclasses import asdict, dataclass, field
from typing import Any

from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.lab.replay.diff import ListsDiff, MetricDeltas
from gpt4rec_es.lab.replay.recipe_changes import bm25_of
from gpt4rec_es.night.inputs.rules import search_options_of


@dataclass(frozen=True, slots=True)
class Replay:
    """The result of a replay; plain values, ready for JSON.

    changed: manifest entries by dotted name as [stored, replayed]. searches: number of searches
    beyond the stored ones. differing_rows: number of stored or replayed rows of recommendations and
    outcomes without an equal one on the other side; differing_users: some of these users' ids.
    lists: replayed against stored. not_applied: entries of a recipe that need other queries.
    """

    replay_no: int | None
    run_id: str
    changed: dict[str, list[Any]]
    users: int
    recommendations: int
    searches: int
    is_equal: bool
    differing_rows: int
    differing_users: list[str]
    lists: ListsDiff
    metrics: MetricDeltas | None = None
    not_applied: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return all fields as plain values."""
        return asdict(self)


def replay_row(run: Run, found: Replay, actor: str) -> dict[str, Any]:
    """Return the columns of ``replays``; ``run`` has the changes."""
    bm25 = bm25_of(run.manifest)
    return {
        "run_no": run.run_no,
        "changed": found.changed,
        "k": run.k,
        "num_queries": run.manifest["decoding"]["num_queries"],
        "k1": bm25.k1,
        "b": bm25.b,
        "exclude_bought": run.manifest["exclude_bought"],
        "minimum_should_match": search_options_of(run.manifest).minimum_should_match,
        "n_users": found.users,
        "n_recommendations": found.recommendations,
        "n_searches": found.searches,
        "differing_rows": found.differing_rows,
        "equal_lists": found.lists.equal_lists,
        "mean_jaccard": found.lists.mean_jaccard,
        "jaccard_deciles": found.lists.deciles,
        "actor": actor,
    }


def metric_rows(found: MetricDeltas | None) -> list[dict[str, Any]]:
    """Return the columns of ``replay_metrics``, one row per metric; none without a split."""
    if found is None:
        return []
    return [
        {
            "metric": one.metric,
            "split_name": found.split,
            "part": found.part,
            "n_users": found.users,
            "stored": one.a,
            "replayed": one.b,
            "gain": one.gain,
            "gain_low": one.low,
            "gain_high": one.high,
            "p_value": one.adjusted,
        }
        for one in found.metrics
    ]
