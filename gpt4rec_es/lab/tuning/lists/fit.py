"""Fit the coefficients of a learned fusion: a listwise softmax over each user's candidates.

The loss of a user is the negative log of the softmax probability, averaged over the targets among
the candidates (ListNet's top-one loss, Cao et al. 2007, with equal gains). It is convex, so that
Newton's method finds the same minimum from any start, in a few steps.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.tuning.lists.candidates import CandidateSet
from gpt4rec_es.lab.tuning.lists.softmax_loss import FitUsers, SoftmaxLoss
from gpt4rec_es.options import features
from gpt4rec_es.options.features import CONTEXTS, FEATURES, OF_QUERIES, QUERY_VECTORS
from gpt4rec_es.ranking.values import Numbers, Values

# Fewer users with a target among their candidates fit noise.
LEAST_USERS = 100
# Digits that a recipe keeps.
_DIGITS = 6
# A step that lowers the loss by less is the last one; the next would lower it by its square.
_PRECISION = 1e-7
_MOST_STEPS = 50

# Chosen on three data sets (docs/quality.md): all products of features and contexts fit one shop as
# well, and others worse.
_WITH_CONTEXT = (
    "co_newest",
    "co_recent",
    "co_mean",
    "co_best",
    "title_newest",
    "title_recent",
    "title_best",
    "co_x_title",
    "popularity",
)
# Those of a re-ranker: how much it counts may depend on what else is known.
OF_RERANKER = ("rerank", *(f"rerank*{context}" for context in CONTEXTS))
# Those of a re-ranker's best items as a source.
OF_SEQUENCE = tuple(
    name + context
    for context in ("", *(f"*{context}" for context in CONTEXTS))
    for name in ("seq_score", "seq_share", "seq_rank")
)
# Those of searches by an encoder's vectors.
OF_VECTORS = tuple(
    name + context
    for context in ("", "*history", "*similarity")
    for name, feature in FEATURES.items()
    if not features.OF_VECTORS.isdisjoint(feature.sources)
    and not (context and feature.sources == (QUERY_VECTORS,))
)
_QUERIES = frozenset(
    name for name, feature in FEATURES.items() if OF_QUERIES.issuperset(feature.sources)
)
COEFFICIENTS = (
    *(name for name in FEATURES if name not in {*OF_RERANKER, *OF_SEQUENCE, *OF_VECTORS}),
    *(f"{name}*buyers" for name in ("co_recent", "title_recent", "co_x_title")),
    *(f"{name}*history" for name in _WITH_CONTEXT),
    *(f"{name}*similarity" for name in _WITH_CONTEXT),
)

Coefficients = tuple[tuple[str, float], ...]


def fit_coefficients(
    candidates: CandidateSet,
    targets: Sequence[Collection[int]],
    *,
    names: Sequence[str] = COEFFICIENTS,
    l2: float = 1e-4,
    weights: NDArray[np.float64] | None = None,
) -> Coefficients:
    """Return the coefficients ``names`` that fit best, in their order, without those of no effect.

    l2: penalty of squared coefficients, for columns scaled to unit deviation. weights: by user.

    Raises:
        UsageError: too few users have a target among their candidates.
    """
    users, is_target = with_target(candidates, targets)
    part = candidates.of(users), is_target
    own = None if weights is None else weights[users]
    return fit_parts([FitUsers(*part)], names=names, l2=l2, weights=own)


def with_target(
    candidates: CandidateSet, targets: Sequence[Collection[int]]
) -> tuple[Numbers, NDArray[np.bool_]]:
    """Return the users with a target among their candidates, and what of theirs is a target."""
    is_target = candidates.is_target(targets)
    owners = candidates.owners()
    users = np.unique(owners[is_target])
    has = np.zeros(len(candidates), np.bool_)
    has[users] = True
    return users, is_target[has[owners]]


def fit_parts(
    parts: Sequence[FitUsers],
    *,
    names: Sequence[str] = COEFFICIENTS,
    l2: float = 1e-4,
    weights: NDArray[np.float64] | None = None,
    start: Mapping[str, float] | None = None,
) -> Coefficients:
    """Return the coefficients that fit the users of ``parts``, as ``fit_coefficients`` does.

    weights: by user. start: coefficients to begin with, which saves steps.
    """
    n_users = sum(len(part.candidates) for part in parts)
    if n_users < LEAST_USERS:
        raise UsageError(
            f"Only {n_users} users have a held-out item among their candidates; at least "
            f"{LEAST_USERS} are needed to fit coefficients.",
            "Use a larger part of the split, or keep the recipe that is live.",
        )
    share = weights if weights is not None else np.ones(n_users)
    loss = SoftmaxLoss(parts, names, share / share.sum())
    begin = np.array([(start or {}).get(name, 0.0) for name in names])
    # A query that found an item never counts against it: few users' queries fit noise.
    at_least_0 = np.array([name in _QUERIES for name in names])
    found = _minimum(loss, begin * loss.deviations, at_least_0, l2) / loss.deviations
    rounded = [(name, round(value, _DIGITS)) for name, value in zip(names, found, strict=True)]
    return tuple((name, float(value)) for name, value in rounded if value)


def _minimum(
    loss: SoftmaxLoss, begin: Values, at_least_0: NDArray[np.bool_], l2: float
) -> NDArray[np.float64]:
    """Return the scaled coefficients of the lowest penalised loss, by projected Newton steps.

    Columns that are not used stay 0. A bounded coefficient at 0 that would go below takes no part
    in a step (Bertsekas 1982).
    """

    def penalised(here: Values) -> tuple[float, Values, NDArray[np.float64]]:
        value, gradient, hessian = loss.at(here)
        return value + l2 * float(here @ here), gradient + 2 * l2 * here, hessian

    here = np.where(loss.is_used, begin, 0.0)
    here = np.where(at_least_0, np.maximum(here, 0.0), here)
    value, gradient, hessian = penalised(here)
    for _ in range(_MOST_STEPS):
        free = np.flatnonzero(loss.is_used & ~(at_least_0 & (here <= 0) & (gradient > 0)))
        inner = hessian[np.ix_(free, free)] + 2 * l2 * np.eye(len(free))
        step = np.zeros(len(here))
        step[free] = np.linalg.solve(inner, gradient[free])
        size = 1.0
        while True:
            there = here - size * step
            there = np.where(at_least_0, np.maximum(there, 0.0), there)
            expected = float(gradient @ (here - there))
            if expected < _PRECISION:
                return there
            lower = penalised(there)
            if lower[0] <= value - 1e-4 * expected:
                break
            size /= 2
        here, (value, gradient, hessian) = there, lower
    return here
