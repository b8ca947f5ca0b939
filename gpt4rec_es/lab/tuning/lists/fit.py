"""Fit the coefficients of a learned fusion: a listwise softmax over each user's candidates.

The loss of a user is the negative log of the softmax probability, averaged over the targets among
the candidates (ListNet's top-one loss, Cao et al. 2007, with equal gains). It is convex.
"""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.tuning.lists.candidates import CandidateSet
from gpt4rec_es.options.features import FEATURES, QUERIES

# Fewer users with a target among their candidates fit noise.
LEAST_USERS = 100
# Digits that a recipe keeps.
_DIGITS = 6

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
_QUERIES = frozenset(name for name, feature in FEATURES.items() if feature.sources == (QUERIES,))
COEFFICIENTS = (
    *FEATURES,
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
    is_target = candidates.is_target(targets)
    n_targets = np.bincount(candidates.owners(), is_target, len(candidates))
    users = np.flatnonzero(n_targets)
    if len(users) < LEAST_USERS:
        raise UsageError(
            f"Only {len(users)} users have a held-out item among their candidates; at least "
            f"{LEAST_USERS} are needed to fit coefficients.",
            "Use a larger part of the split, or keep the recipe that is live.",
        )
    kept = candidates.of(users)
    matrix = np.stack([kept.column(name) for name in names], axis=1)
    deviations = matrix.std(axis=0)
    # A constant feature, such as one of a source without hits, has no coefficient.
    used = deviations > 1e-9
    matrix = matrix[:, used] / deviations[used]
    share = weights[users] if weights is not None else np.ones(len(users))
    share = share / share.sum()
    own = kept.owners()
    of_targets = is_target[np.isin(candidates.owners(), users)] * (share / n_targets[users])[own]
    goal = of_targets @ matrix
    starts = kept.starts[:-1]

    def loss(coefficients: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scores = matrix @ coefficients
        highest = np.maximum.reduceat(scores, starts)
        powers = np.exp(scores - highest[own])
        sums = np.add.reduceat(powers, starts)
        value = share @ (np.log(sums) + highest) - goal @ coefficients
        expected = (powers * (share / sums)[own]) @ matrix
        return (
            float(value + l2 * coefficients @ coefficients),
            expected - goal + 2 * l2 * coefficients,
        )

    # A query that found an item never counts against it: few users' queries fit noise.
    fitted = [name for name, is_used in zip(names, used, strict=True) if is_used]
    bounds = [(0 if name in _QUERIES else None, None) for name in fitted]
    start = np.zeros(matrix.shape[1])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    values = iter(found.x / deviations[used])
    rounded = ((name, round(float(next(values)), _DIGITS)) for name in fitted)
    return tuple((name, value) for name, value in rounded if value)


def scores_of(candidates: CandidateSet, coefficients: Coefficients) -> NDArray[np.float64]:
    """Return the scores of all candidates."""
    scores = np.zeros(len(candidates.item_nos))
    for name, value in coefficients:
        scores += value * candidates.column(name)
    return scores
