"""Finding queries by their words, with what the daily sums know of them."""

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import Engine, text

from gpt4rec_es.db.engine import transaction


@dataclass(frozen=True, slots=True)
class FoundQuery:
    """A query and its newest date: users and hits of that date.

    All but the first two are None for a query without sums; hits also where it was not searched.
    """

    query_id: int
    query: str
    logical_date: dt.date | None
    users: int | None
    hits: int | None
    has_more_hits: bool | None
    example_titles: list[str] | None


_FIND = text("""
SELECT q.query_id, q.query, d.logical_date, d.query_user_count AS users,
    d.query_hit_count AS hits, d.has_more_hits,
    (SELECT example_titles FROM analytics.daily_gaps AS g
     WHERE g.query_id = q.query_id AND g.logical_date = d.logical_date) AS example_titles
FROM analytics.queries AS q
LEFT JOIN LATERAL (
    SELECT * FROM analytics.daily_queries AS d WHERE d.query_id = q.query_id
    ORDER BY d.logical_date DESC LIMIT 1) AS d ON true
WHERE q.query_words @@ websearch_to_tsquery('simple', :words)
ORDER BY d.query_user_count DESC NULLS LAST, q.query, q.query_id LIMIT :limit
""")


def find_queries(engine: Engine, words: str, limit: int = 20) -> list[FoundQuery]:
    """Return the queries that have all ``words``, those of the most users first.

    words: as in a web search: "red lamp" in quotes is a phrase, ``or`` and ``-word`` work.
    """
    with transaction(engine) as connection:
        found = connection.execute(_FIND, {"words": words, "limit": limit})
        return [FoundQuery(**row) for row in found.mappings()]
