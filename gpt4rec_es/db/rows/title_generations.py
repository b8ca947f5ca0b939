"""Generations of mode "titles", which are valid while all their titles can be found.

Their key has the titles that they were chosen among. A run with other titles copies those that are
still valid to its own key: they cost no tokens, and earlier runs keep theirs.
"""

import datetime as dt
from collections.abc import Iterable

from sqlalchemy import Connection, text

from gpt4rec_es.db.copy import copy_rows

_ACTIVE = text("SELECT title FROM items WHERE is_active AND title IS NOT NULL")
_TITLES = text("CREATE TEMP TABLE titles_now (query_hash bytea) ON COMMIT DROP")
# A copy keeps its time, so that a generation is renewed at an age, however often it was copied.
_COPY = """
WITH valid AS MATERIALIZED (
    SELECT DISTINCT ON (g.prompt_no)
           g.generation_no, g.prompt_no, g.n_queries, g.tokens_generated, g.created_at
    FROM generations AS g JOIN decodings AS d USING (decoding_no)
    WHERE g.prompt_no IN (
            SELECT prompt_no FROM {run_users}
            UNION SELECT prompt_no FROM held_out_users WHERE run_no = :run_no)
      AND g.content_hash = :content_hash AND g.decoding_no <> :decoding_no
      AND g.created_at > :oldest AND g.n_queries > 0
      AND d.settings - 'titles' = (
            SELECT settings - 'titles' FROM decodings WHERE decoding_no = :decoding_no)
      AND NOT EXISTS (
            SELECT FROM generations AS own WHERE own.prompt_no = g.prompt_no
            AND own.content_hash = :content_hash AND own.decoding_no = :decoding_no)
      AND NOT EXISTS (
            SELECT FROM generated_queries AS r JOIN queries AS q USING (query_no)
            WHERE r.generation_no = g.generation_no AND NOT EXISTS (
                SELECT FROM titles_now AS t WHERE t.query_hash = q.query_hash))
    ORDER BY g.prompt_no, g.generation_no DESC
), copies AS (
    INSERT INTO generations
        (prompt_no, content_hash, decoding_no, n_queries, tokens_generated, created_at)
    SELECT prompt_no, :content_hash, :decoding_no, n_queries, tokens_generated, created_at
    FROM valid ON CONFLICT DO NOTHING
    RETURNING generation_no, prompt_no
), rows AS (
    INSERT INTO generated_queries
        (generation_no, rank, query_no, sum_logprob, n_tokens, prior_logprob)
    SELECT c.generation_no, r.rank, r.query_no, r.sum_logprob, r.n_tokens, r.prior_logprob
    FROM copies AS c JOIN valid AS v USING (prompt_no)
    JOIN generated_queries AS r ON r.generation_no = v.generation_no
)
SELECT count(*) FROM copies
"""


def load_active_titles(connection: Connection) -> list[str]:
    """Return the titles of the items that a search can find, in no order."""
    return list(connection.execute(_ACTIVE).scalars())


def copy_valid(
    connection: Connection,
    run_no: int,
    content_hash: str,
    decoding_no: int,
    title_hashes: Iterable[bytes],
    oldest: dt.datetime,
) -> int:
    """Copy what other nights generated for the run's prompts, to the run's key; return the number.

    title_hashes: 128-bit hashes of all titles that can be chosen; a generation with another text is
    not copied, nor one from before ``oldest``.
    """
    connection.execute(_TITLES)
    copy_rows(connection, "titles_now", ["query_hash"], ((key,) for key in title_hashes))
    connection.execute(text("ANALYZE titles_now"))
    statement = text(_COPY.format(run_users=f"run_users_{int(run_no)}"))
    values = {"run_no": run_no, "content_hash": content_hash, "decoding_no": decoding_no}
    return int(connection.execute(statement, {**values, "oldest": oldest}).scalar_one())
