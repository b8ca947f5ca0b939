"""Statements that create a stage's shards: batches of members that are not done yet, in order.

Members of a shard never change; shards.py has claiming, finishing and splitting.
"""

from sqlalchemy import Connection, TextClause, text

# Longest prompts first: the last shards are then fast ones, so that workers end at about the same
# time. Prompts of similar length in a batch need little padding.
_GENERATE = """
INSERT INTO shards (run_no, stage, members)
SELECT :run_no, 'generate', array_agg(prompt_no ORDER BY place)
FROM (
    SELECT prompt_no, row_number() OVER (ORDER BY n_tokens DESC, prompt_hash) - 1 AS place
    FROM prompts
    WHERE prompt_no IN (
          SELECT prompt_no FROM {run_users}
          UNION ALL SELECT prompt_no FROM held_out_users WHERE run_no = :run_no)
      AND NOT EXISTS (
          SELECT FROM generations AS g WHERE g.prompt_no = prompts.prompt_no
          AND g.content_hash = :content_hash AND g.decoding_no = :decoding_no)
) AS missing
GROUP BY place / :size ORDER BY place / :size
"""

_SEARCH = """
INSERT INTO shards (run_no, stage, members)
SELECT :run_no, 'search', array_agg(query_no ORDER BY place)
FROM (
    SELECT used.query_no, row_number() OVER (ORDER BY used.query_no) - 1 AS place
    FROM (
        SELECT query_no, bool_or(must_pass) AS must_pass, bool_or(NOT must_pass) AS is_title
        FROM (
            SELECT q.query_no, true AS must_pass
            FROM (SELECT prompt_no FROM {run_users}
                  UNION SELECT prompt_no FROM held_out_users WHERE run_no = :run_no) AS u
            JOIN generations AS g ON g.prompt_no = u.prompt_no
                AND g.content_hash = :content_hash AND g.decoding_no = :decoding_no
            JOIN generated_queries AS q USING (generation_no)
            UNION
            SELECT query_no, false FROM run_titles WHERE run_no = :run_no
        ) AS roles
        GROUP BY query_no
    ) AS used
    LEFT JOIN query_verdicts AS v ON v.filters_no = :filters_no AND v.query_no = used.query_no
    WHERE (must_pass AND :filters_no IS NOT NULL AND v.query_no IS NULL)
       OR (must_pass AND v.reason IS NULL AND NOT EXISTS (
            SELECT FROM searches AS s WHERE s.build_no = :build_no
            AND s.query_no = used.query_no AND s.depth = :depth AND s.options_no = :options_no))
       OR (is_title AND NOT EXISTS (
            SELECT FROM searches AS s WHERE s.build_no = :build_no
            AND s.query_no = used.query_no AND s.depth = :depth AND s.options_no = 0))
) AS missing
GROUP BY place / :size ORDER BY place / :size
"""

_USERS = text("""
INSERT INTO shards (run_no, stage, members)
SELECT :run_no, :stage, array_agg(user_no ORDER BY place)
FROM (
    SELECT user_no, row_number() OVER (ORDER BY user_no) - 1 AS place
    FROM run_users WHERE run_no = :run_no AND (:everyone OR newest_item_nos <> '{}')
) AS cohort
GROUP BY place / :size ORDER BY place / :size
""")


def _over(run_no: int, statement: str) -> TextClause:
    """Return a statement on the run's partition of run_users.

    Postgres has statistics for the partition but not for the whole table; without them its planner
    estimates 200 prompts where there are a million.
    """
    return text(statement.format(run_users=f"run_users_{int(run_no)}"))


def plan_generate(
    connection: Connection, run_no: int, content_hash: str, decoding_no: int, size: int
) -> int:
    """Create shards of the run's prompts without a generation; return their number."""
    return connection.execute(
        _over(run_no, _GENERATE),
        {"run_no": run_no, "content_hash": content_hash, "decoding_no": decoding_no, "size": size},
    ).rowcount


def plan_search(
    connection: Connection,
    run_no: int,
    *,
    content_hash: str,
    decoding_no: int,
    build_no: int,
    depth: int,
    filters_no: int | None,
    options_no: int,
    size: int,
) -> int:
    """Create shards of the run's queries without a search or verdict; return their number."""
    return connection.execute(
        _over(run_no, _SEARCH),
        {
            "run_no": run_no,
            "content_hash": content_hash,
            "decoding_no": decoding_no,
            "build_no": build_no,
            "depth": depth,
            "filters_no": filters_no,
            "options_no": options_no,
            "size": size,
        },
    ).rowcount


def plan_embed(connection: Connection, run_no: int, size: int) -> int:
    """Create shards of the run's users with purchases; return their number."""
    return _plan_users(connection, run_no, "embed", size)


def plan_merge(connection: Connection, run_no: int, size: int) -> int:
    """Create shards of the run's users; return their number."""
    return _plan_users(connection, run_no, "merge", size)


def _plan_users(connection: Connection, run_no: int, stage: str, size: int) -> int:
    everyone = stage == "merge"
    return connection.execute(
        _USERS, {"run_no": run_no, "stage": stage, "everyone": everyone, "size": size}
    ).rowcount
