"""Boosts and pins: items that operators move up in lists, or put at their beginning. Pure.

A boost is a number of places and not a factor, because scores of a learned fusion may be negative
and lists by K/m have none. It changes the order of what sources found, and adds nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from gpt4rec_es.named_items import NamedItems

# Name of the part of a fused score that a boost adds.
BOOST = "boost"


@dataclass(frozen=True, slots=True)
class Boost:
    """A rule that moves each of its items ``places`` places up."""

    rule: str
    places: int
    item_nos: Collection[int]


@dataclass(frozen=True, slots=True)
class Pin:
    """A rule that puts at most ``places`` of its items at the beginning of each list."""

    rule: str
    places: int
    item_nos: Sequence[int]
    members: frozenset[int] = field(init=False)

    def __post_init__(self) -> None:
        """Keep the items as a set, too, because each user's candidates are looked up in it."""
        object.__setattr__(self, "members", frozenset(self.item_nos))


@dataclass(frozen=True, slots=True)
class Promotions:
    """The boosts and pins of a run, in order of rules.

    boosted: item number -> name of the rule that moves it most, of equal ones the first.
    """

    boosts: tuple[Boost, ...] = ()
    pins: tuple[Pin, ...] = ()
    boosted: Mapping[int, str] = field(init=False)
    _places: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        """Find the boost of each item."""
        largest_first = sorted(self.boosts, key=lambda boost: boost.places, reverse=True)
        named = NamedItems((boost.rule, boost.item_nos) for boost in largest_first[::-1])
        object.__setattr__(self, "boosted", named)
        object.__setattr__(self, "_places", {boost.rule: boost.places for boost in self.boosts})

    def __bool__(self) -> bool:
        """Return whether there is a boost or a pin."""
        return bool(self.boosts or self.pins)

    @property
    def reach(self) -> int:
        """Number of places that an item moves up at most."""
        return max(self._places.values(), default=0)

    def order(self, ranked: Sequence[int]) -> list[tuple[int, int, int]]:
        """Return (item, its 0-based place in ``ranked``, the place it takes) in the new order.

        A boosted item comes before the item whose place it takes; the others keep their order.
        """
        places = []
        for place, item_no in enumerate(ranked):
            up = self._places.get(self.boosted.get(item_no, ""), 0)
            taken = max(place - up, 0)
            places.append((taken, taken == place, place, item_no))
        return [(item_no, place, taken) for taken, _, place, item_no in sorted(places)]

    def lift(self, scores: dict[int, float]) -> tuple[dict[int, float], set[int]]:
        """Return fused scores with boosts, best first, and the items that moved up.

        A boosted item gets the score of the candidate whose place it takes. Without one among
        ``scores``, these are returned as they are.
        """
        if not self.boosts or not any(item_no in self.boosted for item_no in scores):
            return scores, set()
        ranked = sorted(scores, key=scores.__getitem__, reverse=True)
        order = self.order(ranked)
        lifted = {item_no: scores[ranked[taken]] for item_no, _, taken in order}
        return lifted, {item_no for item_no, place, taken in order if taken < place}


NO_PROMOTIONS = Promotions()
