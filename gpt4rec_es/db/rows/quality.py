"""Statements that compare lists with later purchases, and store the sums.

All are aggregates in SQL over the temporary table of ``rows/later_purchases.py``, so memory does
not depend on the number of users. ``rows/quality_kept.py`` says what lists are compared with.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

from sqlalchemy import Connection, text

from gpt4rec_es.db.rows.prune import LISTS_DAYS
from gpt4rec_es.db.rows.quality_arms import Arm, store_arms
from gpt4rec_es.db.rows.quality_kept import BOUGHT, frozen, values_of
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.tallies import Figure, Tally

# Ages of lists, in days, whose purchases are compared with them.
AGES = (1, 7, 28)


class Due(NamedTuple):
    """One run and age whose measurement is missing or older than the newest purchases.

    is_new: it was never measured. before: history version up to which the last measurement read.
    """

    run_no: int
    age_days: int
    is_new: bool
    before: int
    was_complete: bool


@dataclass(frozen=True, slots=True)
class Part:
    """Sums by rank, source or outcome; see table ``quality_parts``."""

    part: str
    value: str
    n_judged: int
    n_hits: int


_DUE = text("""
SELECT r.run_no, a.age_days, q.run_no IS NULL AS is_new,
       coalesce(q.history_version, r.history_version) AS before,
       coalesce(q.is_complete, false) AS was_complete
FROM runs AS r
CROSS JOIN unnest(cast(:ages AS smallint[])) AS a(age_days)
LEFT JOIN LATERAL (
    SELECT * FROM quality_days AS d
    WHERE d.run_no = r.run_no AND d.age_days = a.age_days
    ORDER BY measured_on DESC LIMIT 1
) AS q ON true
WHERE r.kind = :kind AND r.state = 'published'
  AND r.planned_at > clock_timestamp() - make_interval(days => :days)
  AND r.planned_at + make_interval(days => a.age_days) <= clock_timestamp()
  AND q.history_version IS DISTINCT FROM (SELECT history_version FROM catalog_state)
  AND to_regclass('public.recommendations_' || r.run_no) IS NOT NULL
  AND (r.pruned_at IS NULL
       OR EXISTS (SELECT FROM quality_users AS u WHERE u.run_no = r.run_no))
ORDER BY r.run_no, a.age_days
""")


def find_due(connection: Connection, kind: str) -> list[Due]:
    """Return the ages of published runs that are over and not compared with the newest purchases.

    Runs older than ``LISTS_DAYS`` days, and pruned ones without what they need, are left out.
    """
    found = connection.execute(_DUE, {"kind": kind, "ages": list(AGES), "days": LISTS_DAYS})
    return [Due(*row) for row in found]


# Users with another list say nothing about the run's own.
_TARGETS = f"""
    SELECT user_no, item_no FROM ({BOUGHT}) AS b WHERE user_no NOT IN (
        SELECT user_no FROM holdback_users WHERE run_no = :run_no)
"""  # noqa: S608 - a constant
# The rank that a popular item has for the user: without the items that the user had bought.
_POPULAR = """
    p.rank <= :k OR p.rank <= :k + f.n_bought AND :leaves_out_bought AND p.rank - (
        SELECT count(*) FROM run_popular AS q WHERE q.run_no = :run_no AND q.rank < p.rank
        AND EXISTS (SELECT FROM interactions AS x WHERE x.user_no = t.user_no
                    AND x.item_no = q.item_no AND x.version <= :history_version)) <= :k
"""
_TALLY = """
WITH targets AS MATERIALIZED ({targets}),
judged AS MATERIALIZED (
    SELECT f.* FROM ({frozen}) AS f
),
found AS (
    SELECT max(f.outcome) AS outcome, count(*) AS n_bought, count(c.rank) AS published,
           count(*) FILTER (WHERE {popular}) AS popularity,
           CASE WHEN bool_and(f.title_item_nos IS NOT NULL)
               THEN count(*) FILTER (WHERE t.item_no = ANY(f.title_item_nos)) END AS newest_title
    FROM targets AS t JOIN judged AS f USING (user_no)
    LEFT JOIN recommendations AS c
        ON c.run_no = :run_no AND c.user_no = t.user_no AND c.item_no = t.item_no
    LEFT JOIN run_popular AS p ON p.run_no = :run_no AND p.item_no = t.item_no
    GROUP BY t.user_no
)
SELECT outcome, n_bought, published, popularity, newest_title, count(*) AS n_users
FROM found GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
"""
_BOUGHT_BEFORE = """
    (SELECT count(DISTINCT x.item_no) FROM interactions AS x
     WHERE x.user_no = f.user_no AND x.version <= :history_version)
"""
_PARTS = """
WITH targets AS MATERIALIZED ({targets})
SELECT CASE WHEN GROUPING(c.rank) = 0 THEN 'rank' ELSE 'source' END AS part,
       coalesce(c.rank::text, c.source) AS value, count(*) AS n_judged, count(t.item_no) AS n_hits
