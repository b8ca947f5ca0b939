"""Writes of a run's frozen inputs: users with prompts, popular items, bought titles as queries.

Rows are staged in temporary tables of the planner's transaction and numbered from there.
`rows/frozen_users.py` reads one user's frozen inputs again.
"""

import datetime as dt
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, text

from gpt4rec_es.db.copy import analyze_tables, copy_rows

USER_COLUMNS = (
    "user_no",
    "prompt_hash",
    "prompt",
    "n_tokens",
    "item_nos",
    "n_bought",
    "last_hash",
    "last_text",
    "newest_item_nos",
)


def create_staged_users(connection: Connection) -> None:
    """Create the temporary table of ``USER_COLUMNS`` that ``stage_users`` fills."""
    connection.execute(
        text("""
        CREATE TEMP TABLE staged_users (
            user_no int, prompt_hash bytea, prompt text, n_tokens int, item_nos int[],
            n_bought int, last_hash bytea, last_text text, newest_item_nos int[]
        ) ON COMMIT DROP
        """)
    )


def stage_users(connection: Connection, rows: Sequence[Sequence[object]]) -> None:
    """Append users to the staged users; rows have ``USER_COLUMNS``."""
    copy_rows(connection, "staged_users", USER_COLUMNS, rows)


def freeze_users(connection: Connection, run_no: int) -> None:
    """Store the staged users, their prompts and queries for a run; creates the run's partitions."""
    connection.execute(text("ANALYZE staged_users"))
    connection.execute(
        text("""
        INSERT INTO prompts (prompt_hash, text, n_tokens)
        SELECT DISTINCT ON (prompt_hash) prompt_hash, prompt, n_tokens
        FROM staged_users WHERE prompt_hash IS NOT NULL
        ORDER BY prompt_hash ON CONFLICT (prompt_hash) DO NOTHING
        """)
    )
    connection.execute(
        text("""
        INSERT INTO queries (query_hash, text)
        SELECT DISTINCT ON (last_hash) last_hash, last_text
        FROM staged_users WHERE last_hash IS NOT NULL
        ORDER BY last_hash ON CONFLICT (query_hash) DO NOTHING
        """)
    )
    connection.execute(text("SELECT create_run_partitions(:run_no)"), {"run_no": run_no})
    connection.execute(
        text("""
        INSERT INTO run_users (run_no, user_no, prompt_no, item_nos, n_bought, last_query_no,
                               newest_item_nos)
        SELECT :run_no, s.user_no, p.prompt_no, s.item_nos, s.n_bought, q.query_no,
               s.newest_item_nos
        FROM staged_users AS s
        LEFT JOIN prompts AS p USING (prompt_hash)
        LEFT JOIN queries AS q ON q.query_hash = s.last_hash
        ORDER BY s.user_no
        """),
        {"run_no": run_no},
    )
    analyze_tables(connection, ("prompts", f"run_users_{run_no}"))


def most_bought(connection: Connection, run_no: int) -> int:
    """Return the maximum number of distinct items that a user of the run bought."""
    found = connection.execute(
        text("SELECT coalesce(max(n_bought), 0) FROM run_users WHERE run_no = :run_no"),
        {"run_no": run_no},
    )
    return int(found.scalar_one())


