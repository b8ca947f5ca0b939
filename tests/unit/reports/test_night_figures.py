"""Figures of the first screen whose words depend on what is known."""

import datetime as dt
from typing import Any

import pytest

from gpt4rec_es.db.rows.readings import Rows
from gpt4rec_es.reports.night_figures import _cost_figures
from gpt4rec_es.reports.numbers import NARROW as N

RUN: dict[str, Any] = {"duration_s": 1.0, "finished_at": dt.datetime(2026, 11, 22, tzinfo=dt.UTC)}


class Facts:
    """Facts of a night, of its cost alone."""

    run = RUN

    def __init__(self, texts: int, searches: int | None) -> None:
        stages = [("generate", 61.0), ("search", 0.5)]
        self.found = {"stages": Rows(("stage", "seconds"), stages, (), "")}
        self._cost = {"searched_texts": texts, "searches": searches, "tokens": 0, "prompts": 0}

    def one(self, _: str) -> dict[str, Any]:
        return self._cost


@pytest.mark.parametrize(
    ("texts", "searches", "shown"),
    [
        (200, 50, ("Searches reused", f"75{N}%", "50 made for 200 queries")),
        (200, None, ("Searches reused", f"100{N}%", "0 made for 200 queries")),
        (1, 40, ("Searches made", "40", "for 1 query, and for titles of purchases")),
        (0, 0, ("Searches reused", "\u2013", "0 made for 0 queries")),
    ],
)
def test_more_searches_than_queries_are_no_share(
    texts: int, searches: int | None, shown: tuple[str, str, str]
) -> None:
    (figure,) = [
        one
        for one in _cost_figures(Facts(texts, searches), None)  # type: ignore[arg-type]
        if one.key == "searches"
    ]
    assert (figure.label, figure.value, figure.detail) == shown


def test_the_duration_names_the_stages_as_long_as_they_are_known() -> None:
    facts = Facts(1, 1)
    (shown,) = [one for one in _cost_figures(facts, None) if one.key == "duration"]  # type: ignore[arg-type]
    assert shown.detail == f"generate 1{N}min 01{N}s, search 0.5{N}s"
    facts.found = {"stages": Rows(("stage", "seconds"), [], (), "")}
    (pruned,) = [one for one in _cost_figures(facts, None) if one.key == "duration"]  # type: ignore[arg-type]
    assert pruned.detail == "ended 2026-11-22 00:00 UTC"
