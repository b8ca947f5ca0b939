"""The lists that a night would make of each case: candidate sources fused, then the fallbacks.

The night's own fusing and merging, on co-purchases counted in the training part alone.
"""

from array import array
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TypedDict

import numpy as np

from gpt4rec_es.lab.baselines.popularity import count_buyers
from gpt4rec_es.lab.evaluation.catalog import EvaluationCatalog
from gpt4rec_es.lab.evaluation.query_lists import Cell, Search, make_lists
from gpt4rec_es.lab.splits.histories import each_once
from gpt4rec_es.metrics.lists import Lists
from gpt4rec_es.options.lists import ANY_TERM, Fusion, SearchOptions
from gpt4rec_es.prompts.keys import normalise_query
from gpt4rec_es.protocols import Progress, no_progress
from gpt4rec_es.ranking.fuse import fuse_sources
from gpt4rec_es.ranking.merge import Merge, QueryHits, merge_hits
from gpt4rec_es.ranking.neighbours import Purchases, strongest
from gpt4rec_es.ranking.rules import ItemRules, Screen
from gpt4rec_es.ranking.voices import Purchase
from gpt4rec_es.records import NO_NEIGHBOURS, Neighbours, SearchResult


class ProductLists:
    """Makes product lists by one fusion; what it counts in training is counted once."""

    def __init__(
        self,
        catalog: EvaluationCatalog,
        train: Mapping[int, Sequence[int]],
        fusion: Fusion,
        *,
        steps: Mapping[int, Sequence[int]] | None = None,
        options: SearchOptions = ANY_TERM,
        rules: ItemRules | None = None,
        may_search: Callable[[str], bool] = bool,
    ) -> None:
        """Take what may be learned from, by user.

        steps: numbers of the moments of these purchases; of users without, each is its own.
        options: how generated queries are searched for. rules: that every list keeps. may_search:
        whether a bought title may serve as a query.
        """
        self._catalog, self._fusion, self._rules = catalog, fusion, rules
        self._options = options
        self._titles = {
            item: normalise_query(title)
            for item, title in catalog.titles.items()
            if may_search(title)
        }
        buyers = count_buyers(train.values())
        ids = catalog.item_ids
        self._popular = sorted(
            catalog.active & buyers.keys(), key=lambda item: (-buyers[item], ids[item].encode())
        )
        self._neighbours: dict[int, Neighbours] = {}
        if fusion.uses("co_purchase"):
            self._neighbours = dict(_neighbours(catalog, train, steps or {}, fusion))

    def lists(
        self,
        queries: Sequence[Sequence[str]],
        histories: Sequence[Sequence[int]],
        cells: Sequence[Cell],
        progress: Progress = no_progress,
        *,
        removed: Collection[str] = frozenset(),
    ) -> dict[Cell, Lists]:
        """Return the lists of every cell (length, number of queries); progress counts users.

        removed: queries that filters keep from being searched for; their ranks stay empty.
        """
        most = max(m for _, m in cells)
        titles = self._titles
        newest = [each_once(history)[::-1] for history in histories]
        lasts = [next((titles[item] for item in own if item in titles), None) for own in newest]
        asked, spoken = [], []
        for written, own, last in zip(queries, newest, lasts, strict=True):
            speak = own[: self._fusion.history] if self._fusion.uses("titles") else ()
            found = [titles[item] for item in speak if item in titles]
            asked.append([text for text in written[:most] if text not in removed])
            spoken.append([*found, *([last] if last else ())])

        def make(
            user: int, of_query: Search, of_title: Search
        ) -> list[tuple[Cell, Sequence[int]]] | None:
            hits = [
                QueryHits(rank, of_query(text))
                for rank, text in enumerate(queries[user][:most], start=1)
                if text not in removed
            ]
            last = lasts[user]
            purchases = self._purchases(newest[user], titles, of_title)
            made: list[tuple[Cell, Sequence[int]]] = []
            for m in sorted({m for _, m in cells}):
                of_m = _ListsOfUser(
                    self._fusion,
                    [one for one in hits if one.query_rank <= m],
                    purchases,
                    frozenset(newest[user]),
                    None if last is None else of_title(last),
                    self._popular,
                    self._rules,
                )
                lengths = sorted((k for k, one in cells if one == m), reverse=True)
                try:
                    made += [((k, m), items) for k, items in of_m.of_lengths(lengths)]
                except _TooShallowError:
                    return None
            return made

        return make_lists(
            self._catalog,
            asked,
            histories,
            cells,
            make,
            titles=spoken,
            options=self._options,
            least_depth=1 if self._fusion.is_plain else self._fusion.candidates,
            deepens=self._rules is not None,
            progress=progress,
        )

    def _purchases(
        self, newest: Sequence[int], titles: Mapping[int, str], search: Search
    ) -> list[Purchase]:
        """Return the newest purchases with what they speak for, newest first."""
        has_titles = self._fusion.uses("titles")
        return [
            Purchase(
                item,
                self._neighbours.get(item, NO_NEIGHBOURS),
                search(titles[item]) if has_titles and item in titles else None,
            )
            for item in newest[: self._fusion.history]
        ]


