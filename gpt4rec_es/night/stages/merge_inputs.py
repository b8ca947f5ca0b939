"""Inputs of the merge other than hits: purchases, co-purchases, fallbacks.

They are fixed by the run's manifest and cut-off, so a night, an explanation and a replay make equal
lists.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy import Connection

from gpt4rec_es.db.rows.co_purchases import load_neighbours
from gpt4rec_es.db.rows.history import load_item_numbers
from gpt4rec_es.db.rows.lists import UserInput, load_bought, load_newest, load_popular, load_titles
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.night.inputs.co_purchases import load_item_buyers
from gpt4rec_es.night.inputs.item_vectors import load_run_vectors
from gpt4rec_es.night.inputs.rules import load_shown
from gpt4rec_es.options.lists import CO_PURCHASE, HISTORY_TITLES, Fusion
from gpt4rec_es.ranking.features import NO_BUYERS, Buyers, Candidates, find_candidates
from gpt4rec_es.ranking.fuse import fuse_sources
from gpt4rec_es.ranking.merge import merge_hits
from gpt4rec_es.ranking.merge_promoted import merge_promoted
from gpt4rec_es.ranking.outcome import Merge, QueryHits
from gpt4rec_es.ranking.promotions import NO_PROMOTIONS, Promotions
from gpt4rec_es.ranking.rankings import rank_sources
from gpt4rec_es.ranking.rules import ItemRules, ListFilter
from gpt4rec_es.ranking.scoring import Purchase, Ranking
from gpt4rec_es.ranking.vectors import NO_VECTORS, ItemVectors, Vectors
from gpt4rec_es.records import NO_NEIGHBOURS, Neighbours, SearchResult

# Function from a query's number to its hits; None: not searched.
Known: TypeAlias = Callable[[int], SearchResult | None]
_NO_ITEMS: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class MergeInputs:
    """Merge inputs of some users of one run.

    newest: the users' newest purchases, newest first; sources derive candidates from them. titles:
    query numbers of these items' titles, if titles are a source.
    """

    k: int
    fusion: Fusion
    excluded: dict[int, frozenset[int]]
    popular: Sequence[int]
    newest: Mapping[int, list[int]]
    neighbours: Mapping[int, Neighbours]
    titles: dict[int, int]
    rules: ItemRules | None
    shown: dict[int, frozenset[int]]
    buyers: Buyers = NO_BUYERS
    promotions: Promotions = NO_PROMOTIONS
    vectors: Vectors = NO_VECTORS

    def merge(
        self,
        user: UserInput,
        of_query: Known,
        of_title: Known,
        *,
        keep_removed: bool = False,
    ) -> Merge:
        """Return one user's merge from the hits loaded so far; it may request deeper ones.

        of_query, of_title: functions from a number to the hits of a generated query or a title.
        """
        queries = self.query_hits(user, of_query)
        last = None if user.last_query_no is None else of_title(user.last_query_no)
        excluded = self.excluded.get(user.user_no, _NO_ITEMS)
        list_filter = self.list_filter(user)
        if self.fusion.is_plain and self.promotions and list_filter is not None:
            return merge_promoted(
                queries,
                self.k,
                self.promotions,
                excluded,
                last_title=last,
                popular=self.popular,
                list_filter=list_filter,
                keep_removed=keep_removed,
            )
        if self.fusion.is_plain:
            return merge_hits(
                queries,
                self.k,
                excluded,
                last_title=last,
                popular=self.popular,
                list_filter=list_filter,
                keep_removed=keep_removed,
            )
        return fuse_sources(
            queries,
            self.purchases(user, of_title),
            self.k,
            self.fusion,
            excluded,
            last_title=last,
            popular=self.popular,
            list_filter=list_filter,
            keep_removed=keep_removed,
            buyers=self.buyers,
            n_bought=user.n_bought,
            promotions=self.promotions,
            scorer=self.vectors.scorer(user.user_no),
        )

    def candidates(self, user: UserInput, of_query: Known, of_title: Known) -> Candidates:
        """Return the candidates of a learned fusion, with their features."""
        return find_candidates(
            self.query_hits(user, of_query),
            self.purchases(user, of_title),
            self.fusion,
            self.excluded.get(user.user_no, _NO_ITEMS),
            self.buyers,
            user.n_bought,
            self.rules.list_filter() if self.rules else None,
            self.vectors.scorer(user.user_no),
        )

    def rankings(
        self, user: UserInput, of_query: Known, of_title: Known
    ) -> list[tuple[float, Ranking]]:
        """Return the weighted rankings that ``merge`` adds up; empty: nothing is fused."""
        if self.fusion.is_plain:
            return []
        return rank_sources(
            self.query_hits(user, of_query),
            self.purchases(user, of_title),
            self.k,
            self.fusion,
            self.excluded.get(user.user_no, _NO_ITEMS),
            list_filter=self.list_filter(user),
            buyers=self.buyers,
            n_bought=user.n_bought,
            scorer=self.vectors.scorer(user.user_no),
        )

    def list_filter(self, user: UserInput) -> ListFilter | None:
        """Return a new filter for the user's list; None: the run has no rules."""
        if self.rules is None:
            return None
        return self.rules.list_filter(self.shown.get(user.user_no, _NO_ITEMS))

    def title_queries(self, user: UserInput) -> list[int]:
        """Return the query numbers of the user's newest bought titles."""
        newest = self.newest.get(user.user_no, ())
        return [self.titles[item_no] for item_no in newest if item_no in self.titles]

    def query_hits(
        self, user: UserInput, of_query: Known, *, with_removed: bool = False
    ) -> list[QueryHits]:
        """Return the hits of the user's generated queries, without those that filters remove.

        with_removed: also those, if they were searched.
        """
        return [
            QueryHits(rank, result)
            for rank, number in enumerate(user.query_nos or (), start=1)
            if (with_removed or number not in user.removed)
            and (result := of_query(number)) is not None
        ]

    def purchases(self, user: UserInput, of_title: Known) -> list[Purchase]:
        """Return the user's newest purchases, newest first, with the hits of their titles."""
        purchases = []
        for item_no in self.newest.get(user.user_no, ()):
            neighbours = self.neighbours.get(item_no, NO_NEIGHBOURS)
            query_no = self.titles.get(item_no)
            title = None if query_no is None else of_title(query_no)
            purchases.append(Purchase(item_no, neighbours, title))
        return purchases


