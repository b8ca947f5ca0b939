"""Which nights say what is usual: those of what operators decided for the run."""

import json
from typing import Any

from sqlalchemy import Connection, text

from gpt4rec_es.db.rows import measures
from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.db.rows.measures import Measured
from gpt4rec_es.night.publish.gates import nights_alike
from tests.databases import Database
from tests.rows import add_run

OLD = {"recipe": {"hash": "old"}, "generator": {"content_hash": "g"}}
NEW = {"recipe": {"hash": "new"}, "generator": {"content_hash": "g"}}


def add_night(connection: Connection, number: int, manifest: dict[str, Any], value: float) -> None:
    add_run(connection, number, "published", f"2026-11-{number:02d}")
    connection.execute(
        text("UPDATE runs SET manifest = cast(:manifest AS jsonb) WHERE run_no = :n"),
        {"manifest": json.dumps(manifest), "n": number},
    )
    measures.store(connection, number, {"fallback_places": Measured(value, 100)})


def test_nights_by_another_recipe_do_not_count(database: Database) -> None:
    with database.engine.begin() as connection:
        for number in range(1, 11):
            add_night(connection, number, OLD, 0.1)
        for number in (11, 12):
            add_night(connection, number, NEW, 0.5)
        add_night(connection, 13, NEW, 0.6)
        run = run_rows.load(connection, 13)
        assert nights_alike(connection, run) == [12, 11]
        assert measures.load_usual(connection, [12, 11], 3) == {}
        add_night(connection, 14, NEW, 0.7)
        found = nights_alike(connection, run_rows.load(connection, 14))
        assert measures.load_usual(connection, found, 3) == {"fallback_places": 0.5}
        # After a way back, nights before count again, seven at most.
        add_night(connection, 15, OLD, 0.1)
        found = nights_alike(connection, run_rows.load(connection, 15))
        assert found == [10, 9, 8, 7, 6, 5, 4]
        assert measures.load_usual(connection, found, 3) == {"fallback_places": 0.1}
