"""The page that compares two runs: settings, lists, items, queries, sources and gates."""

from sqlalchemy import Engine

from gpt4rec_es.db.rows import page_index as rows
from gpt4rec_es.db.rows import page_night
from gpt4rec_es.db.rows.readings import Reading, Rows, Value, read
from gpt4rec_es.reports import numbers
from gpt4rec_es.reports.night import find_run
from gpt4rec_es.reports.night_figures import Figure
from gpt4rec_es.reports.numbers import count, share
from gpt4rec_es.reports.page import Page, Section, render_page
from gpt4rec_es.reports.tables import Column, Table, table

_FEW = 15
_CHANGE = (
    Column("before", "Before", "count"),
    Column("now", "Now", "count"),
    Column("change", "Change", "signed"),
)
_NO_SUMS = "None, or a run has no daily sums: another run counts for its date."
# Columns of a run that are results or follow from its date, not settings.
_NO_SETTINGS = {
    *("run_id", "run_kind", "logical_date", "attempt", "run_state", "is_published"),
    *("published_at", "planned_at", "finished_at", "duration_s", "run_error"),
    *("distinct_first_queries", "top_first_query_fraction"),
    *("canary_user_count", "canary_passed_at"),
    "manifest_hash",
}


def render_two_runs(engine: Engine, first: str, second: str) -> str:
    """Return the page of run ``second`` against run ``first``.

    Raises:
        UsageError: there is no such run.
    """
    with engine.connect() as plain:
        connection = plain.execution_options(isolation_level="REPEATABLE READ")
        now, before = find_run(connection, second), find_run(connection, first)
        values: dict[str, Value] = {"run_id": now, "other_id": before, "few": _FEW}
        runs = [read(connection, page_night.RUN, {"run_id": one}) for one in (before, now)]
        readings: dict[str, Reading] = {
            "lists": rows.TWO_RUNS,
            "sources": rows.TWO_SOURCES,
            "arms": rows.TWO_ARMS,
            "gained_items": rows.GAINED_ITEMS,
            "lost_items": rows.LOST_ITEMS,
            "gained_queries": rows.GAINED_QUERIES,
            "lost_queries": rows.LOST_QUERIES,
        }
        found = {name: read(connection, reading, values) for name, reading in readings.items()}
    return render_page(
        Page(
            "Two runs compared",
            f"Run {now} against run {before}",
            lead=_settings(*runs),
            figures=_figures(found["lists"]),
            sections=_sections(found),
            footer="The order of a list does not count as a change.",
        )
    )


def _settings(before: Rows, now: Rows) -> str:
    """Return which settings differ, in a sentence."""
    (old,), (new,) = before.dicts(), now.dicts()
    differing = [
        f"{name.replace('_', ' ')} {numbers.short(str(old[name]))} became "
        f"{numbers.short(str(new[name]))}"
        for name in old
        if name not in _NO_SETTINGS and old[name] != new[name]
    ]
    if not differing:
        same = old["manifest_hash"] == new["manifest_hash"]
        return (
            f"Both runs have the same settings{' and inputs' if same else '; their inputs differ'}."
        )
    return "Settings and inputs that differ: " + "; ".join(differing) + "."


def _figures(lists: Rows) -> list[Figure]:
    (row,) = lists.dicts()
    if not row["compared"]:
        return []
    pairs = row["kept"] + row["gained"]
    return [
        Figure(
            "changed",
            "Lists changed",
            share(row["changed"], row["compared"]),
            f"{count(row['changed'])} of {numbers.plural(row['compared'], 'user')} in both",
            "recommendations",
        ),
        Figure(
            "kept",
            "Recommendations kept",
            share(row["kept"], pairs),
            f"{count(row['kept'])} of {count(pairs)}",
            "recommendations",
        ),
        Figure(
            "gained",
            "Items gained",
            count(row["gained"]),
            f"in lists of users; {count(row['lost'])} lost",
            "recommendations",
        ),
    ]


def _sections(found: dict[str, Rows]) -> list[Section]:
    def changes(key: str, caption: str, heading: str) -> Table:
        columns = [Column("name", heading), *_CHANGE]
        return table(found[key], key, caption, columns, empty=_NO_SUMS)

    return [
        Section(
            "Sources of recommendations",
            [
                table(
                    found["sources"],
                    "sources",
                    "Recommendations by source",
                    [Column("source", "Source", "source"), *_CHANGE],
                )
            ],
        ),
        *(
            [
                Section(
                    "Holdback",
                    [
                        table(
                            found["arms"],
                            "arms",
                            "Held-back users by arm",
                            [Column("arm", "Arm"), *_CHANGE],
                        )
                    ],
                    "Popular items that it gives are counted above, too.",
                )
            ]
            if found["arms"].rows
            else []
        ),
        Section(
            "Items",
            [
                changes("gained_items", "Recommended to more users", "Title"),
                changes("lost_items", "Recommended to fewer users", "Title"),
            ],
        ),
        Section(
            "Queries",
            [
                changes("gained_queries", "Written for more users", "Query"),
                changes("lost_queries", "Written for fewer users", "Query"),
            ],
        ),
        Section(
            "Lists",
            [
                table(
                    found["lists"],
                    "lists",
                    "Users with a list in both runs",
                    [
                        Column("compared", "Users", "count"),
                        Column("changed", "Lists changed", "count"),
                        Column("kept", "Items kept", "count"),
                        Column("gained", "Items gained", "count"),
                        Column("lost", "Items lost", "count"),
                    ],
                )
            ],
        ),
    ]
