"""Pinned items of one list, and the list with what promotions changed in it. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from gpt4rec_es.ranking.outcome import Merge, Pick
from gpt4rec_es.ranking.promotions import Promotions
from gpt4rec_es.ranking.rules import ListFilter
from gpt4rec_es.records import Source


def choose_pins(
    promotions: Promotions,
    ranked: Sequence[int],
    bought: Collection[int],
    list_filter: ListFilter | None,
    k: int,
) -> dict[int, str]:
    """Return the items at the beginning of a list of ``k``, in order -> name of the rule.

    Rule by rule; of a rule's items first those that sources found, in the order of ``ranked``, then
    the others in the rule's order. Items that were bought or that rules refuse are skipped. One
    place of a list is left for what its user may like.
    """
    pinned: dict[int, str] = {}
    for pin in promotions.pins:
        last = min(len(pinned) + pin.places, k - 1)
        for item_no in (*(n for n in ranked if n in pin.members), *pin.item_nos):
            if len(pinned) >= last:
                break
            if item_no in pinned or item_no in bought:
                continue
            if list_filter is not None:
                if list_filter.refuses(item_no):
                    continue
                list_filter.take(item_no)
            pinned[item_no] = pin.rule
    return pinned


def with_promotions(
    merge: Merge, promotions: Promotions, pinned: Mapping[int, str], moved: Collection[int]
) -> Merge:
    """Return ``merge`` after the pinned items, with the rules that changed the list.

    moved: items that a boost moved up, listed or not.
    """
    listed = {pick.item_no for pick in merge.picks}
    boosted = {item_no: promotions.boosted[item_no] for item_no in moved if item_no in listed}
    return replace(
        merge,
        picks=(*(Pick(item_no, Source.PINNED) for item_no in pinned), *merge.picks),
        n_pinned=len(pinned),
        promoted={**pinned, **boosted},
    )
