"""Statements that compare the arms of a holdback: random groups of users with other lists."""

from typing import NamedTuple

from sqlalchemy import Connection, text

from gpt4rec_es.db.rows.quality_kept import BOUGHT, values_of
from gpt4rec_es.db.rows.runs import Run


class Arm(NamedTuple):
    """What the users of one arm bought; see table ``quality_arms``."""

    arm: str
    n_users: int
    n_buyers: int
    n_bought: int
    n_hit_users: int


_COUNT = """
WITH bought AS (
    SELECT b.user_no, count(*) AS n_bought, count(c.rank) AS n_hits
    FROM ({bought}) AS b LEFT JOIN recommendations AS c
        ON c.run_no = :run_no AND c.user_no = b.user_no AND c.item_no = b.item_no
    GROUP BY b.user_no
)
SELECT coalesce(h.arm, 'recipe') AS arm, count(*) AS n_users, count(b.user_no) AS n_buyers,
       coalesce(sum(b.n_bought), 0)::integer AS n_bought,
       count(*) FILTER (WHERE b.n_hits > 0) AS n_hit_users
FROM {users} AS u
LEFT JOIN holdback_users AS h ON h.run_no = :run_no AND h.user_no = u.user_no
LEFT JOIN bought AS b ON b.user_no = u.user_no
WHERE u.run_no = :run_no
GROUP BY 1 ORDER BY array_position(ARRAY['recipe', 'paper', 'popularity', 'none'],
                                   coalesce(max(h.arm), 'recipe'))
"""


def count_arms(connection: Connection, run: Run, age_days: int) -> list[Arm]:
    """Return what users bought by arm; empty: the run has no holdback."""
    if "holdback" not in run.manifest:
        return []
    users = "quality_users" if run.pruned_at else "run_users"
    statement = _COUNT.format(bought=BOUGHT, users=users)
    found = connection.execute(text(statement), {**values_of(run), "age_days": age_days})
    return [Arm(*row) for row in found]


def store_arms(connection: Connection, run_no: int, age_days: int, arms: list[Arm]) -> None:
    """Store the arms of a run and age in place of earlier ones."""
    key = {"run_no": run_no, "age_days": age_days}
    connection.execute(
        text("DELETE FROM quality_arms WHERE run_no = :run_no AND age_days = :age_days"), key
    )
    if arms:
        connection.execute(
            text("""
            INSERT INTO quality_arms
            VALUES (:run_no, :age_days, :arm, :n_users, :n_buyers, :n_bought, :n_hit_users)
            """),
            [{**key, **arm._asdict()} for arm in arms],
        )


class ShownArm(NamedTuple):
    """What the users of one arm bought within an age."""

    age_days: int
    arm: str
    n_users: int
    n_buyers: int
    n_bought: int
    n_hit_users: int


def arms_of(connection: Connection, run_no: int) -> list[ShownArm]:
    """Return the arms of a run by age, the recipe first; empty: the run has no holdback."""
    found = connection.execute(
        text("""
        SELECT age_days, arm, n_users, n_buyers, n_bought, n_hit_users FROM quality_arms
        WHERE run_no = :run_no
        ORDER BY age_days, array_position(ARRAY['recipe', 'paper', 'popularity', 'none'], arm)
        """),
        {"run_no": run_no},
    )
    return [ShownArm(*row) for row in found]