def load_merge_inputs(
    connection: Connection,
    run: Run,
    user_nos: Sequence[int],
    rules: ItemRules | None,
    items: ItemVectors | None = None,
) -> MergeInputs:
    """Return the merge inputs of these users, as frozen by the run, with the run's ``rules``.

    items: the run's item vectors, if they are loaded already.
    """
    fusion = Fusion.from_dict(run.manifest.get("fusion"))
    newest = {} if fusion.is_plain else _newest(connection, run, user_nos, fusion.history)
    vectors = NO_VECTORS
    if fusion.uses_reranker:
        vectors = load_run_vectors(connection, run, user_nos, items)
    bought = load_bought(connection, run, user_nos)
    shown = load_shown(connection, run, user_nos)
    return inputs_of_purchases(connection, run, bought, newest, vectors, rules, shown)


def inputs_of_purchases(
    connection: Connection,
    run: Run,
    bought: dict[int, frozenset[int]],
    newest: dict[int, list[int]],
    vectors: Vectors,
    rules: ItemRules | None,
    shown: dict[int, frozenset[int]],
) -> MergeInputs:
    """Return the merge inputs by the run's recipe of users with these purchases.

    newest: newest first; vectors: of the run's items and these users.
    """
    fusion = Fusion.from_dict(run.manifest.get("fusion"))
    most_bought = max((len(items) for items in bought.values()), default=0)
    neighbours: dict[int, Neighbours] = {}
    buyers = NO_BUYERS
    wanted = {item_no for items in newest.values() for item_no in items}
    if fusion.uses(CO_PURCHASE) and run.co_purchase_set_no is not None:
        neighbours = load_neighbours(connection, run.co_purchase_set_no, wanted)
    if fusion.method == "learned" and run.co_purchase_set_no is not None:
        buyers = load_item_buyers(connection, run.co_purchase_set_no)
    return MergeInputs(
        run.k,
        fusion,
        bought if run.manifest["exclude_bought"] else {},
        load_popular(connection, run, None if rules else run.k + most_bought),
        newest,
        neighbours,
        load_titles(connection, run, wanted) if fusion.uses(HISTORY_TITLES) else {},
        rules,
        shown,
        buyers,
        rules.promotions if rules else NO_PROMOTIONS,
        vectors,
    )


def _newest(
    connection: Connection, run: Run, user_nos: Sequence[int], most: int
) -> dict[int, list[int]]:
    """Return each user's newest purchases, newest first, as planning froze them.

    A replay may ask for more than were frozen; then they are read as they are now.
    """
    if most <= run.manifest.get("frozen_history", 0):
        frozen = load_newest(connection, run.run_no, user_nos)
        return {user: items[:most] for user, items in frozen.items()}
    histories = load_item_numbers(connection, user_nos, run.history_version)
    return {user: items[: -most - 1 : -1] for user, items in histories.items()}
