"""Frozen rules of the lists of one run; a run stores them in its manifest."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any

from annotated_types import Ge, Interval

from gpt4rec_es.errors import UsageError


@dataclass(frozen=True, slots=True)
class ListRules:
    """Rules of one run for all lists; block rules (items, brands, categories) are stored apart.

    min_price, max_price: inclusive limits in the catalog's currency; with a limit, items of unknown
    price are left out. categories: allowed category paths, with all below them; (): all.
    max_per_brand: items of one brand per list. shown_days: items that the user's published lists of
    the last N days showed are left out.
    """

    min_price: Annotated[float, Ge(0)] | None = None
    max_price: Annotated[float, Ge(0)] | None = None
    categories: tuple[str, ...] = ()
    max_per_brand: Annotated[int, Interval(ge=1, le=1000)] | None = None
    shown_days: Annotated[int, Interval(ge=0, le=365)] = 0

    def __post_init__(self) -> None:
        """Refuse rules that no item can satisfy."""
        prices = [price for price in (self.min_price, self.max_price) if price is not None]
        if any(not 0 <= price < float("inf") for price in prices) or prices != sorted(prices):
            raise UsageError(
                f"The limits of the price are wrong: min_price {self.min_price}, "
                f"max_price {self.max_price}.",
                "Give 0 <= lowest <= highest.",
            )
        if self.max_per_brand is not None and self.max_per_brand < 1:
            raise UsageError(f"{self.max_per_brand} items per brand leave none.", "At least 1.")
        if self.shown_days < 0:
            raise UsageError(f"{self.shown_days} days cannot be.", "0 asks for nothing.")
        if not all(category.strip() for category in self.categories):
            raise UsageError("A category is empty.", "Name it as the catalog does.")

    def as_dict(self) -> dict[str, Any]:
        """Return those that are set as plain values, for manifests."""
        values = {**asdict(self), "categories": list(self.categories)}
        unset = asdict(ListRules()) | {"categories": []}
        return {name: value for name, value in values.items() if value != unset[name]}
