"""Networks in a tuning: the column of a re-ranker's scores, and what joins the recipe."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gpt4rec_es.lab.tuning.lists.columns import Column
from gpt4rec_es.lab.tuning.lists.fit import COEFFICIENTS, OF_RERANKER, OF_SEQUENCE, OF_VECTORS
from gpt4rec_es.metrics.lists import PerUser
from gpt4rec_es.metrics.significance import bootstrap_interval, permutation_test
from gpt4rec_es.options.recipe import Recipe, with_sequence, with_vectors
from gpt4rec_es.ranking.features import centred
from gpt4rec_es.ranking.values import Numbers, Values
from gpt4rec_es.ranking.vectors import Vectors

_LEVEL = 0.05


# What may join, in the order in which it is tried.
VECTORS, RERANKER, SEQUENCE = "vectors", "reranker", "sequence"
# Function from a recipe to one with other sources.
Change = Callable[[Recipe], Recipe]


class Join(NamedTuple):
    """What may join a recipe: vectors, scores of a re-ranker, or its best items.

    name: of the network that it belongs to. coefficients: their names, beside those that are fitted
    already. change: adds its sources; None: it has none.
    """

    what: str
    name: str
    coefficients: Sequence[str]
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class Gain:
    """Means of the metric without and with what may join, and the interval of the paired gain.

    having: what the lists have with it, itself included.
    """

    having: tuple[str, ...]
    name: str
    before: float
    after: float
    low: float
    high: float
    p_value: float

    @property
    def is_used(self) -> bool:
        """Whether it is better by more than chance."""
        return self.after > self.before and self.p_value < _LEVEL

    @property
    def what(self) -> str:
        """What was to join."""
        return self.having[-1]


def gain_of(joins: Sequence[Join], before: PerUser, after: PerUser, seed: int) -> Gain:
    """Return the gain by the last of ``joins``; both arrays are of the same users."""
    interval = bootstrap_interval(after - before, seed=seed)
    return Gain(
        tuple(join.what for join in joins),
        joins[-1].name,
        float(before.mean()),
        float(after.mean()),
        interval.low,
        interval.high,
        permutation_test(after - before, seed=seed),
    )


class Joined(NamedTuple):
    """What joined the best setting. names: of its coefficients; joins: what is used.

    gains: of all that was tried, in order.
    """

    names: Sequence[str]
    joins: Sequence[Join]
    gains: Sequence[Gain]

    def change(self, recipe: Recipe) -> Recipe:
        """Return the recipe with the sources of all that joined."""
        return changed(recipe, self.joins)


def joins_of_reranker(name: str) -> list[Join]:
    """Return what joins of a re-ranker: its scores, and then its best items beside them."""
    return [
        Join(RERANKER, name, OF_RERANKER),
        Join(
            SEQUENCE,
            name,
            (*OF_RERANKER, *OF_SEQUENCE),
            lambda recipe: with_sequence(recipe, name),
        ),
    ]


def join_of_encoder(name: str) -> Join:
    """Return searches by the vectors of an encoder."""
    return Join(VECTORS, name, OF_VECTORS, lambda recipe: with_vectors(recipe, name))


def changed(recipe: Recipe, joins: Sequence[Join]) -> Recipe:
    """Return the recipe with the sources of ``joins``."""
    for join in joins:
        recipe = recipe if join.change is None else join.change(recipe)
    return recipe


def join_all(
    joins: Sequence[Join],
    before: PerUser,
    measure: Callable[[Sequence[str], Sequence[Join]], PerUser],
    seed: int,
) -> Joined:
    """Return what of ``joins``, tried in order, is better by more than chance.

    before: the metric without any; measure: function from names of coefficients and what joins to
    the metric.
    """
    names: Sequence[str] = COEFFICIENTS
    used: list[Join] = []
    gains = []
    for join in joins:
        tried = tuple(dict.fromkeys((*names, *join.coefficients)))
        after = measure(tried, [*used, join])
        gain = gain_of([*used, join], before, after, seed)
        gains.append(gain)
        if gain.is_used:
            before, names = after, tried
            used.append(join)
    return Joined(names, used, gains)


def rerank_column(vectors: Vectors) -> Column:
    """Return the function that makes the column of the feature ``rerank``, as a night does."""

    def column(users: Numbers, items: Numbers) -> Values:
        values = np.zeros(len(items))
        starts = np.flatnonzero(np.diff(users, prepend=-1))
        ends = np.append(starts, len(items))[1:]
        for first, last in zip(starts, ends, strict=True):
            own = slice(first, last)
            values[own] = centred(vectors.scorer(int(users[first])), items[own])
        return values

    return column
