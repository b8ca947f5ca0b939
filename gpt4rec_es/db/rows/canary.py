"""The canary of a run: users that are served and judged before all others.

They are chosen by a hash of the user number, so they are the same in every night and no group of
users. Users without a usable history, and those that a holdback takes, say nothing of the sources.
"""

from typing import Final

from sqlalchemy import Connection, text

from gpt4rec_es.db.rows.runs import Run

# Seed of this choice and of the samples of measured_lists.py, which so begin with a canary.
SEED: Final = 20_261_129


def users_of(run: Run) -> str:
    """Return SQL of the rows of ``run_users`` to serve: of the canary, or of all users.

    Postgres has statistics for the run's partition but not for the whole table; without them its
    planner estimates 200 prompts where there are a million. The SQL of a canary has the parameter
    ``most``.
    """
    everyone = f"run_users_{run.run_no:d}"
    return f"({_chosen(everyone)})" if run.is_canary else everyone


def _chosen(users: str) -> str:
    return f"""
    SELECT * FROM {users} AS c
    WHERE (c.prompt_no IS NOT NULL OR c.last_query_no IS NOT NULL)
      AND NOT EXISTS (SELECT FROM holdback_users AS h
                      WHERE h.run_no = c.run_no AND h.user_no = c.user_no)
    ORDER BY hashint8extended(c.user_no, {SEED}), c.user_no LIMIT :most
    """  # noqa: S608 - a partition's name


def choose(connection: Connection, run: Run, users: int, *, also_if_stored: bool) -> bool:
    """Let ``run`` have a canary of this many users if it has more; return whether it has.

    also_if_stored: also if all generations of these users are stored. Without a change of recipe,
    encoder or index such a night makes nothing that was not judged before, and costs little.
    """
    everyone = f"run_users_{run.run_no:d}"
    return bool(
        connection.execute(
            text(f"""
            WITH canary AS MATERIALIZED ({_chosen(everyone)})
            UPDATE runs SET canary_users = :users
            WHERE run_no = :run_no AND (SELECT count(*) FROM canary) > :users
              AND (:also_if_stored OR :content_hash = '' OR EXISTS (
                SELECT FROM (SELECT * FROM canary LIMIT :users) AS c
                WHERE prompt_no IS NOT NULL AND NOT EXISTS (
                    SELECT FROM generations AS g WHERE g.prompt_no = c.prompt_no
                    AND g.content_hash = :content_hash AND g.decoding_no = :decoding_no)))
            """),  # noqa: S608 - a partition's name
            {
                "run_no": run.run_no,
                "users": users,
                "most": users + 1,
                "also_if_stored": also_if_stored,
                "content_hash": run.content_hash,
                "decoding_no": run.decoding_no,
            },
        ).rowcount
    )


def mark_passed(connection: Connection, run_no: int) -> None:
    """Record that the users apart from the canary may be served; the run goes on.

    Kept counts of its shards are deleted: they are counted from the shards until the run ends.
    """
    connection.execute(
        text("""
        UPDATE runs SET canary_passed_at = clock_timestamp(), finished_at = NULL, error = NULL
        WHERE run_no = :run_no
        """),
        {"run_no": run_no},
    )
    connection.execute(
        text("""
        DELETE FROM run_counts AS c USING (
            SELECT DISTINCT stage, split_part(key, ':', 1) AS name,
                   split_part(key, ':', 2) AS detail
            FROM shards CROSS JOIN jsonb_object_keys(counts) AS key WHERE run_no = :run_no) AS s
        WHERE c.run_no = :run_no AND (c.stage, c.name, c.detail) = (s.stage, s.name, s.detail)
        """),
        {"run_no": run_no},
    )
