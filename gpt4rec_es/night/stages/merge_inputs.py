"""Inputs of the merge other than hits: purchases, co-purchases, fallbacks.

They are fixed by the run's manifest and cut-off, so a night, an explanation and a replay make equal
lists.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Protocol

from gpt4rec_es.db.rows.lists import UserInput
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.options.holdback import NOTHING
from gpt4rec_es.options.lists import HISTORY_TITLES, QUERY_VECTORS, SEQUENCE, TITLE_VECTORS, Fusion
from gpt4rec_es.ranking.best_items import with_best
from gpt4rec_es.ranking.features import NO_BUYERS, Buyers, Candidates, find_candidates
from gpt4rec_es.ranking.fuse import fuse_sources
from gpt4rec_es.ranking.merge import merge_hits
from gpt4rec_es.ranking.merge_promoted import merge_promoted
from gpt4rec_es.ranking.outcome import Merge, QueryHits
from gpt4rec_es.ranking.promotions import NO_PROMOTIONS, Promotions
from gpt4rec_es.ranking.rankings import rank_sources
from gpt4rec_es.ranking.rules import ItemRules, ListFilter
from gpt4rec_es.ranking.scoring import Purchase, Ranking
from gpt4rec_es.ranking.vectors import NO_VECTORS, Vectors
from gpt4rec_es.records import NO_NEIGHBOURS, Neighbours, SearchResult


class KnownHits(Protocol):
    """Hits of texts by their number; None: not searched."""

    def of_query(self, query_no: int) -> SearchResult | None:
        """Return the hits of a generated query."""

    def of_title(self, query_no: int) -> SearchResult | None:
        """Return the hits of a bought title."""

    def near(self, query_no: int) -> SearchResult | None:
        """Return the hits of a text by vectors."""


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
        hits: KnownHits,
        *,
        keep_removed: bool = False,
    ) -> Merge:
        """Return one user's merge from the hits loaded so far; it may request deeper ones.

        A user in an arm of a holdback gets no list, or a plain merge without promotions: of the
        queries (arm paper), or of none, which is a list of popular items.
        """
        if user.arm == NOTHING:
            return Merge((), 0, 0, None)
        queries = self.query_hits(user, hits)
        last = None if user.last_query_no is None else hits.of_title(user.last_query_no)
        excluded = self.excluded.get(user.user_no, _NO_ITEMS)
        list_filter = self.list_filter(user)
        is_plain = self.fusion.is_plain or user.arm is not None
        if is_plain and user.arm is None and self.promotions and list_filter is not None:
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
        if is_plain:
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
            self.purchases(user, hits),
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

    def candidates(self, user: UserInput, hits: KnownHits) -> Candidates:
        """Return the candidates of a learned fusion, with their features."""
        return find_candidates(
            self.query_hits(user, hits),
            self.purchases(user, hits),
            self.fusion,
            self.excluded.get(user.user_no, _NO_ITEMS),
            self.buyers,
            user.n_bought,
            self.rules.list_filter() if self.rules else None,
            self.vectors.scorer(user.user_no),
        )

    def rankings(self, user: UserInput, hits: KnownHits) -> list[tuple[float, Ranking]]:
        """Return the weighted rankings that ``merge`` adds up; empty: nothing is fused."""
        if self.fusion.is_plain:
            return []
        return rank_sources(
            self.query_hits(user, hits),
            self.purchases(user, hits),
            self.k,
            self.fusion,
            self.excluded.get(user.user_no, _NO_ITEMS),
            list_filter=self.list_filter(user),
            buyers=self.buyers,
            n_bought=user.n_bought,
            scorer=self.vectors.scorer(user.user_no),
        )

    def with_best_items(self, *, every: bool = False) -> "MergeInputs":
        """Return it with the users' best items by the re-ranker, if these are a source.

        every: all items in order, not only as many as are candidates.
        """
        if not self.fusion.uses(SEQUENCE):
            return self
        most = None if every else self.fusion.candidates
        blocked = self.rules.blocked if self.rules else ()
        left_out = (self.excluded, self.shown)
        return replace(self, vectors=with_best(self.vectors, self.newest, most, left_out, blocked))

    def list_filter(self, user: UserInput) -> ListFilter | None:
        """Return a new filter for the user's list; None: the run has no rules."""
        if self.rules is None:
            return None
        return self.rules.list_filter(self.shown.get(user.user_no, _NO_ITEMS))

    def title_queries(self, user: UserInput) -> list[int]:
        """Return the query numbers of the user's newest bought titles, if words find items."""
        return self._titles(user) if self.fusion.uses(HISTORY_TITLES) else []

    def near_queries(self, user: UserInput) -> list[int]:
        """Return the query numbers of the user's texts that are searched by vectors."""
        titles = self._titles(user) if self.fusion.uses(TITLE_VECTORS) else []
        return [*titles, *(user.used_queries if self.fusion.uses(QUERY_VECTORS) else ())]

    def _titles(self, user: UserInput) -> list[int]:
        newest = self.newest.get(user.user_no, ())
        return [self.titles[item_no] for item_no in newest if item_no in self.titles]

    def query_hits(
        self, user: UserInput, hits: KnownHits, *, with_removed: bool = False
    ) -> list[QueryHits]:
        """Return the hits of the user's generated queries, without those that filters remove.

        with_removed: also those, if they were searched.
        """
        likelihoods = user.likelihoods or repeat(1.0)
        numbered = zip(user.query_nos or (), likelihoods, strict=False)
        by_vectors = self.fusion.uses(QUERY_VECTORS)
        return [
            QueryHits(rank, result, likelihood, hits.near(number) if by_vectors else None)
            for rank, (number, likelihood) in enumerate(numbered, start=1)
            if (with_removed or number not in user.removed)
            and (result := hits.of_query(number)) is not None
        ]

    def purchases(self, user: UserInput, hits: KnownHits) -> list[Purchase]:
        """Return the user's newest purchases, newest first, with the hits of their titles."""
        purchases = []
        by_words, by_vectors = (self.fusion.uses(one) for one in (HISTORY_TITLES, TITLE_VECTORS))
        for item_no in self.newest.get(user.user_no, ()):
            query_no = self.titles.get(item_no)
            purchases.append(
                Purchase(
                    item_no,
                    self.neighbours.get(item_no, NO_NEIGHBOURS),
                    hits.of_title(query_no) if query_no is not None and by_words else None,
                    hits.near(query_no) if query_no is not None and by_vectors else None,
                )
            )
        return purchases


def used_inputs(run: Run, inputs: Sequence[UserInput]) -> list[UserInput]:
    """Return the inputs with as many queries as the run's manifest uses."""
    most = run.manifest["decoding"]["num_queries"]
    if run.manifest["generator"] is None:  # also of a replay by a recipe without queries
        return [replace(u, prompt_no=None, query_nos=None, removed=frozenset()) for u in inputs]
    return [
        user if user.query_nos is None else replace(user, query_nos=user.query_nos[:most])
        for user in inputs
    ]
