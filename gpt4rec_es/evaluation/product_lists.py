"""The lists that a night would make of each case: candidate sources fused, then the fallbacks.

The night's own fusing and merging, on co-purchases counted in the training part alone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

import numpy as np

from gpt4rec_es.baselines.popularity import count_buyers
from gpt4rec_es.evaluation.catalog import EvaluationCatalog
from gpt4rec_es.evaluation.query_lists import Cell, Search, make_lists, query_hits
from gpt4rec_es.list_options import Fusion
from gpt4rec_es.metrics.lists import Lists
from gpt4rec_es.prompts.keys import normalise_query
from gpt4rec_es.protocols import Progress, no_progress
from gpt4rec_es.ranking.cosines import bought_matrix, cosine_blocks, nearest
from gpt4rec_es.ranking.fuse import fuse_sources
from gpt4rec_es.ranking.merge import Merge, QueryHits, merge_hits
from gpt4rec_es.ranking.voices import Purchase
from gpt4rec_es.records import NO_NEIGHBOURS, Neighbours, SearchResult
from gpt4rec_es.splits.histories import each_once


class ProductLists:
    """Makes product lists by one fusion; what it counts in training is counted once."""

    def __init__(
        self, catalog: EvaluationCatalog, train: Mapping[int, Sequence[int]], fusion: Fusion
    ) -> None:
        """Take what may be learned from, by user."""
        self._catalog, self._fusion = catalog, fusion
        buyers = count_buyers(train.values())
        ids = catalog.item_ids
        self._popular = sorted(
            catalog.active & buyers.keys(), key=lambda item: (-buyers[item], ids[item].encode())
        )
        self._neighbours: dict[int, Neighbours] = {}
        if fusion.uses("co_purchase"):
            self._neighbours = dict(_neighbours(catalog, train.values(), fusion))

    def lists(
        self,
        queries: Sequence[Sequence[str]],
        histories: Sequence[Sequence[int]],
        cells: Sequence[Cell],
        progress: Progress = no_progress,
    ) -> dict[Cell, Lists]:
        """Return the lists of every cell (length, number of queries); progress counts users."""
        most = max(m for _, m in cells)
        titles = {item: normalise_query(text) for item, text in self._catalog.titles.items()}
        newest = [each_once(history)[::-1] for history in histories]
        lasts = [next((titles[item] for item in own if item in titles), None) for own in newest]
        texts = []
        for written, own, last in zip(queries, newest, lasts, strict=True):
            spoken = own[: self._fusion.history] if self._fusion.uses("titles") else ()
            found = [titles[item] for item in spoken if item in titles]
            texts.append([*written[:most], *found, *([last] if last else ())])

        def make(user: int, search: Search) -> Iterator[tuple[Cell, Sequence[int]]]:
            hits = query_hits(queries[user][:most], search)
            last = lasts[user]
            purchases = self._purchases(newest[user], titles, search)
            for m in sorted({m for _, m in cells}):
                of_m = _ListsOfUser(
                    self._fusion,
                    hits[:m],
                    purchases,
                    frozenset(newest[user]),
                    None if last is None else search(last),
                    self._popular,
                )
                lengths = sorted((k for k, one in cells if one == m), reverse=True)
                for k, items in of_m.of_lengths(lengths):
                    yield (k, m), items

        return make_lists(
            self._catalog,
            texts,
            histories,
            cells,
            make,
            least_depth=1 if self._fusion.is_plain else self._fusion.candidates,
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
    ) -> None:
        self._fusion, self._hits, self._purchases = fusion, hits, purchases
        self._bought, self._last_title, self._popular = bought, last_title, popular

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
        popular = self._popular[: k + len(self._bought)]
        if self._fusion.is_plain:
            return merge_hits(
                self._hits, k, self._bought, last_title=self._last_title, popular=popular
            )
        return fuse_sources(
            self._hits,
            self._purchases,
            k,
            self._fusion,
            self._bought,
            last_title=self._last_title,
            popular=popular,
        )


def _neighbours(
    catalog: EvaluationCatalog, train: Iterable[Sequence[int]], fusion: Fusion
) -> Iterator[tuple[int, Neighbours]]:
    """Yield each item's nearest by co-purchase; equal ones are ordered by item id."""
    ordered = sorted(catalog.item_ids, key=lambda item: catalog.item_ids[item].encode())
    places = {item: place for place, item in enumerate(ordered)}
    newest = [each_once(items)[-fusion.pair_history :] for items in train]
    starts = np.cumsum([0, *map(len, newest)], dtype=np.int64)
    items = np.fromiter((places[item] for item in chain.from_iterable(newest)), np.int32)
    is_allowed = np.array([item in catalog.active for item in ordered], np.bool_)
    numbers = np.array(ordered, np.int64)
    place = 0
    for block in cosine_blocks(bought_matrix(items, starts, len(ordered))):
        for near, cosines in nearest(block, fusion.neighbours, is_allowed):
            if len(near):
                yield ordered[place], Neighbours(numbers[near].tolist(), cosines.tolist())
            place += 1
