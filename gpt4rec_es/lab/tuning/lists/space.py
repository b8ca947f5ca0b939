"""The options of a fusion that change the values of features, and steps between them."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np

from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.options.pairs import PairCounting

# By field of ``Setting``; a value that is live and not among these is tried, too.
_VALUES: dict[str, tuple[float, ...]] = {
    "pair_decay": (0.5, 0.65, 0.8, 0.9, 1.0),
    "pair_backward": (0.0, 0.15, 0.3, 0.6, 1.0),
    "pair_popularity": (0.1, 0.2, 0.3, 0.5),
    "pair_damping": (0.0, 5.0, 20.0, 80.0),
    "history_decay": (0.4, 0.55, 0.7, 0.85),
}


@dataclass(frozen=True, slots=True)
class Setting:
    """How pairs are counted and how purchases age; see ``PairCounting`` and ``Fusion``."""

    pair_decay: float
    pair_backward: float
    pair_popularity: float
    pair_damping: float
    history_decay: float

    @classmethod
    def of(cls, fusion: Fusion) -> "Setting":
        """Return the setting of a fusion."""
        pairs = fusion.pairs
        return cls(
            pairs.decay, pairs.backward, pairs.popularity, pairs.damping, fusion.history_decay
        )

    def applied(self, fusion: Fusion) -> Fusion:
        """Return ``fusion`` with this setting."""
        pairs = PairCounting(
            self.pair_decay, self.pair_backward, self.pair_popularity, self.pair_damping
        )
        return replace(fusion, pairs=pairs, history_decay=self.history_decay)

    def neighbours(self) -> Iterator["Setting"]:
        """Yield the settings that differ by one step of one option."""
        for field in fields(self):
            now = getattr(self, field.name)
            lower = [value for value in _VALUES[field.name] if value < now]
            higher = [value for value in _VALUES[field.name] if value > now]
            for value in (*lower[-1:], *higher[:1]):
                yield replace(self, **{field.name: value})


def draw(chance: np.random.Generator) -> Setting:
    """Return a random setting."""
    return Setting(**{name: float(chance.choice(values)) for name, values in _VALUES.items()})
