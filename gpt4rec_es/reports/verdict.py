"""The traffic light of a night: one word, and the reason in a sentence.

The light is also a word and a shape, so it does not depend on colour.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gpt4rec_es.reports.numbers import count, plural, share, short

Light = Literal["good", "look", "stop"]

# A published night below these is worth a look; the gates, which may refuse it, are the shop's.
FULL_LISTS = 0.99
FALLBACKS = 0.10
COHORT = 0.90
KEPT = 0.50


@dataclass(frozen=True, slots=True)
class Verdict:
    """light, the word beside it, the reason in a sentence, and further remarks."""

    light: Light
    word: str
    sentence: str
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Night:
    """What the light depends on.

    gates: names of those that block -> whether they passed; warnings: names of others that did not
    pass. served: number of users with a list; held_back: of those that a holdback takes, which may
    get none. full: number of full lists. None: not known any more. changes: row of list_changes;
    None: no night to compare with.
    """

    run: Mapping[str, Any]
    gates: Mapping[str, bool]
    served: int | None
    full: int | None
    places: int
    fallbacks: int | None
    users_before: int | None
    changes: Mapping[str, Any] | None
    warnings: tuple[str, ...] = ()
    held_back: int = 0


def judge(night: Night) -> Verdict:
    """Return the verdict on a night."""
    failed = [name for name, passed in night.gates.items() if not passed]
    if night.run["run_state"] != "published":
        return Verdict("stop", "Not published", _not_published(night.run, night.gates, failed))
    remarks = tuple(_remarks(night, failed))
    lists = "its lists are not known any more"
    if night.served is not None:
        lists = f"{plural(night.served, 'user')} of {count(night.run['cohort_size'])} have a list"
    if night.served is not None and night.full is not None:
        lists += f", and {share(night.full, night.served)} of the lists are full"
    if remarks:
        return Verdict("look", "Worth a look", f"Published, but {remarks[0]}.", remarks[1:])
    if not night.gates:
        return Verdict("good", "Good", f"Published: {lists}.")
    return Verdict(
        "good", "Good", f"Published: all {plural(len(night.gates), 'gate')} passed, {lists}."
    )


def _not_published(run: Mapping[str, Any], gates: Mapping[str, bool], failed: Sequence[str]) -> str:
    state = run["run_state"]
    if state == "rejected" and failed and run["canary_user_count"] and not run["canary_passed_at"]:
        return (
            f"Not published: {plural(len(failed), 'gate')} of {len(gates)} refused the canary, the "
            f"first {plural(run['canary_user_count'], 'user')} of {count(run['cohort_size'])} "
            f"({', '.join(failed)}). The others were not served. Customers keep the lists "
            "published before."
        )
    if state == "rejected" and failed:
        return (
            f"Not published: {plural(len(failed), 'gate')} of {len(gates)} failed "
            f"({', '.join(failed)}). Customers keep the lists published before."
        )
    if run["run_error"]:
        return f"Not published: the run is {state}: {short(run['run_error'])}."
    return f"Not published: the run is {state}."


def _remarks(night: Night, failed: Sequence[str]) -> list[str]:
    cohort, found = night.run["cohort_size"], []
    if failed:
        found.append(
            f"an operator published it although {plural(len(failed), 'gate')} failed "
            f"({', '.join(failed)})"
        )
    if night.warnings:
        found.append(f"{plural(len(night.warnings), 'gate')} warned ({', '.join(night.warnings)})")
    served = night.served or 0
    if night.served is not None and served + night.held_back < cohort:
        found.append(f"{plural(cohort - served - night.held_back, 'user')} got no list")
    if night.full is not None and night.full < FULL_LISTS * served:
        found.append(f"only {share(night.full, served)} of the lists are full")
    if night.fallbacks is not None and night.fallbacks > FALLBACKS * night.places:
        found.append(f"{share(night.fallbacks, night.places)} of all places are fallbacks")
    if night.users_before and cohort < COHORT * night.users_before:
        found.append(
            f"it has {share(night.users_before - cohort, night.users_before)} fewer users than the "
            "night before"
        )
    if night.changes:
        pairs = night.changes["kept"] + night.changes["gained"]
        if night.changes["kept"] < KEPT * pairs:
            found.append(
                f"{share(night.changes['gained'], pairs)} of the recommendations are other items "
                "than the night before"
            )
    return found
