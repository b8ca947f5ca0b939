"""One user's merge of a run, repeated from the stored rows; explanations are made of it.

Needs Postgres only: nothing is searched or generated.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.db.rows.history import user_number
from gpt4rec_es.db.rows.items import load_names
from gpt4rec_es.db.rows.lists import UserInput, UserOutcome, load_inputs
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.db.rows.stored_lists import ListedRow, load_list, load_outcome
from gpt4rec_es.db.rows.texts import NO_OPTIONS, load_searches
from gpt4rec_es.errors import UsageError
from gpt4rec_es.night.inputs.near import near_options_no
from gpt4rec_es.night.inputs.rules import load_item_rules
from gpt4rec_es.night.stages.load_merge_inputs import load_merge_inputs
from gpt4rec_es.night.stages.merge_inputs import MergeInputs
from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.ranking import trace
from gpt4rec_es.ranking.outcome import Merge
from gpt4rec_es.ranking.promotions import BOOST, NO_PROMOTIONS
from gpt4rec_es.records import SearchResult


@dataclass(frozen=True, slots=True)
class StoredHits:
    """Hits of texts by number, of the deepest stored search, see ``KnownHits``.

    queries, titles: of generated queries and bought titles by words; vectors: of both by vectors.
    """

    queries: dict[int, SearchResult]
    titles: dict[int, SearchResult]
    vectors: dict[int, SearchResult]

    def of_query(self, query_no: int) -> SearchResult | None:
        """Return the hits of a generated query."""
        return self.queries.get(query_no)

    def of_title(self, query_no: int) -> SearchResult | None:
        """Return the hits of a bought title."""
        return self.titles.get(query_no)

    def near(self, query_no: int) -> SearchResult | None:
        """Return the hits of a text by vectors."""
        return self.vectors.get(query_no)

    def all(self) -> list[SearchResult]:
        """Return the hits of all searches."""
        return [*self.queries.values(), *self.titles.values(), *self.vectors.values()]


@dataclass(frozen=True, slots=True)
class MergedAgain:
    """A user's stored list and the merge of the stored hits."""

    user_id: str
    run: Run
    user: UserInput
    stored: list[ListedRow]
    outcome: UserOutcome | None
    inputs: MergeInputs
    hits: StoredHits
    merge: Merge

    @property
    def excluded(self) -> frozenset[int]:
        """Items that the list must not have because the user bought them."""
        return self.inputs.excluded.get(self.user.user_no, frozenset())

    @property
    def equals_stored(self) -> bool:
        """Whether the merge makes the stored list."""
        picked = [pick.item_no for pick in self.merge.picks]
        return list(enumerate(picked, start=1)) == [(row.rank, row.item_no) for row in self.stored]

    def contributions(self) -> list[dict[str, float]]:
        """Return the parts of the fused score of each pick; of pinned items, none."""
        parts = (*self.inputs.fusion.parts, BOOST)  # the last only if the run has boosts
        return [dict(zip(parts, values, strict=False)) for values in self.merge.contributions]

    def used_hits(self) -> dict[int, int]:
        """Return query rank -> number of its first hits that the list used."""
        inputs, user = self.inputs, self.user
        return trace.used_hits(
            inputs.query_hits(user, self.hits),
            inputs.k,
            inputs.fusion,
            self.excluded,
            inputs.list_filter(user),
            self.merge,
        )

    def load_names(self, connection: Connection) -> dict[int, dict[str, Any]]:
        """Return item number -> id and title of all hits and listed items."""
        hits = {n for result in self.hits.all() for n in result.item_nos}
        listed = [n for row in self.stored for n in (row.item_no, row.from_item_no)]
        names = load_names(connection, hits.union(n for n in listed if n is not None))
        return {item_no: name._asdict() for item_no, name in names.items()}


def merge_again(connection: Connection, user_id: str, run_id: str) -> MergedAgain:
    """Return a user's merge in a run (``latest``: the published run).

    Raises:
        UsageError: no such user or run, or the user is not in the run's cohort.
    """
    run = run_rows.find(connection, run_id)
    user_no = user_number(connection, user_id)
    if user_no is None:
        raise UsageError(f"There is no user {user_id!r}.", "Use an id from the imported files.")
    users = load_inputs(connection, run, [user_no])
    if not users:
        raise UsageError(
            f"User {user_id!r} is not in run {run.run_id}.",
            "The user was imported after planning, or the run was pruned.",
        )
    user = users[0]
    rules = load_item_rules(connection, run)
    inputs = load_merge_inputs(connection, run, [user_no], rules)
    if user.arm is not None:
        # Its list is a plain merge, which no other source and no boost changes.
        inputs = replace(inputs, fusion=Fusion(), newest={}, titles={}, promotions=NO_PROMOTIONS)
    titles_asked = [*inputs.title_queries(user), user.last_query_no]
    near_no = near_options_no(run.manifest)
    hits = StoredHits(
        _deepest_results(connection, run, user.query_nos or (), run.search_options_no),
        _deepest_results(connection, run, [n for n in titles_asked if n is not None]),
        {}
        if near_no is None
        else _deepest_results(connection, run, inputs.near_queries(user), near_no),
    )
    return MergedAgain(
        user_id,
        run,
        user,
        load_list(connection, run.run_no, user_no),
        load_outcome(connection, run.run_no, user_no),
        inputs,
        hits,
        inputs.merge(user, hits, keep_removed=True),
    )


def external_row(row: dict[str, Any], titles: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """Return a row of a list (see ``ListedRow``) with ids and titles instead of numbers."""
    shown = {key: value for key, value in row.items() if key not in {"item_no", "from_item_no"}}
    from_item = titles.get(row["from_item_no"])
    return {"rank": shown.pop("rank"), **titles[row["item_no"]], **shown, "from_item": from_item}


def _deepest_results(
    connection: Connection, run: Run, query_nos: Sequence[int], options_no: int = NO_OPTIONS
) -> dict[int, SearchResult]:
    """Return the hits of these queries by search options, to the maximum depth of this run."""
    results: dict[int, SearchResult] = {}
    ladder = run.manifest["depth_ladder"]
    for depth in ladder:
        found = load_searches(connection, run.build_no, depth, query_nos, options_no)
        if depth == ladder[-1]:  # as the merge of a night counts it
            found = {number: replace(one, exhausted=True) for number, one in found.items()}
        results |= found
    return results
