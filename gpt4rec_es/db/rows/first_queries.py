"""How much the first queries of a run's users differ, counted when the run is checked.

Counting reads the generations of the whole cohort, so the result is stored with the run.
"""

from typing import NamedTuple

from sqlalchemy import Connection, text

from gpt4rec_es.db.rows.runs import Run


class FirstQueries(NamedTuple):
    """The best query of each user, before filters.

    distinct: number of distinct ones; top_fraction: fraction of the users with a query whose first
    query is the most frequent one, None: no user has a query. users: those with a query; 0 where
    it was not stored.
    """

    distinct: int
    top_fraction: float | None
    users: int = 0


def count(connection: Connection, run: Run) -> FirstQueries:
    """Count the first queries of the users that a run serves, from the stored generations."""
    row = connection.execute(
        text("""
        SELECT count(*) AS n, max(users) / sum(users) AS top_fraction,
               coalesce(sum(users), 0)::bigint AS users
        FROM (
            SELECT q.query_no, count(*)::float8 AS users FROM run_users AS u
            JOIN generations AS g ON g.prompt_no = u.prompt_no
                AND g.content_hash = :content_hash AND g.decoding_no = :decoding_no
            JOIN generated_queries AS q USING (generation_no)
            WHERE u.run_no = :run_no AND q.rank = 1 AND (NOT :is_canary OR EXISTS (
                SELECT FROM user_outcomes AS o
                WHERE o.run_no = :run_no AND o.user_no = u.user_no))
            GROUP BY q.query_no
        ) AS first_queries
        """),
        {
            "run_no": run.run_no,
            "content_hash": run.content_hash,
            "decoding_no": run.decoding_no,
            "is_canary": run.is_canary,
        },
    ).one()
    return FirstQueries(row.n, row.top_fraction, row.users)


def store(connection: Connection, run_no: int, found: FirstQueries) -> None:
    """Store the counts of a run; earlier ones are replaced."""
    connection.execute(
        text("""
        UPDATE runs SET distinct_first_queries = :n, top_first_query_fraction = :fraction
        WHERE run_no = :run_no
        """),
        {"run_no": run_no, "n": found.distinct, "fraction": found.top_fraction},
    )


def load(connection: Connection, run_no: int) -> FirstQueries | None:
    """Return the stored counts of a run; None: it was not checked since they are counted."""
    row = connection.execute(
        text("""
        SELECT distinct_first_queries, top_first_query_fraction FROM runs WHERE run_no = :run_no
        """),
        {"run_no": run_no},
    ).one()
    return None if row.distinct_first_queries is None else FirstQueries(*row)
