"""Statements that create a stage's shards: batches of members that are in none yet, in order.

While a run serves only its canary (canary.py), members are those of its users; then all others
follow. Members of a shard never change; shards.py has claiming, finishing and splitting.
"""

from typing import LiteralString, NamedTuple

from sqlalchemy import Connection, text

from gpt4rec_es.db.rows.canary import users_of
from gpt4rec_es.db.rows.runs import Run

# Also those that a canary gave up.
_IN_NONE = """
    NOT IN (SELECT unnest(members) FROM shards WHERE run_no = :run_no AND stage = :stage)
"""
# Members that a canary gave up are not tried again. Its others may be: it may have searched a text
# as a title that users after it have as a query.
_NOT_GIVEN_UP = """
    NOT IN (SELECT unnest(members) FROM shards
            WHERE run_no = :run_no AND stage = :stage AND error IS NOT NULL)
"""

# Longest prompts first: the last shards are then fast ones, so that workers end at about the same
# time. Prompts of similar length in a batch need little padding.
_GENERATE = """
INSERT INTO shards (run_no, stage, members)
SELECT :run_no, :stage, array_agg(prompt_no ORDER BY place)
FROM (
    SELECT prompt_no, row_number() OVER (ORDER BY n_tokens DESC, prompt_hash) - 1 AS place
    FROM prompts
    WHERE prompt_no IN (
          SELECT prompt_no FROM {users} AS u
          UNION ALL SELECT prompt_no FROM held_out_users
          WHERE run_no = :run_no AND NOT :is_canary)
      AND prompt_no {not_given_up}
      AND NOT EXISTS (
          SELECT FROM generations AS g WHERE g.prompt_no = prompts.prompt_no
          AND g.content_hash = :content_hash AND g.decoding_no = :decoding_no)
) AS missing
GROUP BY place / :size ORDER BY place / :size
"""

_SEARCH = """
INSERT INTO shards (run_no, stage, members)
SELECT :run_no, :stage, array_agg(query_no ORDER BY place)
FROM (
    SELECT used.query_no, row_number() OVER (ORDER BY used.query_no) - 1 AS place
    FROM (
        SELECT query_no, bool_or(must_pass) AS must_pass, bool_or(NOT must_pass) AS is_title
        FROM (
            SELECT q.query_no, true AS must_pass
            FROM (SELECT prompt_no FROM {users} AS u
                  UNION SELECT prompt_no FROM held_out_users
                  WHERE run_no = :run_no AND NOT :is_canary) AS u
            JOIN generations AS g ON g.prompt_no = u.prompt_no
                AND g.content_hash = :content_hash AND g.decoding_no = :decoding_no
            JOIN generated_queries AS q USING (generation_no)
            UNION
            SELECT query_no, false FROM run_titles
            WHERE run_no = :run_no AND (NOT :is_canary OR item_no IN (
                SELECT unnest(newest_item_nos) FROM {users} AS u))
        ) AS roles
        GROUP BY query_no
    ) AS used
    LEFT JOIN query_verdicts AS v ON v.filters_no = :filters_no AND v.query_no = used.query_no
    WHERE used.query_no {not_given_up} AND (
          (must_pass AND :filters_no IS NOT NULL AND v.query_no IS NULL)
       OR (must_pass AND v.reason IS NULL AND NOT EXISTS (
            SELECT FROM searches AS s WHERE s.build_no = :build_no
            AND s.query_no = used.query_no AND s.depth = :depth AND s.options_no = :options_no))
       OR (is_title AND :titles_by_words AND NOT EXISTS (
            SELECT FROM searches AS s WHERE s.build_no = :build_no
            AND s.query_no = used.query_no AND s.depth = :depth AND s.options_no = 0))
       OR ((must_pass AND v.reason IS NULL AND :queries_by_vectors
            OR is_title AND :titles_by_vectors) AND NOT EXISTS (
            SELECT FROM searches AS s WHERE s.build_no = :build_no
            AND s.query_no = used.query_no AND s.depth = :near_depth AND s.options_no = :near_no)))
) AS missing
GROUP BY place / :size ORDER BY place / :size
"""

_USERS = """
INSERT INTO shards (run_no, stage, members)
SELECT :run_no, :stage, array_agg(user_no ORDER BY place)
FROM (
    SELECT user_no, row_number() OVER (ORDER BY user_no) - 1 AS place
    FROM {users} AS u WHERE (:everyone OR newest_item_nos <> '{{}}') AND user_no {in_none}
) AS cohort
GROUP BY place / :size ORDER BY place / :size
"""


class NearSearches(NamedTuple):
    """What a run searches by vectors, and whether it searches titles by words.

    near_no: number of the search options; 0: nothing.
    """

    near_no: int
    near_depth: int
    queries_by_vectors: bool
    titles_by_vectors: bool
    titles_by_words: bool


def plan_generate(connection: Connection, run: Run, size: int) -> int:
    """Create shards of the prompts without a generation; return their number."""
    return _plan(
        connection,
        run,
        _GENERATE,
        "generate",
        size,
        content_hash=run.content_hash,
        decoding_no=run.decoding_no,
    )


def plan_search(connection: Connection, run: Run, near: NearSearches, size: int) -> int:
    """Create shards of the queries without a search or verdict; return their number."""
    return _plan(
        connection,
        run,
        _SEARCH,
        "search",
        size,
        content_hash=run.content_hash,
        decoding_no=run.decoding_no,
        build_no=run.build_no,
        depth=run.depth,
        filters_no=run.filters_no,
        options_no=run.search_options_no,
        **near._asdict(),
    )


def plan_embed(connection: Connection, run: Run, size: int) -> int:
    """Create shards of the users with purchases; return their number."""
    return _plan(connection, run, _USERS, "embed", size, everyone=False)


def plan_merge(connection: Connection, run: Run, size: int) -> int:
    """Create shards of the users; return their number."""
    return _plan(connection, run, _USERS, "merge", size, everyone=True)


def _plan(
    connection: Connection,
    run: Run,
    statement: LiteralString,
    stage: str,
    size: int,
    **values: object,
) -> int:
    values |= {"run_no": run.run_no, "stage": stage, "size": size, "is_canary": run.is_canary}
    values |= {"most": run.canary_users} if run.is_canary else {}
    return connection.execute(
        text(statement.format(users=users_of(run), in_none=_IN_NONE, not_given_up=_NOT_GIVEN_UP)),
        values,
    ).rowcount
