"""Choose a fusion: random settings, refined, each with coefficients fitted on two users of three.

The third user measures, and the winner is fitted again on all of them. Whether it is better than
what is live is asked on other users, see tune_lists.py.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gpt4rec_es.lab.tuning.choose import Metric
from gpt4rec_es.lab.tuning.lists.candidates import CandidateSet
from gpt4rec_es.lab.tuning.lists.fit import fit_coefficients, scores_of
from gpt4rec_es.lab.tuning.lists.space import Setting, draw
from gpt4rec_es.metrics.accuracy import Targets
from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.protocols import Progress, no_progress

Collect = Callable[[Fusion], CandidateSet]


@dataclass(frozen=True, slots=True)
class Tried:
    """A setting with the mean of the metric. is_fitted: coefficients were fitted to this shop."""

    setting: Setting
    is_fitted: bool
    value: float


@dataclass(frozen=True, slots=True)
class Choice:
    """The best fusion, and all settings in the order in which they were tried."""

    fusion: Fusion
    tried: tuple[Tried, ...]


class _Search:
    """Measures settings on the same users."""

    def __init__(
        self,
        collect: Collect,
        targets: Sequence[Collection[int]],
        base: Fusion,
        metric: Metric,
        k: int,
        seed: int,
    ) -> None:
        self.collect, self.targets, self.base = collect, targets, base
        self.metric, self.k = metric, k
        order = np.random.default_rng(seed).permutation(len(targets))
        self.fit, self.measure = np.sort(order[len(order) // 3 :]), order[: len(order) // 3]
        self.tried: dict[Setting, Tried] = {}

    def try_setting(self, setting: Setting) -> Tried:
        if setting not in self.tried:
            candidates = self.collect(setting.applied(self.base))
            fitted = fit_coefficients(candidates.of(self.fit), self._targets(self.fit))
            self.tried[setting] = Tried(setting, True, self._value(candidates, fitted))
        return self.tried[setting]

    def try_base(self) -> Tried:
        """Measure the base with its own coefficients."""
        value = self._value(self.collect(self.base), self.base.coefficients)
        return Tried(Setting.of(self.base), False, value)

    def fit_again(self, setting: Setting) -> Fusion:
        fusion = setting.applied(self.base)
        found = fit_coefficients(self.collect(fusion), self.targets)
        return replace(fusion, coefficients=found)

    def _value(self, candidates: CandidateSet, coefficients: Iterable[tuple[str, float]]) -> float:
        some = candidates.of(self.measure)
        lists = some.lists(scores_of(some, tuple(coefficients)), self.k)
        return float(Targets(self._targets(self.measure)).measure(lists)[self.metric].mean())

    def _targets(self, users: Iterable[int]) -> list[Collection[int]]:
        return [self.targets[user] for user in users]


def choose_fusion(
    collect: Collect,
    targets: Sequence[Collection[int]],
    base: Fusion,
    *,
    metric: Metric = "recall",
    k: int = 10,
    trials: int = 24,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Choice:
    """Return the best of about ``trials`` settings of the learned fusion ``base``.

    collect: candidates of the users of ``targets`` by a fusion. Half of the settings are drawn, the
    others are steps from the best one. The base's own coefficients are tried, too: few users fit
    noise. progress counts settings.

    Raises:
        UsageError: too few users have a target among their candidates.
    """
    search = _Search(collect, targets, base, metric, k, seed)
    as_it_is = search.try_base()
    for setting in _first(Setting.of(base), trials, seed):
        search.try_setting(setting)
        progress(len(search.tried), trials)
    while len(search.tried) < trials:
        best = _best(search.tried.values())
        if not (steps := [one for one in best.setting.neighbours() if one not in search.tried]):
            break
        for setting in steps[: trials - len(search.tried)]:
            search.try_setting(setting)
            progress(len(search.tried), trials)
    progress(trials, trials)
    best = _best([as_it_is, *search.tried.values()])
    fusion = search.fit_again(best.setting) if best.is_fitted else base
    return Choice(fusion, (as_it_is, *search.tried.values()))


def _first(base: Setting, trials: int, seed: int) -> Iterator[Setting]:
    """Yield the setting of the base, then drawn ones, about half of ``trials`` in all."""
    chance = np.random.default_rng(seed + 1)
    yield base
    for _ in range(1, max(1, trials // 2)):
        yield draw(chance)


def _best(tried: Iterable[Tried]) -> Tried:
    """Return the first of the highest values; rounded, so that the last digits decide nothing."""
    return max(tried, key=lambda one: round(one.value, 9))
