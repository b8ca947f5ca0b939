"""One published night of a tiny shop and what its users bought since, by plain SQL.

Lists have two items. T is the time of the night's plan, 30 days ago.

| user | bought before | list | popular | newest title |
|---|---|---|---|---|
| u-1 | 1 | 2, 3 | 2, 3 | 2, 4 |
| u-2 | 2, 3 | 1, 4 | 1, 4 | 5, 6 |
| u-3 | - | 1, 2 | 1, 2 | - |
| u-4 | 1 | 5, 6 | 2, 3 | 2, 4 |

User u-5 came after the night.
"""

from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import Connection, Engine, text

from gpt4rec_es.night.inputs.parts import NightParts
from gpt4rec_es.options.lists import SearchOptions
from gpt4rec_es.records import SearchResult
from tests.rows import add_run

_NIGHT = """
INSERT INTO items (item_id, title, title_raw, version)
SELECT 'i-' || n, 'title ' || n, 'title ' || n, 1 FROM generate_series(1, 9) AS n;
INSERT INTO users (user_id) SELECT 'u-' || n FROM generate_series(1, 5) AS n;
INSERT INTO interactions (user_no, item_no, event_no, event_at, version) VALUES
    (1, 1, 1, now() - interval '90 days', 1), (2, 2, 1, now() - interval '91 days', 1),
    (2, 3, 2, now() - interval '90 days', 1), (4, 1, 1, now() - interval '90 days', 1);
INSERT INTO queries (query_hash, text) VALUES ('\\x01', 'title 1'), ('\\x02', 'title 3');
UPDATE runs SET k = 2, cohort_size = 4, history_version = 1, finished_at = now(),
    planned_at = date_trunc('hour', now()) - interval '30 days';
INSERT INTO run_users (run_no, user_no, item_nos, n_bought, last_query_no) VALUES
    (1, 1, '{}', 1, 1), (1, 2, '{}', 2, 2), (1, 3, '{}', 0, NULL), (1, 4, '{}', 1, 1);
INSERT INTO user_outcomes (run_no, user_no, outcome, n_queries, n_found, n_recommended)
SELECT 1, n, CASE n WHEN 3 THEN 'no_history' ELSE 'ok' END, 0, 2, 2
FROM generate_series(1, 4) AS n;
INSERT INTO recommendations (run_no, user_no, rank, item_no, source) VALUES
    (1, 1, 1, 2, 'queries'), (1, 1, 2, 3, 'co_purchase'),
    (1, 2, 1, 1, 'queries'), (1, 2, 2, 4, 'co_purchase'),
    (1, 3, 1, 1, 'popular'), (1, 3, 2, 2, 'popular'),
    (1, 4, 1, 5, 'queries'), (1, 4, 2, 6, 'queries');
INSERT INTO run_popular (run_no, rank, item_no, n_buyers)
SELECT 1, n, n, 10 - n FROM generate_series(1, 4) AS n;
INSERT INTO searches (build_no, query_no, depth, item_nos, scores, is_exhausted, is_empty_query)
VALUES (1, 1, 50, '{1,2,4,5}', '{4,3,2,1}', true, false),
    (1, 2, 50, '{3,5,6}', '{3,2,1}', true, false);
UPDATE catalog_state SET history_version = 1;
"""
# (user, item, time after T, history version): ends of ages, T itself, and what is not new.
BOUGHT = [
    (1, 2, "12 hours", 2),
    (1, 9, "1 day", 2),
    (1, 1, "2 hours", 2),  # bought before
    (1, 3, "0 hours", 2),  # at the time of the plan
    (2, 4, "3 days", 2),
    (2, 6, "8 days", 2),
    (2, 8, None, 2),  # at an unknown time
    (3, 7, "1 hour", 2),
    (4, 5, "-1 hour", 2),  # before the night, imported after it
    (4, 5, "5 hours", 2),
    (5, 1, "1 hour", 2),  # not a user of the night
    (5, 2, "29 days", 2),  # purchases of all 28 days are known
]


def add_night(connection: Connection) -> None:
    """Insert the night; nothing was bought since."""
    add_run(connection, state="published", date="2026-11-22")
    connection.exec_driver_sql(_NIGHT)


def buy(connection: Connection, bought: list[tuple[int, int, str | None, int]]) -> None:
    """Insert purchases, and make the last one's history version the current one."""
    for user_no, item_no, after, version in bought:
        connection.execute(
            text("""
            INSERT INTO interactions (user_no, item_no, event_no, event_at, version)
            SELECT :user_no, :item_no, coalesce(extract(epoch FROM at), 0)::bigint, at, :version
            FROM (SELECT planned_at + cast(:after AS interval) AS at FROM runs WHERE run_no = 1)
            """),
            {"user_no": user_no, "item_no": item_no, "after": after, "version": version},
        )
    connection.execute(
        text("UPDATE catalog_state SET history_version = :version"), {"version": bought[-1][3]}
    )


@dataclass
class FixedHits:
    """A retriever that finds the same items for every text, and keeps the texts."""

    item_nos: tuple[int, ...]
    asked: list[str] = field(default_factory=list)

    def search(
        self, texts: list[str], depth: int, options: SearchOptions | None = None
    ) -> list[SearchResult]:
        self.asked += texts
        scores = tuple(1.0 for _ in self.item_nos)
        return [SearchResult(self.item_nos, scores, exhausted=True) for _ in texts]


def parts_with(engine: Engine, retriever: FixedHits | None = None) -> NightParts:
    """Return the parts that measuring and pruning use; without ``retriever`` none may search."""

    def open_retriever(index_name: str, run_id: str) -> Any:
        assert retriever, "all titles are searched"
        return retriever

    none = cast("Any", None)
    return NightParts(engine, none, none, none, none, open_retriever, none, "test")
