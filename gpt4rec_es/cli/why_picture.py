"""One explanation as an SVG: purchases, the queries generated from them, and the items they found.

Drawn from the explanation alone, so equal explanations give equal pictures.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gpt4rec_es import svg

_STAGES = (
    ("purchases", "Postgres"),
    ("prompt and queries", "GPT-2, beam search"),
    ("hits", "Elasticsearch, BM25"),
    ("list with reasons", "merge, then gates"),
)
_COLUMNS = (20, 360, 700)
_WIDTH, _BOX_W, _BOX_H, _ROW = 1000, 280, 34, 44
_TOP = 130
_CHARACTERS = {12: 38, 10: 45}  # that fit a box, by font size in pixels
_PURCHASES, _QUERIES, _ITEMS = "#dbe9f6", "#fdf0d5", "#dff0d8"


def render_picture(data: Mapping[str, Any], reasons: Sequence[str]) -> str:
    """Return an SVG of ``data``, an explanation as a dict; ``reasons`` are parallel to its list."""
    history, queries, items = data["history"], data["queries"], data["recommendations"]
    height = _TOP + 30 + _ROW * max(len(history), len(queries), len(items), 1)
    places = {query["query_rank"]: row for row, query in enumerate(queries)}
    bought = {entry["item_id"]: row for row, entry in enumerate(history)}
    read = len(history) if queries else 0  # without queries no prompt was made of them
    lines = [_line(0, row, 1, None, len(queries)) for row in range(read)]
    for row, item in enumerate(items):
        if item["query_rank"] in places:
            lines.append(_line(1, places[item["query_rank"]], 2, row))
        elif (item["from_item"] or {}).get("item_id") in bought:
            lines.append(_line(0, bought[item["from_item"]["item_id"]], 2, row))
    return svg.picture(
        _WIDTH,
        height,
        12,
        [
            *_flow(),
            *(
                svg.text(x, _TOP - 14, title, size=14, weight="bold")
                for x, title in zip(
                    _COLUMNS,
                    (
                        "purchases in the prompt" if queries else "purchases",
                        "queries",
                        "recommended",
                    ),
                    strict=True,
                )
            ),
            *lines,
            *(_box(0, row, _PURCHASES, entry["title"], "") for row, entry in enumerate(history)),
            *(
                _box(1, row, _QUERIES, query["query"], f"beam score {query['beam_score']:.2f}")
                for row, query in enumerate(queries)
            ),
            *(
                _box(2, row, _ITEMS, item["title"], reason)
                for row, (item, reason) in enumerate(zip(items, reasons, strict=True))
            ),
        ],
    )


def _flow() -> list[str]:
    """Return the stages of a night, left to right."""
    width, gap = 210, 40
    parts = []
    for place, (what, where) in enumerate(_STAGES):
        x = 20 + place * (width + gap)
        parts += [
            f'<rect x="{x}" y="20" width="{width}" height="56" rx="8" fill="#eeeeee"/>',
            svg.text(x + 12, 44, what, size=15, weight="bold"),
            svg.text(x + 12, 64, where, size=12, colour="#555555"),
        ]
        if place:
            parts.append(
                f'<path d="M{x - gap + 6} 48 H{x - 8} m-7 -6 l7 6 l-7 6" '
                'fill="none" stroke="#555555" stroke-width="2"/>'
            )
    return parts


def _line(column: int, row: int, to_column: int, to_row: int | None, rows: int = 0) -> str:
    """Return a curve from one box to another; ``to_row`` None: to the middle of ``rows`` boxes."""
    x, y = _COLUMNS[column] + _BOX_W, _TOP + row * _ROW + _BOX_H / 2
    end = _COLUMNS[to_column]
    place = max(rows - 1, 0) / 2 if to_row is None else to_row
    to_y = _TOP + place * _ROW + _BOX_H / 2
    middle = (x + end) / 2
    return (
        f'<path d="M{x} {y:g} C{middle:g} {y:g} {middle:g} {to_y:g} {end} {to_y:g}" '
        'fill="none" stroke="#999999"/>'
    )


def _box(column: int, row: int, colour: str, title: str | None, below: str) -> str:
    x, y = _COLUMNS[column], _TOP + row * _ROW
    second = (
        [svg.text(x + 8, y + 29, _short(below, 10), size=10, colour="#555555")] if below else []
    )
    return "\n".join(
        [
            f'<rect x="{x}" y="{y}" width="{_BOX_W}" height="{_BOX_H}" rx="4" fill="{colour}"/>',
            svg.text(x + 8, y + (15 if below else 21), _short(title or "(no title)", 12), size=12),
            *second,
        ]
    )


def _short(text: str, size: int) -> str:
    limit = _CHARACTERS[size]
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"