def freeze_popular(
    connection: Connection, run_no: int, history_version: int, *, most: int, per_brand: int | None
) -> None:
    """Freeze the ``most`` most bought items, at most ``per_brand`` of one brand (None: any)."""
    connection.execute(
        text("""
        INSERT INTO run_popular (run_no, rank, item_no, n_buyers)
        WITH blocked AS (
            SELECT DISTINCT unnest(item_nos) AS item_no FROM run_rules
            WHERE run_no = :run_no AND action = 'block'
        ), bought AS (
            SELECT i.item_no, i.item_id, i.brand, count(DISTINCT x.user_no) AS n_buyers
            FROM interactions AS x JOIN items AS i USING (item_no)
            LEFT JOIN blocked AS b USING (item_no)
            WHERE x.version <= :history_version AND i.is_active AND i.title IS NOT NULL
              AND b.item_no IS NULL
            GROUP BY i.item_no, i.item_id, i.brand
        ), placed AS (
            SELECT *, row_number() OVER (
                PARTITION BY lower(brand) ORDER BY n_buyers DESC, item_id) AS place_in_brand
            FROM bought
        )
        SELECT :run_no, row_number() OVER w, item_no, n_buyers FROM placed
        WHERE cast(:per_brand AS int) IS NULL OR brand IS NULL OR place_in_brand <= :per_brand
        WINDOW w AS (ORDER BY n_buyers DESC, item_id)
        ORDER BY 2 LIMIT :most
        """),
        {
            "run_no": run_no,
            "history_version": history_version,
            "per_brand": per_brand,
            "most": most,
        },
    )


_BOUGHT = text("""
SELECT item_no, title FROM items
WHERE item_no > :after AND title IS NOT NULL AND EXISTS (
    SELECT FROM interactions AS x
    WHERE x.item_no = items.item_no AND x.version <= :history_version)
ORDER BY item_no LIMIT :most
""")


def bought_titles(
    connection: Connection, history_version: int, *, after: int, most: int
) -> list[tuple[int, str]]:
    """Return (item number, title) of the next ``most`` bought items after number ``after``."""
    found = connection.execute(
        _BOUGHT, {"after": after, "history_version": history_version, "most": most}
    )
    return [(row.item_no, row.title) for row in found]


def create_staged_titles(connection: Connection) -> None:
    """Create the temporary table that ``stage_titles`` fills."""
    connection.execute(
        text(
            "CREATE TEMP TABLE staged_titles (item_no int, query_hash bytea, text text) "
            "ON COMMIT DROP"
        )
    )


def stage_titles(connection: Connection, rows: Iterable[tuple[int, bytes, str]]) -> None:
    """Append rows (item number, hash, query text) to the staged titles."""
    copy_rows(connection, "staged_titles", ["item_no", "query_hash", "text"], rows)


def freeze_titles(connection: Connection, run_no: int) -> int:
    """Store the staged titles and their queries for a run; return the number of items."""
    connection.execute(
        text("""
        INSERT INTO queries (query_hash, text)
        SELECT DISTINCT ON (query_hash) query_hash, text FROM staged_titles
        ORDER BY query_hash ON CONFLICT (query_hash) DO NOTHING
        """)
    )
    return connection.execute(
        text("""
        INSERT INTO run_titles (run_no, item_no, query_no)
        SELECT :run_no, s.item_no, q.query_no
        FROM staged_titles AS s JOIN queries AS q USING (query_hash) ORDER BY s.item_no
        """),
        {"run_no": run_no},
    ).rowcount


def has_titles(connection: Connection, run_no: int) -> bool:
    """Return whether titles of bought items are stored for the run."""
    found = connection.execute(
        text("SELECT EXISTS (SELECT FROM run_titles WHERE run_no = :run_no)"), {"run_no": run_no}
    )
    return bool(found.scalar_one())


def published_lately(connection: Connection, kind: str, date: dt.date, days: int) -> list[int]:
    """Return the runs published on the ``days`` before ``date`` whose lists are kept."""
    found = connection.execute(
        text("""
        SELECT run_no FROM runs
        WHERE kind = :kind AND state = 'published' AND pruned_at IS NULL
          AND logical_date < :date AND logical_date >= cast(:date AS date) - :days
        ORDER BY run_no
        """),
        {"kind": kind, "date": date, "days": days},
    )
    return list(found.scalars())


def total_k(connection: Connection, run_nos: list[int]) -> int:
    """Return the sum of k over these runs."""
    found = connection.execute(
        text("SELECT coalesce(sum(k), 0) FROM runs WHERE run_no = ANY(:numbers)"),
        {"numbers": run_nos},
    )
    return int(found.scalar_one())
