"""What a gate gets, what it returns, and the bounds that measured values are compared with."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from elasticsearch import Elasticsearch
from sqlalchemy import Connection

from gpt4rec_es.db.rows.measures import Measured
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.night.inputs.manifest import differing_inputs
from gpt4rec_es.night.inputs.parts import NightParts
from gpt4rec_es.options.features import OF_QUERIES
from gpt4rec_es.options.gates import MIN_USUAL_NIGHTS, GateLimits
from gpt4rec_es.options.lists import Fusion

# Standard errors that chance may add to a fraction of few users.
_CHANCE = 3.0


class Verdict(NamedTuple):
    """Whether a run passes a gate, what was measured, and what is required, as texts.

    is_blocking False: a run that does not pass is published with a warning.
    """

    passed: bool
    measured: str
    required: str
    is_blocking: bool = True


@dataclass(frozen=True)
class Checked:
    """A run that is being checked. before: the run that it would replace; None: there is none.

    forced: gates that refused what is in that one, which an operator published all the same.
    usual: medians of the last nights by the same recipe, generator and rules; nights_alike: their
    number, at most 7.
    """

    parts: NightParts
    connection: Connection
    run: Run
    before: Run | None
    measures: dict[str, Measured] = field(default_factory=dict)
    usual: Mapping[str, float] = field(default_factory=dict)
    earlier: Mapping[str, Measured] = field(default_factory=dict)
    nights_alike: int = 0
    forced: Collection[str] = ()

    @property
    def elastic(self) -> Elasticsearch:
        """The search cluster."""
        return self.parts.elastic

    @cached_property
    def limits(self) -> GateLimits:
        """The limits in the run's manifest."""
        return GateLimits.from_dict(self.run.manifest["gates"])

    @cached_property
    def weights(self) -> dict[str, float]:
        """Source -> weight of the run's recipe, without sources of weight 0."""
        weights = Fusion.from_dict(self.run.manifest.get("fusion")).weights
        return {name: weight for name, weight in weights if weight > 0}

    @property
    def users(self) -> int:
        """Number of users that are judged: the cohort, or the canary alone."""
        run = self.run
        return (run.canary_users or 0) if run.is_canary else run.cohort_size

    def room(self, limit: float, n: int) -> float:
        """Return what chance may add to a fraction of ``n`` users of a canary; else 0.

        Also of a mean of values between 0 and 1, which varies at most as a fraction does.
        """
        return chance_of(limit, n) if self.run.is_canary else 0.0

    @property
    def alone(self) -> str:
        """What to add to limits that no median joins; empty: there are enough nights."""
        if self.nights_alike >= MIN_USUAL_NIGHTS:
            return ""
        return f"; limits alone: {self.nights_alike} nights by this recipe, generator and rules"

    @property
    def writes_queries(self) -> bool:
        """Whether the run writes queries: they have weight, and there is a generator."""
        return not OF_QUERIES.isdisjoint(self.weights) and self.run.generator_no is not None

    def add(self, name: str, value: float | None, n: int) -> None:
        """Keep a measure of the run with those of earlier nights."""
        before = self.earlier.get(name)
        self.measures[name] = Measured(
            value, n, self.usual.get(name), None if before is None else before.value
        )

    def add_fraction(self, name: str, part: int, total: int) -> None:
        """Keep the measure ``part / total``; of 0 it has no value."""
        self.add(name, part / total if total else None, total)


def chance_of(fraction: float, n: int) -> float:
    """Return what chance may add to a fraction of ``n``: three standard errors."""
    expected = min(max(fraction, 1 / n), 1 - 1 / n) if n > 1 else 0.5
    return _CHANCE * math.sqrt(expected * (1 - expected) / max(n, 1))


def most_by_usual(found: Measured, limits: GateLimits) -> float | None:
    """Return the largest fraction that the last nights allow; None: too few nights have it."""
    if found.usual is None:
        return None
    allowed = found.usual * limits.rise + limits.room
    return min(1.0, allowed + chance_of(allowed, found.n))


def is_low(found: Measured, limit: float, limits: GateLimits, *, small_n: bool = False) -> bool:
    """Return whether a fraction is within its limit and what the last nights allow.

    A limit of 1 judges nothing; without a value it is never within another. small_n: add what
    chance may add for few users to the limit as well.
    """
    if limit >= 1:
        return True
    if found.value is None:
        return False
    bounds = [limit + (chance_of(limit, found.n) if small_n else 0)]
    if (usual := most_by_usual(found, limits)) is not None:
        bounds.append(usual)
    return found.value <= min(bounds)


def usually(found: Measured, form: str = ".1%") -> str:
    """Return the median of the last nights in words; empty: too few nights have it."""
    return "" if found.usual is None else f", usually {found.usual:{form}}"


# Entries that change no list.
_WITHOUT_EFFECT = ("gates", "shard_sizes", "daily_min_users")


def changed_inputs(checked: Checked) -> list[str]:
    """Return what operators changed since the run that is compared: recipe, generator ..."""
    if checked.before is None:
        return []
    return differing_inputs(checked.before.manifest, checked.run.manifest)


def is_made_as_before(checked: Checked) -> bool:
    """Return whether the generator, the recipe, the build and the code are those of before."""
    before = checked.before
    return (
        before is not None
        and not changed_inputs(checked)
        and before.build_no == checked.run.build_no
        and before.code_version == checked.run.code_version
    )


def has_equal_inputs(checked: Checked) -> bool:
    """Return whether all inputs of the run and of the one that is compared are equal.

    Never with a re-ranker, which may read attributes of users that changed.
    """
    before, run = checked.before, checked.run
    if before is None or run.reranker_no is not None:
        return False
    old, new = (
        {name: value for name, value in one.manifest.items() if name not in _WITHOUT_EFFECT}
        for one in (before, run)
    )
    return old == new and before.co_purchase_set_no == run.co_purchase_set_no
