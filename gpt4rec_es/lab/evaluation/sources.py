"""Sources of evaluated lists besides queries, from the training part of a split."""

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from gpt4rec_es.lab.bm25.nearest import NearestTitles
from gpt4rec_es.lab.evaluation.data import EvaluationCatalog
from gpt4rec_es.lab.splits.histories import count_buyers, deduplicate_keep_last
from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.prompts.keys import normalise_query
from gpt4rec_es.ranking.features import NO_BUYERS, Buyers
from gpt4rec_es.ranking.neighbours import Purchases, strongest
from gpt4rec_es.ranking.rules import ItemRules
from gpt4rec_es.ranking.vectors import NO_VECTORS, Vectors
from gpt4rec_es.records import Neighbours


@dataclass(frozen=True, slots=True)
class ListSources:
    """Sources of lists besides generated queries; by default none.

    titles: query texts by item; popular: items of the last fallback, best first; neighbours: by
    item, if co-purchases are a source; buyers: for a learned fusion. rules: rules applied to every
    list. vectors: by a re-ranker; users by their index. nearest: search by an encoder's vectors.
    """

    fusion: Fusion = field(default_factory=Fusion)
    titles: Mapping[int, str] = field(default_factory=dict)
    popular: Sequence[int] = ()
    neighbours: Mapping[int, Neighbours] = field(default_factory=dict)
    rules: ItemRules | None = None
    buyers: Buyers = NO_BUYERS
    vectors: Vectors = NO_VECTORS
    nearest: NearestTitles | None = None


def product_sources(
    catalog: EvaluationCatalog,
    train: Mapping[int, Sequence[int]],
    fusion: Fusion,
    *,
    baskets: Mapping[int, Sequence[int]] | None = None,
    rules: ItemRules | None = None,
    may_search: Callable[[str], bool] = bool,
    vectors: Vectors = NO_VECTORS,
    nearest: NearestTitles | None = None,
) -> ListSources:
    """Return the sources of a night, computed from the training part only.

    baskets: basket numbers of the purchases in ``train``; without them each purchase is a basket.
    may_search: whether a bought title may be a query. nearest: see ``ListSources``.
    """
    buyers = count_buyers(train.values())
    ids = catalog.item_ids
    popular = sorted(
        catalog.active & buyers.keys(), key=lambda item: (-buyers[item], ids[item].encode())
    )
    neighbours: dict[int, Neighbours] = {}
    counted = NO_BUYERS
    if fusion.needs_co_purchases:
        ordered = sorted(ids, key=lambda item: ids[item].encode())
        purchases = counted_purchases(ordered, train, baskets or {}, fusion)
        neighbours = dict(_neighbours(catalog, ordered, purchases, fusion))
        counts = np.zeros(catalog.n_items, np.int32)
        counts[ordered] = np.bincount(purchases.items, minlength=len(ordered))
        counted = Buyers(counts)
    titles = query_titles(catalog, may_search)
    return ListSources(fusion, titles, popular, neighbours, rules, counted, vectors, nearest)


def query_titles(
    catalog: EvaluationCatalog, may_search: Callable[[str], bool] = bool
) -> dict[int, str]:
    """Return the titles that are searched for, as texts of queries by item."""
    return {
        item: normalise_query(title) for item, title in catalog.titles.items() if may_search(title)
    }


def counted_purchases(
    ordered: Sequence[int],
    train: Mapping[int, Sequence[int]],
    baskets: Mapping[int, Sequence[int]],
    fusion: Fusion,
) -> Purchases:
    """Return the purchases that are counted, items as indices in ``ordered``."""
    places = {item: place for place, item in enumerate(ordered)}
    items, moments, starts = array("i"), array("i"), array("q", [0])
    for user, bought in train.items():
        latest = dict(zip(bought, baskets.get(user) or range(len(bought)), strict=True))
        newest = deduplicate_keep_last(bought)[-fusion.pair_history :]
        items.extend(places[item] for item in newest)
        moments.extend(latest[item] for item in newest)
        starts.append(len(items))
    return Purchases.at_times(items, moments, starts, len(ordered))


def _neighbours(
    catalog: EvaluationCatalog, ordered: Sequence[int], purchases: Purchases, fusion: Fusion
) -> Iterator[tuple[int, Neighbours]]:
    """Yield each item's most similar neighbours; ties are in the order of ``ordered``."""
    is_allowed = np.array([item in catalog.active for item in ordered], np.bool_)
    numbers = np.array(ordered, np.int64)
    found = strongest(purchases, fusion.pairs, fusion.neighbours, is_allowed)
    for item, (near, similarities) in zip(ordered, found, strict=True):
        if len(near):
            yield item, Neighbours(numbers[near].tolist(), similarities.tolist())
