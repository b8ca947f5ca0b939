"""Explain one user's list of one run from the stored rows; needs Postgres only.

The merge is repeated from the stored hits; the explanation says whether it equals the stored list.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import Any

from sqlalchemy import Connection, Engine

from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.db.rows.cohort import load_prompt, load_prompt_items
from gpt4rec_es.db.rows.filters import load_removed
from gpt4rec_es.db.rows.generations import load_beam_scores
from gpt4rec_es.db.rows.history import user_number
from gpt4rec_es.db.rows.items import load_names
from gpt4rec_es.db.rows.lists import UserInput, load_inputs
from gpt4rec_es.db.rows.rules import load_run_rules
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.db.rows.stored_lists import load_list, load_outcome
from gpt4rec_es.db.rows.texts import NO_OPTIONS, load_queries, load_searches
from gpt4rec_es.errors import UsageError
from gpt4rec_es.night.inputs.rules import load_item_rules, search_options_of
from gpt4rec_es.night.stages.merge_inputs import load_merge_inputs
from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.ranking.outcome import Merge
from gpt4rec_es.records import SearchResult


@dataclass(frozen=True, slots=True)
class Explanation:
    """Explanation of one user's list, from history to list, as JSON values."""

    user_id: str
    run_id: str
    outcome: str | None
    short_reason: str | None
    error: str | None
    n_bought: int
    history: list[dict[str, Any]]
    prompt: str | None
    search_options: dict[str, Any]
    queries: list[dict[str, Any]]
    recommendations: list[dict[str, Any]]
    removed: list[dict[str, Any]]
    rules: list[dict[str, Any]]
    equals_merge_now: bool

    def as_dict(self) -> dict[str, Any]:
        """Return all fields as plain values."""
        return asdict(self)


def explain_user(engine: Engine, user_id: str, run_id: str = "latest") -> Explanation:
    """Return the explanation of a user's list in a run (``latest``: the published run).

    Raises:
        UsageError: no such user or run, or the user is not in the run's cohort.
    """
    with engine.connect() as connection:
        run = run_rows.find(connection, run_id)
        user_no = user_number(connection, user_id)
        if user_no is None:
            raise UsageError(f"There is no user {user_id!r}.", "Use an id from the imported files.")
        inputs = load_inputs(connection, run, [user_no])
        if not inputs:
            raise UsageError(
                f"User {user_id!r} is not in run {run.run_id}.",
                "The user was imported after planning, or the run was pruned.",
            )
        return _explain(connection, run, user_id, inputs[0])


def _explain(connection: Connection, run: Run, user_id: str, user: UserInput) -> Explanation:
    stored = [asdict(row) for row in load_list(connection, run.run_no, user.user_no)]
    outcome = load_outcome(connection, run.run_no, user.user_no)
    rules = load_item_rules(connection, run)
    merge_inputs = load_merge_inputs(connection, run, [user.user_no], rules)
    results = _deepest_results(connection, run, user.query_nos or (), run.search_options_no)
    titles_asked = [*merge_inputs.title_queries(user), user.last_query_no]
    of_titles = _deepest_results(connection, run, [n for n in titles_asked if n is not None])
    merge = merge_inputs.merge(user, results.get, of_titles.get, keep_removed=True)
    again = [(rank, *pick[:1]) for rank, pick in enumerate(merge.picks, start=1)]
    names = load_names(
        connection,
        {n for r in (*results.values(), *of_titles.values()) for n in r.item_nos}
        | {row[key] for row in stored for key in ("item_no", "from_item_no")} - {None},
    )
    titles = {item_no: name._asdict() for item_no, name in names.items()}
    return Explanation(
        user_id=user_id,
        run_id=run.run_id,
        outcome=outcome.outcome.value if outcome else None,
        short_reason=outcome.short_reason if outcome else None,
        error=outcome.error if outcome else None,
        n_bought=user.n_bought,
        history=[
            item._asdict()
            for item in load_prompt_items(connection, run.run_no, user.user_no, run.history_version)
        ],
        prompt=load_prompt(connection, user.prompt_no),
        search_options=search_options_of(run.manifest).as_dict(),
        queries=_queries(connection, run, user, results, stored, titles),
        recommendations=[
            {**_external(row, titles), "contributions": contributions}
            for row, contributions in zip_longest(
                stored, _contributions(merge_inputs.fusion, merge)[: len(stored)]
            )
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
        rules=_rules(connection, run, merge),
        equals_merge_now=again == [(row["rank"], row["item_no"]) for row in stored],
    )


def _deepest_results(
    connection: Connection, run: Run, query_nos: Sequence[int], options_no: int = NO_OPTIONS
) -> dict[int, SearchResult]:
    """Return the hits of these queries by search options, to the maximum depth of this run."""
    results: dict[int, SearchResult] = {}
    for depth in run.manifest["depth_ladder"]:
        results |= load_searches(connection, run.build_no, depth, query_nos, options_no)
    return results


def _rules(connection: Connection, run: Run, merge: Merge) -> list[dict[str, Any]]:
    """Return the rules that removed items from this list, with the number of items."""
    counts = Counter(merge.ruled_out.values())
    return [
        {**rule, "removed": counts[str(rule["rule"])]}
        for rule in load_run_rules(connection, run.run_no)
        if counts[str(rule["rule"])]
    ]


def _queries(
    connection: Connection,
    run: Run,
    user: UserInput,
    results: dict[int, SearchResult],
    stored: list[dict[str, Any]],
    titles: dict[int, dict[str, Any]],
) -> list[dict[str, Any]]:
    beam_scores = load_beam_scores(connection, user.prompt_no, run.content_hash, run.decoding_no)
    numbers = user.query_nos or ()
    removed = load_removed(connection, run.filters_no, numbers)
    explained = []
    for rank, (number, query) in enumerate(
        zip(numbers, load_queries(connection, numbers), strict=True), start=1
    ):
        result = None if number in removed else results.get(number)
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
                "top_hits": [titles[n] for n in item_nos[:3]],
            }
        )
    return explained


def _external(row: dict[str, Any], titles: dict[int, dict[str, Any]]) -> dict[str, Any]:
    shown = {key: value for key, value in row.items() if key not in {"item_no", "from_item_no"}}
    from_item = titles.get(row["from_item_no"])
    return {"rank": shown.pop("rank"), **titles[row["item_no"]], **shown, "from_item": from_item}


def _contributions(fusion: Fusion, merge: Merge) -> list[dict[str, float]]:
    """Return the parts of the fused score of each pick that has one."""
    return [
        dict(zip(fusion.parts, contributions, strict=True)) for contributions in merge.contributions
    ]