FROM recommendations AS c LEFT JOIN targets AS t USING (user_no, item_no)
WHERE c.run_no = :run_no AND c.user_no IN (SELECT user_no FROM targets)
GROUP BY GROUPING SETS ((c.rank), (c.source)) ORDER BY part, length(coalesce(c.rank::text, '')), 2
"""


def tally(connection: Connection, run: Run, age_days: int) -> list[Tally]:
    """Return how many of the users that bought have which numbers of bought and listed items."""
    statement = _TALLY.format(
        targets=_TARGETS,
        frozen=frozen(run, "SELECT user_no FROM targets"),
        popular=_POPULAR.replace("f.n_bought", _BOUGHT_BEFORE),
    )
    found = connection.execute(text(statement), {**values_of(run), "age_days": age_days})
    return [Tally(*row) for row in found]


def count_parts(connection: Connection, run: Run, age_days: int) -> list[Part]:
    """Return recommendations, and bought ones, of users that bought, by rank and by source."""
    statement = _PARTS.format(targets=_TARGETS)
    found = connection.execute(text(statement), {**values_of(run), "age_days": age_days})
    return [Part(*row) for row in found]


def lock_lists(connection: Connection) -> None:
    """Keep partitions of runs from being dropped until the transaction ends."""
    connection.execute(
        text(
            "LOCK TABLE ONLY run_users, ONLY user_outcomes, ONLY recommendations "
            "IN ACCESS SHARE MODE"
        )
    )


def can_measure(connection: Connection, run: Run) -> bool:
    """Return whether the run is published, and pruned or not as it was when ``run`` was loaded."""
    found = connection.execute(
        text("""
        SELECT state = 'published' AND (pruned_at IS NULL) = :has_lists
            AND to_regclass('public.recommendations_' || run_no) IS NOT NULL
        FROM runs WHERE run_no = :run_no
        """),
        {"run_no": run.run_no, "has_lists": run.pruned_at is None},
    )
    return bool(found.scalar_one())


def read_version(connection: Connection) -> int:
    """Return the history version up to which this transaction reads."""
    found = connection.execute(text("SELECT history_version FROM catalog_state"))
    return int(found.scalar_one())


def raise_version(connection: Connection, due: Due, history_version: int) -> None:
    """Record that the last measurement holds for a later history version, too."""
    connection.execute(
        text("""
        UPDATE quality_days SET history_version = :version
        WHERE run_no = :run_no AND age_days = :age_days AND measured_on = (
            SELECT max(measured_on) FROM quality_days
            WHERE run_no = :run_no AND age_days = :age_days)
        """),
        {"run_no": due.run_no, "age_days": due.age_days, "version": history_version},
    )


def store(
    connection: Connection,
    due: Due,
    *,
    history_version: int,
    is_complete: bool,
    tallies: Sequence[Tally],
    figures: Sequence[Figure],
    parts: Sequence[Part],
    arms: list[Arm],
) -> None:
    """Store a measurement in place of an earlier one of this day."""
    key = {"run_no": due.run_no, "age_days": due.age_days}
    today = "(clock_timestamp() AT TIME ZONE 'UTC')::date"
    of_run = "run_no = :run_no AND age_days = :age_days"
    connection.execute(text(f"DELETE FROM quality_parts WHERE {of_run}"), key)  # noqa: S608 - ours
    connection.execute(
        text(f"DELETE FROM quality_days WHERE {of_run} AND measured_on = {today}"),  # noqa: S608
        key,
    )
    measured_on = connection.execute(
        text(f"""
        INSERT INTO quality_days (run_no, age_days, measured_on, history_version, is_complete,
                                  n_users, n_bought)
        VALUES (:run_no, :age_days, {today}, :version, :is_complete, :n_users, :n_bought)
        RETURNING measured_on
        """),  # noqa: S608 - a constant
        {
            **key,
            "version": history_version,
            "is_complete": is_complete,
            "n_users": sum(one.n_users for one in tallies),
            "n_bought": sum(one.n_users * one.n_bought for one in tallies),
        },
    ).scalar_one()
    connection.execute(
        text("""
        INSERT INTO quality_methods
        SELECT :run_no, :age_days, :measured_on, method, n_users, n_hit_users, n_hits,
               hit_rate_low, hit_rate_high, recall, recall_low, recall_high, gain, gain_low,
               gain_high
        FROM jsonb_populate_recordset(NULL::quality_methods, cast(:rows AS jsonb))
        """),
        {
            **key,
            "measured_on": measured_on,
            "rows": json.dumps([asdict(figure) for figure in figures]),
        },
    )
    connection.execute(
        text("""
        INSERT INTO quality_parts
        SELECT :run_no, :age_days, part, value, n_judged, n_hits
        FROM jsonb_populate_recordset(NULL::quality_parts, cast(:rows AS jsonb))
        """),
        {**key, "rows": json.dumps([asdict(part) for part in parts])},
    )
    store_arms(connection, due.run_no, due.age_days, arms)
