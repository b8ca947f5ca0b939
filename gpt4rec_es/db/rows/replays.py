"""Statements of replays: temporary tables of lists, differences, metrics and results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, insert, text

from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.db.tables import replay_metrics, replays

# Suffix of a replay's temporary tables, and the tables whose columns they have.
ENDING = "replayed"
_LIKE = ("recommendations", "user_outcomes")


def create_tables(connection: Connection) -> None:
    """Create empty temporary tables for lists and outcomes, and disable the statement time-out.

    The original tables stay locked until the caller commits.
    """
    connection.execute(text("SET statement_timeout = 0"))
    for table in _LIKE:
        connection.execute(text(f"CREATE TEMP TABLE {table}_{ENDING} (LIKE {table})"))


def analyze(connection: Connection) -> None:
    """Collect statistics of the temporary tables."""
    for table in _LIKE:
        connection.execute(text(f"ANALYZE {table}_{ENDING}"))


@dataclass(frozen=True, slots=True)
class Differing:
    """Number of differing rows, stored or replayed, and ids of some of their users.

    users: in order of id.
    """

    rows: int
    users: list[str]


_DIFFERING = """
WITH stored AS (SELECT * FROM {stored} WHERE run_no = :run_no),
     differing AS (
         (SELECT * FROM stored EXCEPT SELECT * FROM {replayed})
         UNION ALL
         (SELECT * FROM {replayed} EXCEPT SELECT * FROM stored)),
     shown AS (SELECT DISTINCT user_no FROM differing ORDER BY user_no LIMIT :shown)
SELECT (SELECT count(*) FROM differing) AS n,
       (SELECT array_agg(user_id ORDER BY user_id) FROM shown JOIN users USING (user_no)) AS users
"""


def find_differing(connection: Connection, run_no: int, shown: int) -> Differing:
    """Compare a run's stored lists and outcomes with those in the temporary tables.

    shown: maximum number of user ids returned.
    """
    n, users = 0, set[str]()
    for table in _LIKE:
        row = connection.execute(
            # Only table names are formatted in; values are bound.
            text(_DIFFERING.format(stored=table, replayed=f"{table}_{ENDING}")),
            {"run_no": run_no, "shown": shown},
        ).one()
        n += row.n
        users.update(row.users or ())
    return Differing(n, sorted(users)[:shown])


class EvalUserOfRuns(NamedTuple):
    """A user of two runs in a split, with held-out items and whether a run knew any of them."""

    user_no: int
    targets: list[int]
    was_known: bool


_OF_RUNS = text("""
SELECT c.user_no, c.targets, EXISTS (
           SELECT FROM interactions AS x WHERE x.user_no = c.user_no
             AND x.item_no = ANY(c.targets) AND x.version <= :version) AS was_known
FROM split_eval_users AS c
JOIN run_users AS u ON u.run_no = :a AND u.user_no = c.user_no
JOIN run_users AS v ON v.run_no = :b AND v.user_no = c.user_no
WHERE c.split_no = :split_no AND c.part = :part
ORDER BY hashint4(c.user_no), c.user_no LIMIT :most
""")


def eval_users_of_runs(
    connection: Connection, split_no: int, part: str, runs: tuple[Run, Run], most: int
) -> list[EvalUserOfRuns]:
    """Return at most ``most`` split users that are in both runs, always the same ones."""
    one, other = runs
    bound = {
        "split_no": split_no,
        "part": part,
        "a": one.run_no,
        "b": other.run_no,
        "version": max(one.history_version, other.history_version),
        "most": most,
    }
    return [EvalUserOfRuns(*row) for row in connection.execute(_OF_RUNS, bound)]


def store(
    connection: Connection, values: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]] = ()
) -> int:
    """Store one replay and its metrics, as values by column; return its number."""
    found = connection.execute(insert(replays).values(values).returning(replays.c.replay_no))
    number = int(found.scalar_one())
    if metrics:
        rows = [{"replay_no": number, **row} for row in metrics]
        connection.execute(insert(replay_metrics), rows)
    return number
