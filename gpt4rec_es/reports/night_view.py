"""The page of a night: its verdict, figures, tables and charts from its facts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup

from gpt4rec_es.options.item_pictures import ItemPictures
from gpt4rec_es.reports.night import NightFacts
from gpt4rec_es.reports.night_figures import Counts, figures
from gpt4rec_es.reports.night_tables import tables
from gpt4rec_es.reports.numbers import plural, share
from gpt4rec_es.reports.page import Link
from gpt4rec_es.reports.pages import render
from gpt4rec_es.reports.plots import Point, concentration, quality
from gpt4rec_es.reports.tables import Table, shown
from gpt4rec_es.reports.verdict import Night, Verdict, judge


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar of 100 %."""

    name: str
    text: str
    percent: float


def render_night(
    facts: NightFacts, links: Sequence[Link] = (), pictures: ItemPictures | None = None
) -> str:
    """Return the page of a night, with links to other pages of its folder."""
    counts = Counts.of(facts)
    groups = [(row[1], row[2]) for row in facts.found["concentration"].rows]
    sources = [
        {**row, "source": shown("source", row["source"])} for row in facts.found["sources"].dicts()
    ]
    return render(
        "night.html",
        pictures=pictures,
        run=facts.run,
        run_rows=facts.run_rows,
        verdict=verdict(facts),
        figures=figures(facts, counts),
        previous_date=facts.previous_date,
        tables=tables(facts),
        stages=_segments(facts.found["stages"].dicts(), "stage", "seconds"),
        sources=_segments(sources, "source", "recommendations"),
        curve=concentration(groups, counts.offered),
        curve_says=_concentration(groups),
        hit_rates=_hit_rates(facts.found["quality"].dicts()),
        youngest=_youngest(facts.found["quality"].dicts()),
        never=counts.offered - counts.items,
        cards=facts.cards,
        links=links,
    )


# Tables of a mail with their columns, of which no more fit on a phone, and none has ids of users.
_MAILED = {
    "gates": ("gate", "has_passed", "measured"),
    "queries": ("query", "users", "hits"),
    "rising": ("query", "before", "now", "change"),
    "falling": ("query", "before", "now", "change"),
    "without_hits": ("query", "users", "titles"),
    "most_shown": ("title", "users"),
    "quality": ("logical_date", "days", "rate", "popular"),
}
_MAILED_ROWS = 5


def render_mail(facts: NightFacts) -> str:
    """Return a short version of the page to send as a mail: no scripts, links, charts or users.

    Its styles are inline by hand: one template of this size needs no library for it.
    """
    made = tables(facts)
    mailed = [_mailed(made[name], columns) for name, columns in _MAILED.items()]
    return render(
        "mail.html",
        run=facts.run,
        verdict=verdict(facts),
        figures=figures(facts, Counts.of(facts)),
        tables=[table for table in mailed if table.rows],
    )


def _mailed(full: Table, columns: Sequence[str]) -> Table:
    kept = [place for place, one in enumerate(full.columns) if one.name in columns]
    # Of gates those that did not pass are news.
    rows = [row for row in full.rows if not any(cell.passed for cell in row)]
    return replace(
        full,
        columns=tuple(full.columns[place] for place in kept),
        rows=[[row[place] for place in kept] for row in rows[:_MAILED_ROWS]],
    )


def verdict(facts: NightFacts) -> Verdict:
    """Return the traffic light of a night."""
    counts, gates = Counts.of(facts), facts.found["gates"].dicts()
    before = [
        row["users"]
        for row in facts.found["nights"].dicts()
        if row["logical_date"] == facts.previous_date
    ]
    return judge(
        Night(
            run=facts.run,
            gates={row["gate"]: row["has_passed"] for row in gates if row["is_blocking"]},
            warnings=tuple(
                row["gate"] for row in gates if not (row["is_blocking"] or row["has_passed"])
            ),
            served=counts.served,
            full=counts.full,
            places=counts.places,
            fallbacks=counts.fallbacks,
            held_back=counts.held_back,
            users_before=before[0] if before else None,
            changes=facts.one("changes") or None,
        )
    )


def _segments(rows: Sequence[dict[str, Any]], name: str, column: str) -> list[Segment]:
    whole = sum(float(row[column] or 0) for row in rows)
    return [
        Segment(str(row[name]), share(float(row[column] or 0), whole), _percent(row[column], whole))
        for row in rows
        if whole
    ]


def _percent(part: Any, whole: float) -> float:
    return round(100 * float(part or 0) / whole, 2)


def _hit_rates(rows: Sequence[dict[str, Any]]) -> Markup:
    """Return the chart of measured hit rates by night, of the youngest age that was measured."""
    days = _youngest(rows)
    measured = [row for row in rows[::-1] if row["days"] == days and row["rate"] is not None]

    def points(name: str, what: str) -> list[Point]:
        return [
            Point(
                place,
                row[name],
                f"{row['logical_date']}, {what}: {share(row[name], 1)}",
                row.get(f"{name}_low"),
                row.get(f"{name}_high"),
            )
            for place, row in enumerate(measured)
            if row[name] is not None
        ]

    dates = [str(row["logical_date"]) for row in measured]
    return quality(dates, points("rate", "the lists"), points("popular", "popular items"))


def _youngest(rows: Sequence[dict[str, Any]]) -> int:
    """Return the smallest number of days after a night that was measured."""
    return min((row["days"] for row in rows), default=0)


def _concentration(groups: Sequence[tuple[int, int]]) -> str:
    """Return how much of the lists the most recommended twentieth of the items has."""
    if not groups:
        return ""
    whole = sum(given for _, given in groups)
    items, given = groups[0]
    return (
        f"The {plural(items, 'most recommended item')} have {share(given, whole)} of all "
        f"{plural(whole, 'recommendation')}."
    )
