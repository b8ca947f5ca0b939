"""The traffic light and its sentence."""

import dataclasses
from typing import Any

import pytest

from gpt4rec_es.reports.numbers import NARROW as N
from gpt4rec_es.reports.verdict import Night, judge

CANARY = {"canary_user_count": None, "canary_passed_at": None}
RUN = {"run_state": "published", "cohort_size": 1000, "run_error": None, "k": 10, **CANARY}
CHANGES = {"kept": 9000, "gained": 1000, "lost": 900}
GOOD = Night(RUN, {"a": True, "b": True}, 1000, 1000, 10_000, 0, 1000, CHANGES)


def test_a_good_night() -> None:
    found = judge(GOOD)
    assert (found.light, found.remarks) == ("good", ())
    assert found.sentence == (
        f"Published: all 2 gates passed, 1{N}000 users of 1{N}000 have a list, and 100{N}% of the "
        "lists are full."
    )


def test_without_gates_none_passed() -> None:
    assert judge(dataclasses.replace(GOOD, gates={})).sentence.startswith(
        f"Published: 1{N}000 users"
    )


def test_a_night_whose_lists_are_not_known() -> None:
    found = judge(dataclasses.replace(GOOD, served=None, full=None, places=0, changes=None))
    assert found.light == "good"
    assert "its lists are not known any more" in found.sentence


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"gates": {"a": False, "b": True}},
            "an operator published it although 1 gate failed (a)",
        ),
        ({"warnings": ("c", "d")}, "2 gates warned (c, d)"),
        ({"served": 999, "full": 999}, "1 user got no list"),
        ({"served": 900, "full": 900, "held_back": 90}, "10 users got no list"),
        ({"full": 989}, f"only 98.9{N}% of the lists are full"),
        ({"fallbacks": 1001}, f"10{N}% of all places are fallbacks"),
        ({"users_before": 1200}, f"it has 16.7{N}% fewer users than the night before"),
        (
            {"changes": {"kept": 4000, "gained": 6000}},
            f"60{N}% of the recommendations are other items than the night before",
        ),
    ],
)
def test_a_night_worth_a_look(change: dict[str, Any], said: str) -> None:
    found = judge(dataclasses.replace(GOOD, **change))
    assert found.light == "look"
    assert found.sentence == f"Published, but {said}."


def test_fallbacks_that_are_not_known_are_no_reason() -> None:
    assert judge(dataclasses.replace(GOOD, fallbacks=None)).light == "good"


def test_further_remarks_follow_the_first() -> None:
    found = judge(dataclasses.replace(GOOD, full=500, fallbacks=5000))
    assert found.remarks == (f"50{N}% of all places are fallbacks",)


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (
            {"run_state": "rejected"},
            "Not published: 1 gate of 2 failed (a). Customers keep the lists published before.",
        ),
        (
            {"run_state": "rejected", "canary_user_count": 200},
            (
                f"Not published: 1 gate of 2 refused the canary, the first 200 users of 1{N}000 "
                "(a). The others were not served. Customers keep the lists published before."
            ),
        ),
        (
            {"run_state": "rejected", "canary_user_count": 200, "canary_passed_at": 1},
            "Not published: 1 gate of 2 failed (a). Customers keep the lists published before.",
        ),
        (
            {"run_state": "failed", "run_error": "no disk\x1b"},
            "Not published: the run is failed: no disk\\x1b.",
        ),
        ({"run_state": "merging"}, "Not published: the run is merging."),
    ],
)
def test_a_night_that_is_not_published(run: dict[str, Any], said: str) -> None:
    night = dataclasses.replace(GOOD, run={**RUN, **run}, gates={"a": False, "b": True})
    found = judge(night)
    assert (found.light, found.sentence) == ("stop", said)
