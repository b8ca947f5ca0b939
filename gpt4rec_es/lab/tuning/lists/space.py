"""The options of a recipe that a tuning tries: settings, draws, and single steps between them."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from gpt4rec_es.lab.tuning.lists.collect import Limits
from gpt4rec_es.options.lists import CO_PURCHASE, HISTORY_TITLES, QUERIES
from gpt4rec_es.options.pairs import PairCounting
from gpt4rec_es.options.recipe import Recipe

# By field of ``Setting``; a value of the recipe that is not among these is tried, too.
_VALUES: dict[str, tuple[float, ...]] = {
    "num_queries": (2, 3, 5, 10, 20),
    "query_decay": (0.5, 0.7, 0.85, 1.0),
    "query_hits": (5, 10, 20, 50),
    "candidates": (75, 150, 300),
    "history": (5, 10, 20, 40, 80),
    "history_decay": (0.4, 0.55, 0.7, 0.85),
    "neighbours": (50, 100, 200),
    "pair_decay": (0.5, 0.65, 0.8, 0.9, 1.0),
    "pair_backward": (0.0, 0.15, 0.3, 0.6, 1.0),
    "pair_popularity": (0.1, 0.2, 0.3, 0.5),
    "pair_damping": (0.0, 5.0, 20.0, 80.0),
}
# The sources that an option belongs to; it is not tried without one of them.
_SOURCES: dict[str, frozenset[str]] = {
    **dict.fromkeys(("num_queries", "query_decay", "query_hits"), frozenset({QUERIES})),
    **dict.fromkeys(("history", "history_decay"), frozenset({CO_PURCHASE, HISTORY_TITLES})),
    **dict.fromkeys(
        ("neighbours", "pair_decay", "pair_backward", "pair_popularity", "pair_damping"),
        frozenset({CO_PURCHASE}),
    ),
}


@dataclass(frozen=True, slots=True)
class Setting:
    """What a trial changes of a recipe; see ``Fusion``, ``PairCounting`` and ``Decoding``."""

    num_queries: int
    query_decay: float
    query_hits: int
    candidates: int
    history: int
    history_decay: float
    neighbours: int
    pair_decay: float
    pair_backward: float
    pair_popularity: float
    pair_damping: float

    @classmethod
    def of(cls, recipe: Recipe) -> "Setting":
        """Return the setting of a recipe."""
        fusion, pairs = recipe.fusion, recipe.fusion.pairs
        return cls(
            recipe.decoding.num_queries,
            fusion.query_decay,
            fusion.query_hits,
            fusion.candidates,
            fusion.history,
            fusion.history_decay,
            fusion.neighbours,
            pairs.decay,
            pairs.backward,
            pairs.popularity,
            pairs.damping,
        )

    def applied(self, recipe: Recipe) -> Recipe:
        """Return ``recipe`` with this setting; fewer queries of the same beams are the first."""
        pairs = PairCounting(
            self.pair_decay, self.pair_backward, self.pair_popularity, self.pair_damping
        )
        fusion = replace(
            recipe.fusion,
            query_decay=self.query_decay,
            query_hits=self.query_hits,
            candidates=self.candidates,
            history=self.history,
            history_decay=self.history_decay,
            neighbours=self.neighbours,
            pairs=pairs,
        )
        decoding = replace(recipe.decoding, num_queries=self.num_queries)
        return replace(recipe, decoding=decoding, fusion=fusion)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values; ``Setting(**values)`` reads them."""
        return asdict(self)


class Space:
    """The settings near those of one recipe: the values of each option that counts."""

    def __init__(self, recipe: Recipe, *, has_queries: bool) -> None:
        """Set the options of ``recipe``; has_queries: whether queries are written."""
        used = {name for name, weight in recipe.fusion.weights if weight > 0}
        if not has_queries:
            used.discard(QUERIES)
        self.base = Setting.of(recipe)
        most = self.base.num_queries  # more would have to be generated
        self.values: dict[str, tuple[Any, ...]] = {}
        for name, known in _VALUES.items():
            if used & _SOURCES.get(name, used):
                own = {*known, getattr(self.base, name)}
                self.values[name] = tuple(
                    value for value in sorted(own) if name != "num_queries" or value <= most
                )

    def limits(self) -> Limits:
        """Return the largest counts of all settings."""

        def most(name: str) -> int:
            return int(max(self.values.get(name, (getattr(self.base, name),))))

        return Limits(most("candidates"), most("query_hits"), most("history"))

    def draw(self, chance: np.random.Generator) -> Setting:
        """Return a random setting: each option is that of the recipe or, as likely, any other."""
        changed = {
            name: values[int(chance.integers(len(values)))]
            for name, values in self.values.items()
            if chance.random() < 0.5
        }
        return replace(self.base, **changed)

    def steps(self, setting: Setting, chance: np.random.Generator) -> Sequence[Setting]:
        """Return the settings that differ by one step of one option, in random order."""
        found = list(self._steps(setting))
        return [found[place] for place in chance.permutation(len(found))]

    def _steps(self, setting: Setting) -> Iterator[Setting]:
        for name, values in self.values.items():
            place = values.index(getattr(setting, name))
            for value in (*values[max(place - 1, 0) : place], *values[place + 1 : place + 2]):
                yield replace(setting, **{name: value})
