"""Lists by quotas of K/m with boosts and pins; without them ``merge_hits`` makes the list. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from gpt4rec_es.ranking.merge import merge_hits
from gpt4rec_es.ranking.outcome import Merge, QueryHits
from gpt4rec_es.ranking.pinned import NO_PINS, choose_pins, with_promotions
from gpt4rec_es.ranking.promotions import Promotions
from gpt4rec_es.ranking.rules import ListFilter
from gpt4rec_es.records import SearchResult


def merge_promoted(
    queries: Sequence[QueryHits],
    k: int,
    promotions: Promotions,
    bought: Collection[int] = frozenset(),
    *,
    list_filter: ListFilter,
    last_title: SearchResult | None = None,
    popular: Sequence[int] = (),
    keep_removed: bool = False,
) -> Merge:
    """Return the list of ``k`` items with ``promotions``; other arguments as of ``merge_hits``.

    Pinned items come first. The other places are those of ``merge_hits`` for a list that is
    shorter by their number. It is made longer by the largest boost (step 2 goes on), and boosted
    items move up in it before it is cut. Fallbacks are not moved. The list equals that of
    unlimited depth, because the longer list does.
    """
    reach = promotions.reach
    pins = NO_PINS
    if promotions.pins:
        # Of one brand, pins take the places first.
        uncapped = list_filter.without_cap()
        found = merge_hits(queries, k, bought, list_filter=uncapped, places=k + reach)
        if not found.is_complete:
            return found
        ranked = [item_no for item_no, _, _ in promotions.order([p.item_no for p in found.picks])]
        pins = choose_pins(promotions, ranked, bought, list_filter, k)
    pinned = pins.items
    size, taken = k - len(pinned), {*bought, *pinned}
    wide = merge_hits(
        queries, size, taken, list_filter=list_filter.renewed(pinned), places=size + reach
    )
    if not wide.is_complete:
        return wide
    merge = merge_hits(
        queries,
        size,
        taken,
        last_title=last_title,
        popular=popular,
        list_filter=list_filter,
        keep_removed=keep_removed,
    )
    if not merge.is_complete:
        return merge
    order = promotions.order([pick.item_no for pick in wide.picks])
    first = [wide.picks[place] for _, place, _ in order[: merge.n_found]]
    moved = {item_no for item_no, place, new_place in order if new_place < place}
    merge = replace(merge, picks=(*first, *merge.picks[merge.n_found :]))
    return with_promotions(merge, promotions, pins, moved)
