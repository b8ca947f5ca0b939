"""Limits of the gates: constants with reasons, which one setting overrides by name.

The manifest of a run has all limits, so that a run is judged by those of its planning.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from gpt4rec_es.errors import UsageError

# Nights published last whose median a night is compared with, and how many of them it takes.
USUAL_NIGHTS = 7
MIN_USUAL_NIGHTS = 3


@dataclass(frozen=True, slots=True)
class GateLimits:
    """Limits of gates; a fraction of 1 judges nothing, nor does ``full`` of 0.

    failed: maximum fraction of users that a stage gave up. full: of the users with hits, minimum
    fraction with K items before fallbacks. fallbacks: maximum fraction of the users with titles of
    purchases that have no query, of those that have no hit, of lists that are mostly fallbacks,
    and of places that fallbacks fill. top_item: maximum fraction of lists with the most frequent
    item, where the catalog is much larger than a list. top_first_query: maximum fraction of users
    with the most frequent first query. repeating_queries, unknown_queries: maximum fractions of
    generated queries that repeat themselves, and that have no term of any title. rise: factor by
    which a fraction may exceed the median of the last nights, ``room`` apart. overlap: minimum
    mean Jaccard similarity with the published lists, unless an operator changed what makes lists.
    shrinkage: maximum fraction of users or items that are gone since the night before.
    price_factor: maximum factor between the median prices of two nights. held_out_users: users
    whose last purchase is hidden, at most ``held_out_share`` of the cohort, because each costs a
    generation. held_out_ratio: part of the published run's hit rate that a night must reach.
    clock_seconds: maximum difference between the clocks of the planner and of Postgres.
    canary_users, canary_share: users that are served and judged before all others, the larger of
    the two numbers; a share of 0: none.
    """

    failed: float = 0.001
    full: float = 0.99
    fallbacks: float = 0.2
    top_item: float = 0.5
    top_first_query: float = 0.5
    repeating_queries: float = 0.3
    unknown_queries: float = 0.3
    rise: float = 2.0
    room: float = 0.05
    overlap: float = 0.1
    shrinkage: float = 0.2
    price_factor: float = 5.0
    held_out_users: int = 2000
    held_out_share: float = 0.04
    held_out_ratio: float = 0.95
    clock_seconds: float = 600.0
    canary_users: int = 200
    canary_share: float = 0.01

    def __post_init__(self) -> None:
        """Refuse values that are no limits."""
        for one in fields(self):
            value = getattr(self, one.name)
            least = 1 if one.name == "rise" else 0
            most = 1 if one.name in _FRACTIONS else math.inf
            if not least <= value <= most or math.isinf(value):
                allowed = "between 0 and 1" if most == 1 else f"{least} or more"
                raise UsageError(
                    f"The gate limit {one.name} is {value:g}.", f"It must be {allowed}."
                )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "GateLimits":
        """Return the limits of a manifest; keys of other limits are ignored."""
        names = [one.name for one in fields(cls)]
        return cls(**{name: values[name] for name in names if name in values})

    def as_dict(self) -> dict[str, float]:
        """Return the limits by name, for manifests."""
        return asdict(self)


_FRACTIONS = {
    "failed",
    "full",
    "fallbacks",
    "top_item",
    "top_first_query",
    "repeating_queries",
    "unknown_queries",
    "room",
    "overlap",
    "shrinkage",
    "held_out_share",
    "held_out_ratio",
    "canary_share",
}


def read_limits(text: str) -> GateLimits:
    """Return the limits of a text such as ``top_item=0.8 shrinkage=0.5``; others are defaults.

    Raises:
        ValueError: a name or number is wrong.
    """
    known = {one.name: one.type for one in fields(GateLimits)}
    given: dict[str, float] = {}
    for pair in text.split():
        name, _, number = pair.partition("=")
        if name not in known:
            message = f"{name!r} is no limit; there are {', '.join(known)}"
            raise ValueError(message)
        if name in given:
            message = f"{name} is given twice"
            raise ValueError(message)
        try:
            given[name] = int(number) if known[name] is int else float(number)
        except ValueError as error:
            kind = "a whole number" if known[name] is int else "a number"
            message = f"{pair!r} is not NAME=NUMBER without spaces, with {kind}"
            raise ValueError(message) from error
    try:
        return GateLimits(**given)  # type: ignore[arg-type]  # some are ints
    except UsageError as error:
        raise ValueError(f"{error.message} {error.hint}".removesuffix(".")) from error


def write_limits(limits: GateLimits) -> str | None:
    """Return the limits that are not the defaults, as ``read_limits`` reads them; None: none."""
    default = GateLimits()
    changed = [
        f"{name}={value:g}"
        for name, value in limits.as_dict().items()
        if value != getattr(default, name)
    ]
    return " ".join(changed) or None
