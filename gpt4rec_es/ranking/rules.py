"""Rules that exclude items from a user's list; the merge checks each candidate.

Rules are frozen per run, so a refusal depends only on the user's list so far. A refused item stays
refused, because lists and the number of items per brand only grow.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from gpt4rec_es.ranking.promotions import NO_PROMOTIONS, Promotions

SHOWN, MAX_PER_BRAND = "shown", "max_per_brand"


@dataclass(frozen=True, slots=True)
class ItemRules:
    """The rules of a run.

    blocked: item number -> name of the rule that excludes it from all lists. max_per_brand: maximum
    items of one brand in a list (None: unlimited). brands: item number -> brand, of brands with
    more items than that. promotions: boosts and pins, which obey all other rules.
    """

    blocked: Mapping[int, str] = field(default_factory=dict)
    brands: Mapping[int, str] = field(default_factory=dict)
    max_per_brand: int | None = None
    promotions: Promotions = NO_PROMOTIONS

    def list_filter(self, shown: Collection[int] = frozenset()) -> "ListFilter":
        """Return the rules for one list; ``shown``: items shown to the user too recently."""
        return ListFilter(self, shown)


class ListFilter:
    """The rules for one user's list. ``removed``: items refused so far -> name of the rule."""

    __slots__ = ("_counts", "_rules", "_shown", "removed")

    def __init__(self, rules: ItemRules, shown: Collection[int]) -> None:
        self._rules, self._shown = rules, shown
        self._counts: dict[str, int] = {}
        self.removed: dict[int, str] = {}

    def blocks(self, item_no: int) -> bool:
        """Return whether the item is excluded from the list regardless of its other items."""
        rule = self.rule_against(item_no)
        if rule is not None:
            self.removed[item_no] = rule
        return rule is not None

    def rule_against(self, item_no: int) -> str | None:
        """Return the rule that excludes the item from any list of the user, without counting it."""
        rule = self._rules.blocked.get(item_no)
        return SHOWN if rule is None and item_no in self._shown else rule

    def refuses(self, item_no: int) -> bool:
        """Return whether the item may not be added to the current list."""
        if self.blocks(item_no):
            return True
        rules = self._rules
        brand = rules.brands.get(item_no)
        if brand is None or rules.max_per_brand is None:
            return False
        if self._counts.get(brand, 0) < rules.max_per_brand:
            return False
        self.removed[item_no] = MAX_PER_BRAND
        return True

    def take(self, item_no: int) -> None:
        """Count an item that was added to the list."""
        brand = self._rules.brands.get(item_no)
        if brand is not None:
            self._counts[brand] = self._counts.get(brand, 0) + 1

    def renewed(self, taken: Iterable[int]) -> "ListFilter":
        """Return the rules for another list that has the items ``taken`` so far."""
        other = ListFilter(self._rules, self._shown)
        for item_no in taken:
            other.take(item_no)
        return other

    def without_cap(self) -> "ListFilter":
        """Return a new list_filter without a brand limit, for rankings that are used partly."""
        return ListFilter(ItemRules(self._rules.blocked), self._shown)
