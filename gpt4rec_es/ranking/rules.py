"""Which items rules keep out of a user's list; the merge asks for each item it could take.

Frozen per run, so what is refused depends on the user's list so far and on nothing else. An item
that was refused stays refused: a list only grows, and a brand's places only fill up.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

SHOWN, MAX_PER_BRAND = "shown", "max_per_brand"


@dataclass(frozen=True, slots=True)
class ItemRules:
    """The rules of a run. blocked: item number -> name of the rule that keeps it out of all lists.

    brands: item number -> brand, of brands that have more items than ``max_per_brand``, which is
    how many of one brand a list may have (None: any number).
    """

    blocked: Mapping[int, str] = field(default_factory=dict)
    brands: Mapping[int, str] = field(default_factory=dict)
    max_per_brand: int | None = None

    def list_filter(self, shown: Collection[int] = frozenset()) -> "ListFilter":
        """Return the rules for one list; ``shown``: items the user was shown too lately."""
        return ListFilter(self, shown)


class ListFilter:
    """The rules for one list. ``removed``: items refused so far -> name of the rule."""

    __slots__ = ("_counts", "_rules", "_shown", "removed")

    def __init__(self, rules: ItemRules, shown: Collection[int]) -> None:
        self._rules, self._shown = rules, shown
        self._counts: dict[str, int] = {}
        self.removed: dict[int, str] = {}

    def blocks(self, item_no: int) -> bool:
        """Say whether the item may be in no list of this user, whatever else is in it."""
        rule = self._rules.blocked.get(item_no)
        if rule is None and item_no in self._shown:
            rule = SHOWN
        if rule is not None:
            self.removed[item_no] = rule
        return rule is not None

    def refuses(self, item_no: int) -> bool:
        """Say whether the item may not be added to the list as it is now."""
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

    def without_cap(self) -> "ListFilter":
        """Return a fresh list_filter that caps no brand: for rankings of which a part is taken."""
        return ListFilter(ItemRules(self._rules.blocked), self._shown)
