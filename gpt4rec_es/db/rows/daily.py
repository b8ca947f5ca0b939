"""Daily sums of a published run by query, item, brand and category, computed in SQL.

They stay when the run's lists are pruned. For millions of users this takes minutes. Rows are keyed
by run, so until ``count_for_date`` at the end of the transaction, only publishers of the same run
wait. It is idempotent.
"""

from sqlalchemy import Connection, text

from gpt4rec_es.db import locks
from gpt4rec_es.db.engine import disable_statement_timeout
from gpt4rec_es.db.rows.runs import Run

TABLES = ("daily_examples", "daily_queries", "daily_items", "daily_coverage")

_EXAMPLES = 3
# Users of a run's queries. Queries of a generation are distinct, so each row is one user.
_GENERATED = """
    FROM run_users AS u
    JOIN generations AS g ON g.prompt_no = u.prompt_no
        AND g.content_hash = :content_hash AND g.decoding_no = :decoding_no
    JOIN generated_queries AS q USING (generation_no)
"""
# S608: only the constants above are put in.
_QUERIES = f"""
    WITH wanted AS (
        SELECT q.query_no, count(*) AS n_users {_GENERATED}
        WHERE u.run_no = :run_no GROUP BY q.query_no HAVING count(*) >= :min_users
    ), gave AS (
        SELECT query_no, count(*) AS n_recommended FROM recommendations
        WHERE run_no = :run_no AND query_rank IS NOT NULL GROUP BY query_no
    )
    INSERT INTO daily_queries (run_no, query_no, n_users, n_hits, has_more_hits, is_empty_query,
                               n_recommended)
    SELECT :run_no, w.query_no, w.n_users, cardinality(s.item_nos),
        coalesce(NOT s.is_exhausted, false), coalesce(s.is_empty_query, false),
        coalesce(gave.n_recommended, 0)
    FROM wanted AS w
    LEFT JOIN searches AS s
        ON s.build_no = :build_no AND s.query_no = w.query_no AND s.depth = :depth
        AND s.options_no = :options_no
        AND NOT EXISTS (
            SELECT FROM query_verdicts AS v WHERE v.filters_no = :filters_no
            AND v.query_no = w.query_no AND v.reason IS NOT NULL)
    LEFT JOIN gave ON gave.query_no = w.query_no
    ORDER BY w.query_no
"""  # noqa: S608
_EXAMPLE_TITLES = f"""
    INSERT INTO daily_examples (run_no, query_no, place, item_no, user_no)
    SELECT :run_no, query_no, place, item_no, user_no
    FROM (
        SELECT query_no, item_no, user_no,
            row_number() OVER (PARTITION BY query_no ORDER BY n DESC, item_no) AS place
        FROM (
            SELECT q.query_no, u.item_nos[cardinality(u.item_nos)] AS item_no,
                count(*) AS n, min(u.user_no) AS user_no
            {_GENERATED}
            JOIN daily_queries AS d ON d.run_no = u.run_no AND d.query_no = q.query_no
            WHERE u.run_no = :run_no AND d.n_hits = 0 AND NOT d.is_empty_query
                AND cardinality(u.item_nos) > 0
            GROUP BY 1, 2
        ) AS titles
    ) AS placed
    WHERE place <= {_EXAMPLES}
    ORDER BY query_no, place
"""  # noqa: S608
_ITEMS = """
    INSERT INTO daily_items (run_no, item_no, n_users, n_by_query)
    SELECT :run_no, item_no, count(*), count(query_rank)
    FROM recommendations WHERE run_no = :run_no GROUP BY item_no ORDER BY item_no
"""
_COVERAGE = """
    INSERT INTO daily_coverage (run_no, "of", value, n_items, n_recommended_items,
                                n_recommendations)
    SELECT :run_no,
        CASE GROUPING(brand, category) WHEN 1 THEN 'brand' WHEN 2 THEN 'category' ELSE 'all' END,
        coalesce(brand, category, ''), count(*), count(n_users), coalesce(sum(n_users), 0)
    FROM (
        SELECT coalesce(i.brand, '') AS brand, coalesce(i.category, '') AS category, d.n_users
        FROM items AS i
        LEFT JOIN daily_items AS d ON d.run_no = :run_no AND d.item_no = i.item_no
        WHERE i.is_active AND i.title IS NOT NULL
    ) AS offered
    GROUP BY GROUPING SETS ((), (brand), (category))
"""


def lock_sums(connection: Connection, run: Run) -> None:
    """Take the lock for the run's sums until the transaction ends, without a time-out."""
    disable_statement_timeout(connection)
    locks.set_lock_timeout(connection, 0)
    locks.transaction_lock(connection, f"daily {run.run_no}")
    connection.execute(text("SET LOCAL lock_timeout TO DEFAULT"))


def store_daily(connection: Connection, run: Run) -> None:
    """Store the run's sums from its stored lists; existing sums are replaced."""
    delete_daily(connection, run.run_no)
    values = {
        "run_no": run.run_no,
        "content_hash": run.content_hash,
        "decoding_no": run.decoding_no,
        "build_no": run.build_no,
        "depth": run.depth,
        "filters_no": run.filters_no,
        "options_no": run.search_options_no,
        "min_users": run.manifest.get("daily_min_users", 1),
    }
    for statement in (_QUERIES, _EXAMPLE_TITLES, _ITEMS, _COVERAGE):
        connection.execute(text(statement), values)


def delete_daily(connection: Connection, run_no: int) -> None:
    """Delete a run's sums; the sums shown for its date must belong to another run."""
    for table in TABLES:
        connection.execute(
            text(f"DELETE FROM {table} WHERE run_no = :run_no"),  # noqa: S608 - names above
            {"run_no": run_no},
        )


def counts(connection: Connection, run_no: int) -> bool:
    """Return whether the run's sums are shown for its date."""
    found = connection.execute(
        text("SELECT EXISTS (SELECT FROM daily_runs WHERE run_no = :run_no)"), {"run_no": run_no}
    )
    return bool(found.scalar_one())


def count_for_date(connection: Connection, run: Run) -> None:
    """Show the run's sums for its date."""
    connection.execute(
        text("""
        INSERT INTO daily_runs (kind, logical_date, run_no) VALUES (:kind, :date, :run_no)
        ON CONFLICT (kind, logical_date) DO UPDATE SET run_no = excluded.run_no
        """),
        {"kind": run.kind, "date": run.logical_date, "run_no": run.run_no},
    )


def withdraw_from_date(connection: Connection, run: Run) -> None:
    """Show an earlier published attempt's sums, if any, instead of a rejected run's."""
    withdrawn = connection.execute(
        text("DELETE FROM daily_runs WHERE run_no = :run_no"), {"run_no": run.run_no}
    )
    if withdrawn.rowcount:
        connection.execute(
            text("""
            INSERT INTO daily_runs (kind, logical_date, run_no)
            SELECT kind, logical_date, run_no FROM runs AS r
            WHERE kind = :kind AND logical_date = :date AND state = 'published'
              AND EXISTS (SELECT FROM daily_coverage AS d WHERE d.run_no = r.run_no)
            ORDER BY attempt DESC LIMIT 1
            """),
            {"kind": run.kind, "date": run.logical_date},
        )
