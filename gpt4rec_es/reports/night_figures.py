"""The figures of the first screen of the page of a night."""

from dataclasses import dataclass
from typing import Any

from gpt4rec_es.reports import numbers
from gpt4rec_es.reports.charts import Spark, spark
from gpt4rec_es.reports.night import NightFacts
from gpt4rec_es.reports.numbers import count, plural, share


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of the first screen.

    detail: the numbers behind it; view: names of the views that have them. line: the last nights.
    """

    key: str
    label: str
    value: str
    detail: str
    view: str
    line: Spark | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """Sums over rows of a night.

    served: number of users with a list, None: not known, for a run that is older than counts of
    work; full: with k items, None: the lists were pruned. places:
    length of all lists, fallbacks included, without those of popular items that a holdback gives;
    fallbacks: number of places that they fill, None: a holdback's part of them was pruned.
    held_back: users that a holdback takes, with a list or without. items: number of recommended
    ones of ``offered`` ones.
    """

    served: int | None
    full: int | None
    places: int
    fallbacks: int | None
    held_back: int
    items: int
    offered: int

    @classmethod
    def of(cls, facts: NightFacts) -> "Counts":
        """Return the sums of a night."""
        lengths = facts.found["lengths"].dicts()
        outcomes = facts.found["outcomes"].dicts()
        listed = {row["source"]: int(row["recommendations"]) for row in _rows(facts, "sources")}
        served = None
        if lengths:
            served = sum(row["users"] for row in lengths if row["items"])
        elif outcomes:
            served = sum(int(row["users"]) for row in outcomes if row["outcome"] != "failed")
        held_back = sum(int(r["users"]) for r in outcomes if r["outcome"] == "held_back")
        arms = _rows(facts, "holdback")
        given = sum(int(row["places"]) for row in arms if row["arm"] == "popularity")
        fallbacks = listed.get("last_title", 0) + listed.get("popular", 0)
        catalog = facts.one("coverage")
        return cls(
            served=served,
            full=sum(row["users"] for row in lengths if row["is_full"]) if lengths else None,
            places=sum(listed.values()) - given,
            fallbacks=None if held_back and not arms else max(fallbacks - given, 0),
            held_back=held_back,
            items=catalog.get("recommended", 0),
            offered=catalog.get("offered", 0),
        )


def _rows(facts: NightFacts, name: str) -> list[dict[str, Any]]:
    return facts.found[name].dicts()


def figures(facts: NightFacts, counts: Counts) -> list[Figure]:
    """Return the figures of a night."""
    run, nights = facts.run, _rows(facts, "nights")[::-1]

    def line(column: str) -> Spark | None:
        values = [row[column] or 0 for row in nights]
        return spark(values) if len(values) > 1 else None

    found = [
        Figure(
            "users",
            "Users served",
            count(counts.served),
            f"of {plural(run['cohort_size'], 'user')}",
            "list_lengths",
            line("users"),
        ),
        Figure(
            "full",
            "Full lists",
            share(counts.full or 0, counts.served or 0)
            if counts.full is not None
            else numbers.NONE,
            f"{count(counts.full)} lists of {numbers.plural(run['k'], 'item')}",
            "list_lengths",
        ),
        Figure(
            "fallbacks",
            "Fallbacks",
            numbers.NONE if counts.fallbacks is None else share(counts.fallbacks, counts.places),
            f"{count(counts.fallbacks)} of {plural(counts.places, 'place')}",
            "run_work, holdback_arms" if counts.held_back else "run_work",
        ),
        Figure(
            "catalog",
            "Catalog shown",
            share(counts.items, counts.offered),
            f"{count(counts.items)} of {plural(counts.offered, 'item')}",
            "daily_coverage",
            line("items"),
        ),
    ]
    return (
        found
        + _quality(facts)
        + _change_figures(facts)
        + _cost_figures(facts, line("seconds"))
        + _gates(facts)
    )


def _quality(facts: NightFacts) -> list[Figure]:
    """Return the newest measured hit rate; nothing, while no night was measured."""
    measured = [row for row in _rows(facts, "quality") if row["is_complete"] and row["buyers"]]
    if not measured:
        return []
    row = measured[0]
    value, low, high, popular = (
        share(row[name] or 0, 1) for name in ("rate", "rate_low", "rate_high", "popular")
    )
    return [
        Figure(
            "quality",
            "Hit rate",
            value,
            f"{low} to {high}; popular items: {popular}; {plural(row['buyers'], 'buyer')} within "
            f"{plural(row['days'], 'day')} of {row['logical_date']}",
            "night_quality",
        )
    ]


def _change_figures(facts: NightFacts) -> list[Figure]:
    found = []
    if changes := facts.one("changes"):
        found.append(
            Figure(
                "changes",
                "Lists changed",
                share(changes["changed"], changes["compared"]),
                f"{count(changes['gained'])} items gained, {count(changes['lost'])} lost",
                "list_changes",
            )
        )
    queries = facts.one("query_changes")
    if facts.previous_date is not None and queries:
        found.append(
            Figure(
                "queries",
                "New queries",
                share(queries["new_queries"], queries["queries_now"]),
                f"{count(queries['new_queries'])} new, {count(queries['gone_queries'])} gone",
                "daily_queries",
            )
        )
    return found


def _cost_figures(facts: NightFacts, durations: Spark | None) -> list[Figure]:
    run, cost = facts.run, facts.one("cost")
    texts, searched = cost["searched_texts"], cost["searches"] or 0
    stages = ", ".join(
        f"{row['stage']} {numbers.seconds(row['seconds'])}" for row in _rows(facts, "stages")
    )
    # Titles of purchases are searched, too, and nothing counts those that were stored.
    is_known = searched <= texts
    return [
        Figure(
            "duration",
            "Duration",
            numbers.seconds(run["duration_s"]),
            stages or f"ended {numbers.moment(run['finished_at'])}",
            "runs, run_stages" if stages else "runs",
            durations,
        ),
        Figure(
            "tokens",
            "Tokens written",
            count(cost["tokens"] or 0),
            f"for {plural(cost['prompts'] or 0, 'new prompt')}",
            "run_work",
        ),
        Figure(
            "searches",
            "Searches reused" if is_known else "Searches made",
            share(texts - searched, texts) if is_known else count(searched),
            f"{count(searched)} made for {plural(texts, 'query', 'queries')}"
            if is_known
            else f"for {plural(texts, 'query', 'queries')}, and for titles of purchases",
            "run_work, daily_queries",
        ),
    ]


def _gates(facts: NightFacts) -> list[Figure]:
    gates = _rows(facts, "gates")
    passed = sum(row["has_passed"] for row in gates)
    return [
        Figure(
            "gates",
            "Gates passed",
            share(passed, len(gates)),
            f"{passed} of {len(gates)}",
            "gate_results",
        )
    ]
