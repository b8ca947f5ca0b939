"""A re-ranker in a tuning: the column of its scores, and whether it joins the recipe."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gpt4rec_es.lab.tuning.lists.columns import Column
from gpt4rec_es.lab.tuning.lists.fit import COEFFICIENTS, OF_RERANKER, OF_SEQUENCE
from gpt4rec_es.metrics.lists import PerUser
from gpt4rec_es.metrics.significance import bootstrap_interval, permutation_test
from gpt4rec_es.ranking.features import centred
from gpt4rec_es.ranking.values import Numbers, Values
from gpt4rec_es.ranking.vectors import Vectors

_LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class RerankGain:
    """Means of the metric without and with a re-ranker, and the interval of the paired gain."""

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


def rerank_gain(name: str, before: PerUser, after: PerUser, seed: int) -> RerankGain:
    """Return the gain of the metric; both arrays are of the same users."""
    interval = bootstrap_interval(after - before, seed=seed)
    return RerankGain(
        name,
        float(before.mean()),
        float(after.mean()),
        interval.low,
        interval.high,
        permutation_test(after - before, seed=seed),
    )


class Joined(NamedTuple):
    """What joins the best setting. names: of its coefficients; source: as of ``Measuring.values``.

    gains: of the scores as a feature, and of the best items as a source.
    """

    names: Sequence[str]
    source: str | None
    gains: tuple[RerankGain, RerankGain]


def join_reranker(
    name: str,
    before: PerUser,
    measure: Callable[[Sequence[str], str | None], PerUser],
    seed: int,
) -> Joined:
    """Return what of the re-ranker called ``name`` is better by more than chance.

    First its scores are tried, then its best items as a source beside them. before: the metric
    without; measure: function from names of coefficients and the source to the metric.
    """
    names: Sequence[str] = COEFFICIENTS
    source, gains = None, []
    for more, its in ((OF_RERANKER, None), ((*OF_RERANKER, *OF_SEQUENCE), name)):
        tried = (*COEFFICIENTS, *more)
        after = measure(tried, its)
        gain = rerank_gain(name, before, after, seed)
        gains.append(gain)
        if gain.is_used:
            before, names, source = after, tried, its
    return Joined(names, source, (gains[0], gains[1]))


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
