"""Pinned items of one list, and the list with what promotions changed in it. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gpt4rec_es.ranking.outcome import NO_PLACE, LeftOut, Merge, Pick
from gpt4rec_es.ranking.promotions import Pin, Promotions
from gpt4rec_es.ranking.rules import ListFilter
from gpt4rec_es.records import Source


@dataclass(frozen=True, slots=True)
class Pinned:
    """What pins do to one list.

    items: those at its beginning, in order -> name of the rule. left_out: see ``Merge``.
    """

    items: Mapping[int, str] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()


NO_PINS = Pinned()


def choose_pins(
    promotions: Promotions,
    ranked: Sequence[int],
    bought: Collection[int],
    list_filter: ListFilter | None,
    k: int,
) -> Pinned:
    """Return the items at the beginning of a list of ``k``, and what had to be left out.

    Rule by rule; of a rule's items first those that sources found, in the order of ``ranked``, then
    the others in the rule's order. Items that were bought or that rules refuse are skipped. One
    place of a list is left for what its user may like.
    """
    pinned: dict[int, str] = {}
    left_out: list[LeftOut] = []
    for pin in promotions.pins:
        room = min(pin.places, k - 1 - len(pinned))
        chosen, refused = _choose(pin, pinned, ranked, bought, list_filter, room)
        pinned |= dict.fromkeys(chosen, pin.rule)
        # A refused item cost a place only if no other item of the rule took it.
        left_out += [LeftOut(pin.rule, cause) for cause in refused[: room - len(chosen)]]
        if len(chosen) == room < pin.places:
            more = _count_more(pin, pinned, bought, list_filter, pin.places - room)
            left_out += [LeftOut(pin.rule, NO_PLACE)] * more
    return Pinned(pinned, tuple(left_out))


def _choose(
    pin: Pin,
    pinned: Collection[int],
    ranked: Sequence[int],
    bought: Collection[int],
    list_filter: ListFilter | None,
    room: int,
) -> tuple[list[int], list[str]]:
    """Return at most ``room`` items of the pin, and the rules that refused items before."""
    chosen: list[int] = []
    refused: dict[int, str] = {}
    for item_no in _in_order(pin, ranked):
        if len(chosen) >= room:
            break
        if item_no in pinned or item_no in bought or item_no in chosen or item_no in refused:
            continue
        if list_filter is not None:
            if list_filter.refuses(item_no):
                refused[item_no] = list_filter.removed[item_no]
                continue
            list_filter.take(item_no)
        chosen.append(item_no)
    return chosen, list(refused.values())


def _in_order(pin: Pin, ranked: Sequence[int]) -> Iterator[int]:
    yield from (item_no for item_no in ranked if item_no in pin.members)
    yield from pin.item_nos


def _count_more(
    pin: Pin,
    pinned: Collection[int],
    bought: Collection[int],
    list_filter: ListFilter | None,
    most: int,
) -> int:
    """Return how many further items of the pin, at most ``most``, had been listed with room."""
    more = 0
    for item_no in pin.item_nos:
        if more == most:
            break
        is_free = item_no not in pinned and item_no not in bought
        more += is_free and not (list_filter and list_filter.rule_against(item_no))
    return more


def with_promotions(
    merge: Merge, promotions: Promotions, pinned: Pinned, moved: Collection[int]
) -> Merge:
    """Return ``merge`` after the pinned items, with the rules that changed the list.

    moved: items that a boost moved up, listed or not.
    """
    listed = {pick.item_no for pick in merge.picks}
    boosted = {item_no: promotions.boosted[item_no] for item_no in moved if item_no in listed}
    return replace(
        merge,
        picks=(*(Pick(item_no, Source.PINNED) for item_no in pinned.items), *merge.picks),
        n_pinned=len(pinned.items),
        promoted={**pinned.items, **boosted},
        left_out=pinned.left_out,
    )
