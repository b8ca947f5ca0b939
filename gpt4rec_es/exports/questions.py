"""Three questions that the demo asks as an analyst; docs/analytics.md works out more of them.

Only views of schema analytics are read.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, text

from gpt4rec_es.db.engine import transaction


@dataclass(frozen=True, slots=True)
class Question:
    """A question in words and the SQL that answers it."""

    title: str
    sql: str


QUESTIONS = (
    Question(
        "What do customers look for? The queries written for the most users.",
        """
SELECT query, count(DISTINCT user_id) AS users, round(avg(beam_score)::numeric, 2) AS mean_score
FROM analytics.latest_generated_queries
GROUP BY query
ORDER BY users DESC, query
LIMIT 5""".strip(),
    ),
    Question(
        "Which items are recommended most, and which queries find them?",
        """
SELECT title, count(*) AS users, count(DISTINCT query) AS queries,
       mode() WITHIN GROUP (ORDER BY query) AS commonest_query
FROM analytics.latest_recommendations
GROUP BY item_id, title
ORDER BY users DESC, item_id
LIMIT 5""".strip(),
    ),
    Question(
        "How much of every list was found by generated queries, and how much are fallbacks?",
        """
SELECT source, count(*) AS recommendations,
       round(100.0 * count(*) / sum(count(*)) OVER (), 1) AS percent,
       round(avg(hit_rank), 1) AS mean_hit_rank
FROM analytics.latest_recommendations
GROUP BY source
ORDER BY recommendations DESC""".strip(),
    ),
)


def answer(connection: Connection, question: Question) -> tuple[list[str], list[list[Any]]]:
    """Return column names and rows of a question's answer."""
    found = connection.execute(text(question.sql))
    return list(found.keys()), [list(row) for row in found]


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
