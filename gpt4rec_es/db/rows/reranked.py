"""Measurements of what a re-ranker did for a run, for the gates."""

from typing import NamedTuple

from sqlalchemy import Connection, text

from gpt4rec_es.db.rows.runs import Run


class Reranked(NamedTuple):
    """What a re-ranker did for a run.

    users: those with a newest item that it knows, of which ``without_vector`` have no vector.
    places: those that sources filled by a fused score, of which ``scored`` have a score of the
    re-ranker that differs from its mean over the user's candidates.
    """

    users: int
    without_vector: int
    places: int
    scored: int


def count_reranked(connection: Connection, run: Run) -> Reranked:
    """Count the users that a run serves, and places, that its re-ranker read and scored."""
    row = connection.execute(
        text("""
        SELECT * FROM (
            SELECT count(*) AS users, count(*) FILTER (WHERE v.user_no IS NULL) AS without_vector
            FROM (SELECT user_no, newest_item_nos FROM run_users AS u
                  WHERE run_no = :run_no AND newest_item_nos <> '{}' AND (
                    NOT :is_canary OR EXISTS (
                        SELECT FROM user_outcomes AS o
                        WHERE o.run_no = :run_no AND o.user_no = u.user_no))) AS u
            LEFT JOIN (SELECT user_no FROM run_user_vectors WHERE run_no = :run_no) AS v
                USING (user_no)
            WHERE v.user_no IS NOT NULL OR EXISTS (
                SELECT FROM item_vectors AS i JOIN rerankers AS k USING (reranker_no)
                JOIN runs AS r USING (reranker_no)
                WHERE r.run_no = :run_no AND i.item_no = ANY(newest_item_nos[1 : k.history_length])
                  AND i.catalog_version <= (r.manifest #>> '{reranker,catalog_version}')::bigint)
            ) AS users
        CROSS JOIN (
            SELECT count(fused_score) AS places, count(*) FILTER (WHERE rerank_score <> 0) AS scored
            FROM recommendations WHERE run_no = :run_no) AS places
        """),
        {"run_no": run.run_no, "is_canary": run.is_canary},
    ).one()
    return Reranked(*row)


def count_distinct_vectors(connection: Connection, run_no: int, users: int) -> tuple[int, int]:
    """Return the number of sampled user vectors of a run's re-ranker, and of distinct ones."""
    row = connection.execute(
        text("""
        SELECT count(*), count(DISTINCT vector)
        FROM (SELECT vector FROM run_user_vectors WHERE run_no = :run_no LIMIT :users) AS sampled
        """),
        {"run_no": run_no, "users": users},
    ).one()
    return row[0], row[1]
