"""What two sets of lists, of one run or of two, are worth by what a split holds out.

A night knows all purchases up to its cut-off. Users whose held-out items it knew are left out: it
was told what it should guess.
"""

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, text

from gpt4rec_es.db.rows import splits
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.db.rows.splits import SplitRow
from gpt4rec_es.db.rows.stored_lists import Lists
from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.evaluation.compare import Difference, differences
from gpt4rec_es.metrics.lists import as_lists

# More users would take much memory and change little; which ones is always the same.
_MOST_USERS = 50_000


@dataclass(frozen=True, slots=True)
class MetricDeltas:
    """Metrics of lists ``b`` against lists ``a`` over ``users``.

    users_who_were_known: left out, because a run knew what was held out.
    """

    split: str
    part: str
    users: int
    users_who_were_known: int
    metrics: tuple[Difference, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return all fields as plain values."""
        return asdict(self)


def metric_deltas(
    connection: Connection,
    a: Lists,
    b: Lists,
    runs: tuple[Run, Run],
    split: str,
    part: str = "test",
) -> MetricDeltas:
    """Return what ``b`` gains over ``a``, lists of ``runs``, by what ``split`` holds out.

    Raises:
        UsageError: there is no such split, lists are of different lengths, or no case is left.
    """
    row = require_comparable(connection, runs, split)
    one, other = runs
    bound = {
        "split_no": row.split_no,
        "part": part,
        "a": one.run_no,
        "b": other.run_no,
        "version": max(one.history_version, other.history_version),
        "most": _MOST_USERS,
    }
    cases = connection.execute(_CASES, bound).all()
    targets = {case.user_no: case.targets for case in cases if not case.was_known}
    if not targets:
        raise UsageError(
            f"Nothing that {split} ({part}) holds out was unknown to the night.",
            "Make a night without those purchases, as of an import before them.",
        )
    users = list(targets)
    found = differences(
        {one.k: as_lists(_lists(connection, a, users), one.k)},
        {one.k: as_lists(_lists(connection, b, users), one.k)},
        [targets[user] for user in users],
    )
    return MetricDeltas(split, part, len(users), len(cases) - len(users), tuple(found))


def require_comparable(connection: Connection, runs: tuple[Run, Run], split: str) -> SplitRow:
    """Return the split if lists of both runs can be compared by it.

    Raises:
        UsageError: there is no such split, or lists are of different lengths.
    """
    one, other = runs
    if one.k != other.k:
        raise UsageError(
            f"Lists of {one.k} and of {other.k} items cannot be compared by a metric.",
            "Compare lists of equal length.",
        )
    return splits.find(connection, split)


_CASES = text("""
SELECT c.user_no, c.targets, EXISTS (
           SELECT FROM interactions AS x WHERE x.user_no = c.user_no
             AND x.item_no = ANY(c.targets) AND x.version <= :version) AS was_known
FROM split_cases AS c
JOIN run_users AS u ON u.run_no = :a AND u.user_no = c.user_no
JOIN run_users AS v ON v.run_no = :b AND v.user_no = c.user_no
WHERE c.split_no = :split_no AND c.part = :part
ORDER BY hashint4(c.user_no), c.user_no LIMIT :most
""")


def _lists(connection: Connection, lists: Lists, users: list[int]) -> list[list[int]]:
    """Return the users' lists in order; empty where there is none."""
    found = connection.execute(
        # Only the name of a table is put in; values are bound.
        text(
            f"SELECT user_no, array_agg(item_no ORDER BY rank) AS items FROM {lists.table} "  # noqa: S608
            "WHERE run_no = :run_no AND user_no = ANY(:users) GROUP BY user_no"
        ),
        {"run_no": lists.run_no, "users": users},
    )
    by_user = {row.user_no: row.items for row in found}
    return [by_user.get(user, []) for user in users]
