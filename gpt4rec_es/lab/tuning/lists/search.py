"""Choose a setting: some are drawn, then single steps from the best one are tried.

Each setting gets coefficients of its own. Users are in three parts: each part is measured with
coefficients that were fitted on the two others, so every user counts, and none is measured by its
own purchases. Whether the winner is better than what is live is asked on other users, see
tune_lists.py.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.tuning.choose import Metric
from gpt4rec_es.lab.tuning.lists.candidates import CandidateSet
from gpt4rec_es.lab.tuning.lists.fit import (
    COEFFICIENTS,
    Coefficients,
    fit_coefficients,
    fit_parts,
    with_target,
)
from gpt4rec_es.lab.tuning.lists.joining import VECTORS, Gain, Join, changed, join_all
from gpt4rec_es.lab.tuning.lists.proposals import Tried, best_of, proposals
from gpt4rec_es.lab.tuning.lists.softmax_loss import FitUsers
from gpt4rec_es.lab.tuning.lists.space import Setting, Space
from gpt4rec_es.metrics.accuracy import Targets
from gpt4rec_es.metrics.lists import PerUser
from gpt4rec_es.options.features import FEATURES
from gpt4rec_es.options.recipe import Recipe
from gpt4rec_es.protocols import Progress, no_progress
from gpt4rec_es.ranking.values import Numbers, Values

# Function from a recipe to users, and their candidates; it finds no held-out item of the others.
Collect = Callable[[Recipe], tuple[Numbers, CandidateSet]]
_FOLDS = 3


class Memory(Protocol):
    """Keeps what was measured, for a tuning that is killed."""

    def value(self, setting: Setting) -> float | None:
        """Return the value of a setting; None: it was not measured."""

    def remember(self, setting: Setting, value: float) -> None:
        """Keep the value of a setting."""


class Measuring:
    """Measures settings on the same users."""

    def __init__(
        self,
        collect: Collect,
        targets: Sequence[Collection[int]],
        base: Recipe,
        metric: Metric,
        k: int,
        seed: int,
        folder: Path | None = None,
    ) -> None:
        """Set the users by their ``targets``; collect: candidates by a recipe.

        folder: for arrays; None: in memory.
        """
        self._collect, self._targets, self._base, self._folder = collect, targets, base, folder
        self._metric, self._k = metric, k
        self._fold_of = np.random.default_rng(seed).permutation(len(targets)) % _FOLDS

    def value(self, setting: Setting) -> float:
        """Return the mean of the metric by coefficients fitted on other users.

        Raises:
            UsageError: too few users have a target among their candidates.
        """
        return float(self.values(setting).mean())

    def values(
        self, setting: Setting, names: Sequence[str] = COEFFICIENTS, joins: Sequence[Join] = ()
    ) -> PerUser:
        """Return the metric of each user by coefficients ``names`` fitted on other users.

        joins: what adds sources to the recipe of the setting.
        """
        users, candidates = self._collect(changed(setting.applied(self._base), joins))
        fold_of, targets = self._fold_of[users], [self._targets[user] for user in users]
        weights = np.zeros((len(candidates), len(FEATURES)))
        for fold, fitted in enumerate(self._fit(candidates, targets, fold_of, names)):
            own = fold_of == fold
            weights[own] = candidates.weights(fitted)[own]
        return self._metric_of(users, candidates, weights)

    def values_as_it_is(self) -> PerUser:
        """Return the metric of each user by the base with its own coefficients."""
        users, candidates = self._collect(self._base)
        weights = candidates.weights(self._base.fusion.coefficients)
        return self._metric_of(users, candidates, weights)

    def fitted(
        self,
        setting: Setting,
        names: Sequence[str] = COEFFICIENTS,
        joins: Sequence[Join] = (),
    ) -> Recipe:
        """Return the recipe of a setting with coefficients ``names`` fitted on all users.

        joins: as of ``values``.
        """
        recipe = changed(setting.applied(self._base), joins)
        users, candidates = self._collect(recipe)
        found = fit_coefficients(candidates, [self._targets[user] for user in users], names=names)
        fusion = replace(recipe.fusion, coefficients=found)
        named = (join.name for join in joins if join.what != VECTORS)
        reranker = next(named, None) if fusion.uses_reranker else None
        return replace(recipe, fusion=fusion, reranker=reranker)

    def _fit(
        self,
        candidates: CandidateSet,
        targets: Sequence[Collection[int]],
        fold_of: Numbers,
        names: Sequence[str],
    ) -> Iterator[Coefficients]:
        """Yield for each part of the users the coefficients fitted on the others."""
        start = dict(self._base.fusion.coefficients)
        has_target, _ = with_target(candidates, targets)
        parts = []
        for fold in range(_FOLDS):
            users = has_target[fold_of[has_target] == fold]
            part = candidates.of(users, self._folder)
            parts.append(FitUsers(part, part.is_target([targets[user] for user in users])))
        for fold in range(_FOLDS):
            yield fit_parts(parts[:fold] + parts[fold + 1 :], names=names, start=start)

    def _metric_of(self, users: Numbers, candidates: CandidateSet, weights: Values) -> PerUser:
        """Return the metric of all users; of those without candidates it is 0."""
        values = np.zeros(len(self._targets))
        if len(candidates):
            lists = candidates.lists(candidates.scores_by(weights), self._k)
            targets = Targets([self._targets[user] for user in users])
            values[users] = targets.measure(lists)[self._metric]
        return values


@dataclass(frozen=True, slots=True)
class Choice:
    """The best recipe, and all settings in the order in which they were tried.

    gains: what joining each of ``joins`` to the best setting gained, beyond those before that are
    better by more than chance. They are the last of ``tried``.
    """

    recipe: Recipe
    tried: tuple[Tried, ...]
    gains: tuple[Gain, ...] = ()


def choose_recipe(
    measuring: Measuring,
    base: Recipe,
    space: Space,
    memory: Memory,
    *,
    trials: int,
    seed: int = 0,
    progress: Progress = no_progress,
    joins: Sequence[Join] = (),
) -> Choice:
    """Return the best of about ``trials`` settings of the learned recipe ``base``.

    The base's own coefficients are tried, too: few users fit noise. progress counts settings.
    joins: what joins the best setting if that is better by more than chance, in this order.

    Raises:
        UsageError: too few users have a target among their candidates of the base.
    """
    unchanged = measuring.values_as_it_is()
    tried = [Tried(space.base, False, float(unchanged.mean()))]
    tried += _try_settings(measuring, space, memory, trials, seed, progress)
    best = best_of(tried)
    before = measuring.values(best.setting) if joins and best.is_fitted else unchanged
    joined = join_all(
        joins,
        before,
        lambda names, joins: measuring.values(best.setting, names, joins),
        seed,
    )
    tried += [
        Tried(best.setting, True, gain.after, has=frozenset(gain.having)) for gain in joined.gains
    ]
    recipe = base
    if best.is_fitted or joined.joins:
        recipe = measuring.fitted(best.setting, joined.names, joined.joins)
    return Choice(recipe, tuple(tried), tuple(joined.gains))


def _try_settings(
    measuring: Measuring,
    space: Space,
    memory: Memory,
    trials: int,
    seed: int,
    progress: Progress,
) -> list[Tried]:
    tried: list[Tried] = []
    progress(0, trials)
    for setting in proposals(space, tried, trials, seed):
        value = memory.value(setting)
        if value is None:
            try:
                value = measuring.value(setting)
            except UsageError:
                if not tried:
                    raise
                value = 0.0  # it finds too little to fit coefficients, where the base finds enough
            memory.remember(setting, value)
        tried.append(Tried(setting, True, value))
        progress(len(tried), trials)
    progress(trials, trials)
    return tried
