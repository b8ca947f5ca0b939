"""Explain one user's list of one run from the stored rows; needs Postgres only.

The merge is repeated from the stored hits; the explanation says whether it equals the stored list.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import Any

from sqlalchemy import Connection, Engine

from gpt4rec_es.db.rows.filters import load_removed
from gpt4rec_es.db.rows.frozen_users import (
    PromptItem,
    load_newest_items,
    load_prompt,
    load_prompt_items,
)
from gpt4rec_es.db.rows.generations import load_beam_scores
from gpt4rec_es.db.rows.rules import load_run_rules
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.db.rows.texts import load_queries
from gpt4rec_es.night.inputs.rules import search_options_of
from gpt4rec_es.night.inspect.merged_again import MergedAgain, external_row, merge_again
from gpt4rec_es.records import Source


@dataclass(frozen=True, slots=True)
class Explanation:
    """Explanation of one user's list, from history to list, as JSON values.

    queries: items_given, rows whose reason the query is; listed_ranks: ranks of all listed items
    that it found among the hits that count. history: purchases in the prompt; without a prompt
    (None) the newest ones that the run froze, from which its other sources make candidates.
    left_out_pins: rules that were to pin items and lack ``places`` in this list, with the cause.
    arm: group of the run's holdback that the user is in; None: not held back.
    """

    user_id: str
    run_id: str
    outcome: str | None
    short_reason: str | None
    error: str | None
    n_bought: int
    generator: str | None
    history: list[dict[str, Any]]
    prompt: str | None
    search_options: dict[str, Any]
    queries: list[dict[str, Any]]
    recommendations: list[dict[str, Any]]
    removed: list[dict[str, Any]]
    rules: list[dict[str, Any]]
    promotions: list[dict[str, Any]]
    left_out_pins: list[dict[str, Any]]
    equals_merge_now: bool
    arm: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return all fields as plain values."""
        return asdict(self)


def explain_user(engine: Engine, user_id: str, run_id: str = "latest") -> Explanation:
    """Return the explanation of a user's list in a run (``latest``: the published run).

    Raises:
        UsageError: no such user or run, or the user is not in the run's cohort.
    """
    with engine.connect() as connection:
        return _explain(connection, merge_again(connection, user_id, run_id))


def _explain(connection: Connection, again: MergedAgain) -> Explanation:
    run, user, merge, outcome = again.run, again.user, again.merge, again.outcome
    stored = [asdict(row) for row in again.stored]
    titles = again.load_names(connection)
    return Explanation(
        user_id=again.user_id,
        run_id=run.run_id,
        outcome=outcome.outcome.value if outcome else None,
        short_reason=outcome.short_reason if outcome else None,
        error=outcome.error if outcome else None,
        n_bought=user.n_bought,
        generator=(run.manifest["generator"] or {}).get("name"),
        history=[item._asdict() for item in _history(connection, again)],
        prompt=load_prompt(connection, user.prompt_no),
        search_options=search_options_of(run.manifest).as_dict(),
        queries=_queries(connection, again, stored, titles),
        recommendations=[
            {**external_row(row, titles), "contributions": contributions}
            for row, contributions in zip_longest(stored, again.contributions()[: len(stored)])
        ],
        removed=[
            {
                "query_rank": r.query_rank,
                "hit_rank": r.hit_rank,
                "reason": r.reason,
                **titles[r.item_no],
            }
            for r in merge.removed
        ],
        rules=_rules(connection, run, merge.ruled_out, "removed"),
        promotions=_rules(connection, run, merge.promoted, "listed"),
        left_out_pins=[
            {**one._asdict(), "places": n} for one, n in Counter(merge.left_out).items()
        ],
        equals_merge_now=again.equals_stored,
        arm=user.arm,
    )


def _history(connection: Connection, again: MergedAgain) -> list[PromptItem]:
    run, user = again.run, again.user
    if user.prompt_no is not None:
        return load_prompt_items(connection, run.run_no, user.user_no, run.history_version)
    newest = load_newest_items(connection, run.run_no, user.user_no, run.history_version)
    return newest[-again.inputs.fusion.history :]  # a re-ranker may read more of them


def _rules(
    connection: Connection, run: Run, by_item: Mapping[int, str], counted: str
) -> list[dict[str, Any]]:
    """Return the rules in ``by_item`` with their number of items there as ``counted``."""
    counts = Counter(by_item.values())
    return [
        {**rule, counted: counts[str(rule["rule"])]}
        for rule in load_run_rules(connection, run.run_no)
        if counts[str(rule["rule"])]
    ]


def _queries(
    connection: Connection,
    again: MergedAgain,
    stored: list[dict[str, Any]],
    titles: dict[int, dict[str, Any]],
) -> list[dict[str, Any]]:
    run, user = again.run, again.user
    beam_scores = load_beam_scores(connection, user.prompt_no, run.content_hash, run.decoding_no)
    numbers = user.query_nos or ()
    removed = load_removed(connection, run.filters_no, numbers)
    used = again.used_hits()
    ranks = {row["item_no"]: row["rank"] for row in stored if row["source"] != Source.PINNED}
    explained = []
    for rank, (number, query) in enumerate(
        zip(numbers, load_queries(connection, numbers), strict=True), start=1
    ):
        result = None if number in removed else again.hits.of_query(number)
        item_nos = result.item_nos if result else ()
        explained.append(
            {
                "query_rank": rank,
                "query": query,
                "beam_score": beam_scores.get(rank),
                "hits": len(item_nos),
                "has_more_hits": bool(result and not result.exhausted),
                "is_empty_query": bool(result and result.is_empty_query),
                "removed_for": ": ".join(removed[number]) if number in removed else None,
                "items_given": sum(row["query_rank"] == rank for row in stored),
                "listed_ranks": sorted(
                    ranks[n] for n in item_nos[: used.get(rank, 0)] if n in ranks
                ),
                "top_hits": [titles[n] for n in item_nos[:3]],
            }
        )
    return explained