class _Fallbacks(TypedDict):
    """What both ways to merge take besides hits."""

    last_title: SearchResult | None
    popular: Sequence[int]
    screen: Screen | None


class _TooShallowError(Exception):
    """Rules refused so many hits that deeper ones are needed."""


class _ListsOfUser:
    """One user's lists of several lengths from the same hits."""

    def __init__(
        self,
        fusion: Fusion,
        hits: Sequence[QueryHits],
        purchases: Sequence[Purchase],
        bought: frozenset[int],
        last_title: SearchResult | None,
        popular: Sequence[int],
        rules: ItemRules | None,
    ) -> None:
        self._fusion, self._hits, self._purchases = fusion, hits, purchases
        self._bought, self._last_title, self._popular = bought, last_title, popular
        self._rules = rules

    def of_lengths(self, lengths: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
        """Yield (length, list); ``lengths`` descend.

        Fused by scores, a shorter list is the beginning of a longer one as far as sources filled
        that, which saves most of the work.
        """
        longest: list[int] = []
        n_fused = 0
        for k in lengths:
            if k <= n_fused:
                yield k, longest[:k]
                continue
            picks = self._merge(k).picks
            items = [pick[0] for pick in picks]
            if self._fusion.method == "scores" and not longest:
                longest = items
                n_fused = sum(pick[6] is not None for pick in picks)
            yield k, items

    def _merge(self, k: int) -> Merge:
        popular, screen = self._popular, None
        if self._rules is None:
            popular = popular[: k + len(self._bought)]
        else:
            screen = self._rules.screen()
        fallbacks: _Fallbacks = {
            "last_title": self._last_title,
            "popular": popular,
            "screen": screen,
        }
        if self._fusion.is_plain:
            merge = merge_hits(self._hits, k, self._bought, **fallbacks)
        else:
            merge = fuse_sources(
                self._hits, self._purchases, k, self._fusion, self._bought, **fallbacks
            )
        if not merge.is_complete:
            raise _TooShallowError
        return merge


def _neighbours(
    catalog: EvaluationCatalog,
    train: Mapping[int, Sequence[int]],
    steps: Mapping[int, Sequence[int]],
    fusion: Fusion,
) -> Iterator[tuple[int, Neighbours]]:
    """Yield each item's strongest neighbours; equal ones are ordered by item id."""
    ordered = sorted(catalog.item_ids, key=lambda item: catalog.item_ids[item].encode())
    places = {item: place for place, item in enumerate(ordered)}
    items, moments, starts = array("i"), array("i"), array("q", [0])
    for user, bought in train.items():
        latest = dict(zip(bought, steps.get(user) or range(len(bought)), strict=True))
        newest = each_once(bought)[-fusion.pair_history :]
        items.extend(places[item] for item in newest)
        moments.extend(latest[item] for item in newest)
        starts.append(len(items))
    purchases = Purchases.at_moments(items, moments, starts, len(ordered))
    is_allowed = np.array([item in catalog.active for item in ordered], np.bool_)
    numbers = np.array(ordered, np.int64)
    found = strongest(purchases, fusion.pairs, fusion.neighbours, is_allowed)
    for item, (near, strengths) in zip(ordered, found, strict=True):
        if len(near):
            yield item, Neighbours(numbers[near].tolist(), strengths.tolist())
