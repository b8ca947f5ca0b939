"""The page of a night: what it reads, and what it shows of it.

All statements see the database at one time, by one transaction.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine

from gpt4rec_es.db.rows import page_demand as demand
from gpt4rec_es.db.rows import page_lists as lists
from gpt4rec_es.db.rows import page_night as rows
from gpt4rec_es.db.rows.readings import Reading, Rows, Value, read
from gpt4rec_es.errors import UsageError
from gpt4rec_es.reports.users import Card, load_card

# Numbers of rows: a page is for reading, and has a maximum size.
LIMITS: dict[str, int] = {
    "nights": 14,
    "top": 15,
    "few": 10,
    "items": 20,
    "examples": 3,
    "frequent": 1000,
    "tried": 500,
    "cards": 5,
}
_READINGS: dict[str, Reading] = {
    "nights": rows.NIGHTS,
    "outcomes": rows.OUTCOMES,
    "sources": rows.SOURCES,
    "lengths": rows.LENGTHS,
    "holdback": rows.HOLDBACK,
    "stages": rows.STAGES,
    "cost": rows.COST,
    "changes": rows.CHANGES,
    "quality": rows.QUALITY,
    "bought": rows.BOUGHT,
    "arms": rows.ARMS,
    "gates": rows.GATES,
    "queries": demand.QUERIES,
    "query_changes": demand.QUERY_CHANGES,
    "rising": demand.RISING,
    "falling": demand.FALLING,
    "without_hits": demand.WITHOUT_HITS,
    "weak": demand.WEAK,
    "coverage": lists.COVERAGE,
    "brands": lists.BRANDS,
    "categories": lists.CATEGORIES,
    "concentration": lists.CONCENTRATION,
}


@dataclass(frozen=True, slots=True)
class NightFacts:
    """What the views say about a night: its run, the result of each reading, and cards of users.

    previous_date: the newest date before with daily sums; None: there is none.
    """

    run: Mapping[str, Any]
    run_rows: Rows
    previous_date: dt.date | None
    found: Mapping[str, Rows]
    cards: tuple[Card, ...]

    @property
    def earlier_run(self) -> str | None:
        """Name of the run that counts for ``previous_date``."""
        nights = self.found["nights"].dicts()
        return next((r["run_id"] for r in nights if r["logical_date"] == self.previous_date), None)

    def one(self, name: str) -> dict[str, Any]:
        """Return the first row of a reading; empty: it has none."""
        return next(iter(self.found[name].dicts()), {})


def load_night(engine: Engine, run_id: str = "latest") -> NightFacts:
    """Return the facts of a run; ``latest``: of the published one.

    Raises:
        UsageError: there is no such run, or nothing is published yet.
    """
    with engine.connect() as plain:
        connection = plain.execution_options(isolation_level="REPEATABLE READ")
        run_rows = read(connection, rows.RUN, {"run_id": find_run(connection, run_id)})
        (run,) = run_rows.dicts()
        return _load(connection, run, run_rows)


def find_run(connection: Connection, run_id: str) -> str:
    """Return the id of a run that exists; ``latest``: that of the published run.

    Raises:
        UsageError: there is no such run, or nothing is published yet.
    """
    reading = rows.PUBLISHED if run_id == "latest" else rows.RUN
    found = read(connection, reading, {"run_id": run_id}).dicts()
    if found:
        return str(found[0]["run_id"])
    if run_id == "latest":
        raise UsageError("Nothing is published yet.", "Run `gpt4rec night` first.")
    raise UsageError(f"There is no run {run_id!r}.", "`gpt4rec runs list` shows them.")


def _load(connection: Connection, run: Mapping[str, Any], run_rows: Rows) -> NightFacts:
    day = {**LIMITS, "run_id": run["run_id"], "logical_date": run["logical_date"]}
    earlier = [row["logical_date"] for row in read(connection, rows.NIGHTS, day).dicts()]
    previous = next((date for date in earlier if date < run["logical_date"]), None)
    values: dict[str, Value] = {**day, "previous_date": previous}
    found = {name: read(connection, reading, values) for name, reading in _READINGS.items()}
    items = lists.PUBLISHED_ITEMS if run["is_published"] else lists.ITEMS
    found["most_shown"] = read(connection, items, values)
    examples = read(connection, lists.EXAMPLE_USERS, values)
    cards = tuple(load_card(connection, run["run_id"], row[0]) for row in examples.rows)
    return NightFacts(run, run_rows, previous, found, cards)
