"""Weights of pairs of purchases, from which similarities of items are counted."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Interval

from gpt4rec_es.errors import UsageError

_Fraction = Annotated[float, Interval(ge=0, le=1)]
_Decay = Annotated[float, Interval(gt=0, le=1)]


@dataclass(frozen=True, slots=True)
class PairCounting:
    """Weights of pairs of one user's purchases, as ``ranking.neighbours`` counts them.

    decay: factor per basket of distance by which a pair counts less. backward: weight of a pair for
    recommending the earlier item to buyers of the later one. popularity: exponent p of the
    neighbour's number of buyers; the item's own number, with ``damping`` buyers added, has 1 - p.
    Damping lowers the similarities of rarely bought items. The defaults were best, or nearly so,
    on the validation parts of three data sets (docs/quality.md).
    """

    decay: _Decay = 0.8
    backward: _Fraction = 0.3
    popularity: _Fraction = 0.3
    damping: Annotated[float, Interval(ge=0, le=1_000_000)] = 20.0

    def __post_init__(self) -> None:
        """Refuse values that give similarities outside 0 to 1."""
        if not 0 < self.decay <= 1:
            raise UsageError(f"A pair's decay is {self.decay}.", "It is above 0 and at most 1.")
        for fraction in (self.backward, self.popularity):
            if not 0 <= fraction <= 1:
                raise UsageError(f"A fraction of pairs is {fraction}.", "It is between 0 and 1.")
        if not 0 <= self.damping < float("inf"):
            raise UsageError(f"The damping is {self.damping}.", "It is a number of buyers.")


DEFAULT_PAIRS = PairCounting()
# Buyers of both / sqrt(buyers of one x buyers of the other), at any distance and in any order.
COSINE = PairCounting(decay=1.0, backward=1.0, popularity=0.5, damping=0.0)
