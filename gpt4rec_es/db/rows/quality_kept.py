"""What lists are compared with: users of a run, and the hits of their newest titles.

Read from the run's own rows; before these are pruned, they are kept in ``quality_users``, which
gives equal measurements.
"""

from typing import Any

from sqlalchemy import Connection, text

from gpt4rec_es.db.engine import disable_statement_timeout
from gpt4rec_es.db.rows.runs import Run

# New purchases of users within an age, see ``rows/later_purchases.py``.
BOUGHT = """
    SELECT user_no, item_no FROM later_purchases
    WHERE first_version > :history_version AND first_at > :cut_off
      AND first_at <= :cut_off + make_interval(days => :age_days)
"""
_FROZEN = """
    SELECT u.user_no, o.outcome,
        CASE WHEN u.last_query_no IS NULL THEN '{{}}'::integer[]
        WHEN s.query_no IS NOT NULL THEN ARRAY(
            SELECT h.item_no FROM unnest(s.item_nos) WITH ORDINALITY AS h(item_no, place)
            WHERE h.item_no NOT IN (SELECT unnest(r.item_nos) FROM run_rules AS r
                                    WHERE r.run_no = :run_no AND r.action = 'block'
                                    AND r.item_nos IS NOT NULL)
              AND (NOT :leaves_out_bought OR h.item_no <> ALL(b.item_nos))
            ORDER BY h.place LIMIT :k) END AS title_item_nos
    FROM run_users AS u
    JOIN user_outcomes AS o ON o.run_no = :run_no AND o.user_no = u.user_no
    LEFT JOIN searches AS s ON s.build_no = :build_no AND s.query_no = u.last_query_no
        AND s.depth = :depth AND s.options_no = 0
    CROSS JOIN LATERAL (
        SELECT ARRAY(SELECT x.item_no FROM interactions AS x WHERE x.user_no = u.user_no
                     AND x.version <= :history_version) AS item_nos) AS b
    WHERE u.run_no = :run_no {among}
"""
_KEPT = """
    SELECT u.user_no, u.outcome, u.title_item_nos FROM quality_users AS u
    WHERE u.run_no = :run_no {among}
"""
# Users with a title that is not searched at the run's build and first depth.
_UNSEARCHED = """
    SELECT DISTINCT u.last_query_no FROM run_users AS u
    WHERE u.run_no = :run_no AND u.last_query_no > :after {among}
      AND NOT EXISTS (SELECT FROM searches AS s WHERE s.build_no = :build_no
                      AND s.query_no = u.last_query_no AND s.depth = :depth AND s.options_no = 0)
    ORDER BY 1 LIMIT :most
"""
_BUYERS = "SELECT user_no FROM later_purchases"


def values_of(run: Run) -> dict[str, Any]:
    """Return the values of a run that the statements here and in ``rows/quality.py`` need."""
    return {
        "run_no": run.run_no,
        "build_no": run.build_no,
        "depth": run.depth,
        "k": run.k,
        "history_version": run.history_version,
        "cut_off": run.planned_at,
        "leaves_out_bought": run.manifest.get("exclude_bought", True),
    }


def frozen(run: Run, users: str | None = None) -> str:
    """Return a query of (user_no, outcome, title_item_nos) with parameters of ``values_of``.

    users: a query of user numbers; None: all users of the run.
    """
    among = f"AND u.user_no IN ({users})" if users else ""
    return (_KEPT if run.pruned_at else _FROZEN).format(among=among)


def unsearched_titles(
    connection: Connection, run: Run, *, after: int, most: int, buyers_only: bool
) -> list[int]:
    """Return the next newest titles, as query numbers above ``after``, that are not searched.

    buyers_only: only those of users in the temporary table of ``later_purchases``.
    """
    disable_statement_timeout(connection)
    among = f"AND u.user_no IN ({_BUYERS})" if buyers_only else ""
    found = connection.execute(
        text(_UNSEARCHED.format(among=among)), {**values_of(run), "after": after, "most": most}
    )
    return list(found.scalars())


def keep_users(connection: Connection, run: Run) -> int:
    """Keep what the run's lists are compared with, in place of earlier rows; return their number.

    The run must not be pruned.
    """
    disable_statement_timeout(connection)
    delete_users(connection, run.run_no)
    kept = connection.execute(
        text(f"INSERT INTO quality_users SELECT :run_no, f.* FROM ({frozen(run)}) AS f"),  # noqa: S608
        values_of(run),
    )
    return kept.rowcount


def delete_users(connection: Connection, run_no: int) -> None:
    """Delete what was kept of a run."""
    connection.execute(text("DELETE FROM quality_users WHERE run_no = :run_no"), {"run_no": run_no})
