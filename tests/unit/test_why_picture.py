"""The picture of an explanation: well-formed, complete, with a line for each reason."""

import xml.etree.ElementTree as ET
from typing import Any

from gpt4rec_es.cli.why_picture import render_picture

SVG = "{http://www.w3.org/2000/svg}"


def explanation(**changed: Any) -> dict[str, Any]:
    history = [{"item_id": "a", "title": "RED & <BLUE> MUG"}, {"item_id": "b", "title": None}]
    queries = [
        {"query_rank": 1, "query": "red cup", "beam_score": -0.25},
        {"query_rank": 2, "query": "x" * 80, "beam_score": -1.0},
    ]
    items = [
        {"title": "RED CUP", "query_rank": 1, "from_item": None},
        {"title": "BLUE CUP", "query_rank": None, "from_item": {"item_id": "b"}},
        {"title": "LAMP", "query_rank": None, "from_item": None},
    ]
    return {"history": history, "queries": queries, "recommendations": items, **changed}


def parse(data: dict[str, Any]) -> tuple[list[str], int]:
    """Return the texts of the picture and its number of curves between boxes."""
    reasons = [f"reason {n}" for n, _ in enumerate(data["recommendations"], start=1)]
    root = ET.fromstring(render_picture(data, reasons))  # noqa: S314  # our own text
    curves = [path for path in root.iter(f"{SVG}path") if " C" in path.get("d", "")]
    return [text.text or "" for text in root.iter(f"{SVG}text")], len(curves)


def test_titles_queries_and_reasons_are_shown_and_long_texts_cut() -> None:
    texts, _ = parse(explanation())
    assert {"RED & <BLUE> MUG", "(no title)", "red cup", "beam score -0.25", "LAMP"} <= set(texts)
    assert {"reason 1", "reason 2", "reason 3"} <= set(texts)
    assert max(len(text) for text in texts) == 38


def test_each_purchase_and_each_reason_has_its_line() -> None:
    _, curves = parse(explanation())
    assert curves == 2 + 2  # two purchases to the queries; a query and a purchase to items


def test_without_queries_purchases_lead_to_items_only() -> None:
    texts, curves = parse(explanation(queries=[]))
    assert "purchases" in texts
    assert curves == 1


def test_a_user_without_anything_has_a_picture() -> None:
    texts, curves = parse(explanation(history=[], queries=[], recommendations=[]))
    assert "recommended" in texts
    assert curves == 0
