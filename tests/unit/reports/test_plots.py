"""Charts with axes are parts of a page: their colours are its own, and equal data equal bytes."""

import re

import pytest
from matplotlib import rc_context

from gpt4rec_es.reports.plots import Point, concentration, quality, tried
from tests.pages import Node, read_page

NIGHTS = ("2026-11-21", "2026-11-22", "2026-11-23")


def hit_rates(*rates: float) -> str:
    points = [
        Point(x, y, f"{NIGHTS[x]}: {y}", max(y - 0.1, 0), min(y + 0.1, 1))
        for x, y in enumerate(rates)
    ]
    return quality(NIGHTS[: len(rates)], points, [Point(one.x, one.y / 2, "p") for one in points])


CHARTS = {
    "concentration": lambda: concentration([(1, 50), (2, 30), (3, 10)], 10),
    "quality": lambda: hit_rates(0.2, 0.5, 1.0),
    "tried": lambda: tried("History", "ndcg@10", [Point(10, 0.1, "10: 0.1"), Point(20, 0.2, "b")]),
}


def chart(name: str) -> Node:
    return read_page(CHARTS[name]()).one("svg")


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_has_the_colours_of_its_page_and_nothing_of_its_making(name: str) -> None:
    drawn = CHARTS[name]()
    with rc_context({"font.size": 30, "axes.grid": False, "lines.marker": "x"}):
        assert drawn == CHARTS[name]()
    assert not re.search(r"#[0-9a-f]{6}\b|<style|<metadata|font-family|matplotlib|\dT\d", drawn)
    assert set(re.findall(r"var\(--([a-z]+)\)", drawn)) <= {
        *("soft", "line", "bar", "wash", "second"),
    }
    # Names of what is drawn several times are those of this chart alone.
    assert set(re.findall(r"#(\w+)", drawn)) == set(re.findall(r' id="(m?p?\w{11})"', drawn))
    assert chart(name).attributes["aria-label"]


def test_each_point_says_its_numbers() -> None:
    titles = [node.children for node in chart("concentration").all("title")]
    assert titles == [
        ["10\u202f% of the items: 55.6\u202f% of the recommendations"],
        ["30\u202f% of the items: 88.9\u202f% of the recommendations"],
        ["60\u202f% of the items: 100\u202f% of the recommendations"],
        ["the other 4 items: none"],
    ]
    assert [node.children for node in chart("tried").all("title")] == [["10: 0.1"], ["b"]]


def test_axes_have_units_and_names() -> None:
    shown = [node.text for node in chart("quality").all("text")]
    assert {"11-21", "11-22", "11-23", "night", "0 %", "50 %"} <= {
        one.replace("\u202f", " ") for one in shown
    }
    assert {"History", "ndcg@10"} <= {node.text for node in chart("tried").all("text")}


def test_there_is_no_chart_without_two_points() -> None:
    assert concentration([], 5) == ""
    assert hit_rates(0.5) == ""
    assert tried("History", "ndcg", [Point(1, 0.1, "a"), Point(1, 0.2, "b")]) == ""


def test_titles_of_points_are_escaped() -> None:
    drawn = tried("<b>", "m", [Point(1, 1, "<i>"), Point(2, 2, '"&')])
    assert "<b>" not in drawn
    assert "<i>" not in drawn
    assert [node.children for node in read_page(drawn).all("title")] == [["<i>"], ['"&']]
