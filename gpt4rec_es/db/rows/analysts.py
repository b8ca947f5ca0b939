"""Reads of the views of schema analytics: their rows, their comments, and example questions.

Exports read the same views, with the shop's user ids unless they are for analysts.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

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


@dataclass(frozen=True, slots=True)
class FoundQuery:
    """A query text with users and hits on its newest date.

    All but the first two fields are None for a query without daily sums; ``hits`` is also None if
    it was not searched.
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


def find_queries(connection: Connection, words: str, limit: int = 20) -> list[FoundQuery]:
    """Return the queries that contain all ``words``, those of the most users first.

    words: syntax of websearch_to_tsquery: "red lamp" in quotes is a phrase; ``or`` and ``-word``
    work.
    """
    found = connection.execute(_FIND, {"words": words, "limit": limit})
    return [FoundQuery(**row) for row in found.mappings()]


class ViewColumn(NamedTuple):
    """One column of a view: its Postgres type and its comment (None: no comment)."""

    view: str
    view_comment: str | None
    name: str
    type: str
    comment: str | None


_COLUMNS = text("""
SELECT c.relname, obj_description(c.oid, 'pg_class') AS view_comment, a.attname,
    format_type(a.atttypid, NULL) AS type, col_description(c.oid, a.attnum) AS comment
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relnamespace = 'analytics'::regnamespace AND c.relkind = 'v'
AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum
""")


def view_columns(connection: Connection) -> list[ViewColumn]:
    """Return the columns of all views of schema analytics, by view; empty: no such schema."""
    exists = connection.execute(text("SELECT to_regnamespace('analytics') IS NOT NULL"))
    rows = connection.execute(_COLUMNS).all() if exists.scalar_one() else []
    return [ViewColumn(*row) for row in rows]


class ListedItem(NamedTuple):
    """One recommendation as it is exported."""

    user_id: str
    rank: int
    item_id: str
    title: str | None
    source: str
    query: str | None
    query_rank: int | None
    hit_rank: int | None
    score: float | None
    from_item_id: str | None
    fused_score: float | None
    promoted_by: str | None
    merge_rank: int | None
    rerank_score: float | None
    holdback_arm: str | None


class WrittenQuery(NamedTuple):
    """One generated query as it is exported."""

    user_id: str
    query_rank: int
    query: str
    beam_score: float


_RECOMMENDATIONS = """
    SELECT {user_id}, rank, item_id, title, source, query, query_rank, hit_rank, score,
        from_item_id, fused_score, promoted_by, merge_rank, rerank_score,
        holdback_arm
    FROM analytics.recommendations AS r {own} WHERE run_id = :run_id ORDER BY 1, 2
"""
_QUERIES = """
    SELECT {user_id}, query_rank, query, beam_score
    FROM analytics.generated_queries AS r {own} WHERE run_id = :run_id ORDER BY 1, 2
"""
_IDS = {
    True: {"user_id": "r.user_id", "own": ""},
    False: {
        "user_id": "u.user_id",
        "own": "JOIN public.users AS u ON u.shown_id = r.user_id",
    },
}


def stream_recommendations(
    connection: Connection, run_id: str, *, as_analyst: bool, batch: int
) -> Iterator[list[ListedItem]]:
    """Return the lists of a run, ``batch`` rows at a time, by user id and rank.

    The statement runs at once; rows are fetched on iteration. as_analyst: with the user ids that
    analysts see, else with the shop's ids.
    """
    batches = _stream(connection, _RECOMMENDATIONS, run_id, as_analyst, batch)
    return ([ListedItem(*row) for row in rows] for rows in batches)


def stream_queries(
    connection: Connection, run_id: str, *, as_analyst: bool, batch: int
) -> Iterator[list[WrittenQuery]]:
    """Return the generated queries of a run in batches, as ``stream_recommendations`` does."""
    batches = _stream(connection, _QUERIES, run_id, as_analyst, batch)
    return ([WrittenQuery(*row) for row in rows] for rows in batches)


def _stream(
    connection: Connection, statement: str, run_id: str, as_analyst: bool, batch: int
) -> Iterator[Sequence[Sequence[Any]]]:
    rows = connection.execution_options(stream_results=True, yield_per=batch).execute(
        text(statement.format(**_IDS[as_analyst])), {"run_id": run_id}
    )
    return rows.partitions(batch)


def users_to_show(connection: Connection, count: int) -> list[str]:
    """Return users of the published run that bought 5 to 12 items, to keep the output short."""
    found = connection.execute(
        text("""
        SELECT user_id FROM analytics.user_outcomes
        WHERE run_id = (SELECT run_id FROM analytics.runs WHERE is_published)
          AND outcome = 'ok' AND bought_item_count BETWEEN 5 AND 12
        ORDER BY md5(user_id) LIMIT :count
        """),
        {"count": count},
    )
    return list(found.scalars())


def count_latest_queries(connection: Connection) -> tuple[int, int]:
    """Return the numbers of queries and of distinct query texts of the published run."""
    row = connection.execute(
        text("SELECT count(*), count(DISTINCT query) FROM analytics.latest_generated_queries")
    ).one()
    return row[0], row[1]
