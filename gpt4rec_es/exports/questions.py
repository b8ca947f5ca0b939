"""Three questions that the demo asks as an analyst; docs/analytics.md works out more of them.

Only views of schema analytics are read.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text


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
