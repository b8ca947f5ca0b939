"""The heat map shows every measured point, coloured by value, and the marked points."""

import re
import xml.etree.ElementTree as ET

from gpt4rec_es.lab.tuning.choose import DEFAULTS, coarse_points, fine_points
from gpt4rec_es.lab.tuning.heatmap import Heatmap, render_heatmap
from gpt4rec_es.records import Bm25

SVG = "{http://www.w3.org/2000/svg}"
LOWEST, HIGHEST = "#00224e", "#fee838"


def draw(values: dict[Bm25, float], marks: dict[str, Bm25] | None = None) -> ET.Element:
    found = Heatmap("a < b & c", "subtitle", "recall@10", values, marks or {})
    return ET.fromstring(render_heatmap(found))  # noqa: S314 -- written by ourselves


def texts(drawn: ET.Element) -> list[str]:
    return ["".join(node.itertext()) for node in drawn.iter(f"{SVG}text")]


def test_every_point_has_a_dot_with_its_value() -> None:
    points = coarse_points(DEFAULTS)
    points += fine_points(DEFAULTS, points)
    drawn = draw({point: n / 1000 for n, point in enumerate(points)})
    titles = ["".join(node.itertext()) for node in drawn.iter(f"{SVG}title")]
    assert titles[0] == "k1 1.2, b 0.75: 0.0000"
    assert len(titles) == len(points)


def test_colours_follow_values() -> None:
    drawn = draw({Bm25(1.0, 0.2): 0.1, Bm25(2.0, 0.2): 0.2, Bm25(2.0, 0.8): 0.3})
    cells = [
        (float(node.attrib["x"]), float(node.attrib["y"]), node.attrib["fill"])
        for node in drawn.iter(f"{SVG}rect")
        if node.attrib["fill"].startswith("#") and float(node.attrib["x"]) < 640
    ]
    assert len(cells) == 4, "the place that was not measured has the colour of its nearest point"
    left_bottom = min(cells, key=lambda cell: (cell[0], -cell[1]))
    right_top = min(cells, key=lambda cell: (-cell[0], cell[1]))
    assert (left_bottom[2], right_top[2]) == (LOWEST, HIGHEST)


def test_marks_stand_at_their_points_and_in_the_legend() -> None:
    values = {Bm25(1.0, 0.2): 0.1, Bm25(2.0, 0.8): 0.3}
    drawn = draw(values, {"best": Bm25(2.0, 0.8), "live": Bm25(1.0, 0.2)})
    shown = texts(drawn)
    assert "best (2, 0.8): 0.3000" in shown
    assert "live (1, 0.2): 0.1000" in shown
    dots = {(node.attrib["cx"], node.attrib["cy"]) for node in drawn.iter(f"{SVG}circle")}
    places = re.findall(r"translate\(([\d.]+) ([\d.]+)\)", ET.tostring(drawn, "unicode"))
    assert dots <= {tuple(place) for place in places}
    assert {"a < b & c", "subtitle", "recall@10", "0.1000", "0.2000", "0.3000"} <= set(shown)


def test_one_point_and_equal_values_can_be_drawn() -> None:
    assert "0.5000" in texts(draw({DEFAULTS: 0.5}))
    assert "0.5000" in texts(draw({Bm25(0, 0): 0.5, Bm25(999, 1): 0.5}))
