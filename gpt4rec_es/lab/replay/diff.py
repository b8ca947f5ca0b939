"""Comparison of two runs: changes of lists and queries, and metrics by a split.

A night knows all purchases up to its cut-off. Users whose held-out items it knew are excluded from
the metrics of a split.
"""

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Engine

from gpt4rec_es.db.engine import disable_statement_timeout
from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.db.rows import splits, stored_lists
from gpt4rec_es.db.rows.replays import eval_users_of_runs
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.db.rows.splits import SplitRow
from gpt4rec_es.db.rows.stored_lists import ListsTable
from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.evaluation.compare import Difference, differences
from gpt4rec_es.metrics.lists import as_lists

# More users would take much memory and change little; which ones is always the same.
_MOST_USERS = 50_000


@dataclass(frozen=True, slots=True)
class MetricDeltas:
    """Metrics of lists ``b`` against lists ``a`` over ``users``.

    known_users: number of users left out because a run knew their held-out items.
    """

    split: str
    part: str
    users: int
    known_users: int
    metrics: tuple[Difference, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return all fields as plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ListsDiff:
    """Differences of lists ``b`` from lists ``a``; plain values, ready for JSON.

    mean_jaccard: over users of both, |common items| / |all items| of the two lists. deciles: the
    same at 0, 10, ... 100 % of users. gained, lost: items by the number of users that gained or
    lost them.
    """

    users_in_both: int
    users_only_in_a: int
    users_only_in_b: int
    equal_lists: int
    mean_jaccard: float | None
    deciles: list[float]
    gained: list[dict[str, Any]]
    lost: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDiff(ListsDiff):
    """Differences of run ``b`` from run ``a``: lists, queries and manifest.

    metrics: by a split, if one was named.
    """

    a: str
    b: str
    users_with_other_queries: int
    changed_inputs: dict[str, list[Any]]
    metrics: MetricDeltas | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return all fields as plain values."""
        return asdict(self)


def diff_runs(
    engine: Engine,
    first: str,
    second: str,
    *,
    items: int = 10,
    split: str | None = None,
    part: str = "test",
) -> RunDiff:
    """Return the differences of run ``second`` from ``first``, with ``items`` changed items named.

    split: also measure by its held-out items in ``part``.

    Raises:
        UsageError: there is no such run or split, no user to measure, or a run is not merged yet or
        was pruned.
    """
    with engine.connect() as connection:
        disable_statement_timeout(connection)
        a = run_rows.find_with_lists(connection, first)
        b = run_rows.find_with_lists(connection, second)
        before, after = ListsTable(a.run_no), ListsTable(b.run_no)
        return RunDiff(
            **asdict(diff_lists(connection, before, after, items=items)),
            a=a.run_id,
            b=b.run_id,
            users_with_other_queries=stored_lists.count_other_queries(connection, a, b),
            changed_inputs=changed_entries(a.manifest, b.manifest),
            metrics=metric_deltas(connection, before, after, (a, b), split, part)
            if split
            else None,
        )


def diff_lists(
    connection: Connection, a: ListsTable, b: ListsTable, *, items: int = 10
) -> ListsDiff:
    """Return the differences of lists ``b`` from ``a``, with ``items`` gained and lost items."""
    found = stored_lists.compare(connection, a, b)
    gained = stored_lists.load_moved(connection, a, b, items)
    lost = stored_lists.load_moved(connection, b, a, items)
    return ListsDiff(
        users_in_both=found.in_both,
        users_only_in_a=found.only_in_a,
        users_only_in_b=found.only_in_b,
        equal_lists=found.equal,
        mean_jaccard=found.mean,
        deciles=found.deciles or [],
        gained=[item._asdict() for item in gained],
        lost=[item._asdict() for item in lost],
    )


def changed_entries(a: dict[str, Any], b: dict[str, Any], prefix: str = "") -> dict[str, list[Any]]:
    """Return differing manifest entries by dotted name, as [value in a, value in b]."""
    changed: dict[str, list[Any]] = {}
    for key in sorted({*a, *b}):
        old, new = a.get(key), b.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            changed |= changed_entries(old, new, f"{prefix}{key}.")
        elif old != new:
            changed[prefix + key] = [old, new]
    return changed


def metric_deltas(
    connection: Connection,
    a: ListsTable,
    b: ListsTable,
    runs: tuple[Run, Run],
    split: str,
    part: str = "test",
) -> MetricDeltas:
    """Return the metric gains of lists ``b`` over ``a``, of ``runs``, on ``split``.

    Raises:
        UsageError: there is no such split, lists are of different lengths, or no user is left.
    """
    row = require_comparable(connection, runs, split)
    eval_users = eval_users_of_runs(connection, row.split_no, part, runs, _MOST_USERS)
    targets = {
        eval_user.user_no: eval_user.targets for eval_user in eval_users if not eval_user.was_known
    }
    if not targets:
        raise UsageError(
            f"Nothing that {split} ({part}) holds out was unknown to the night.",
            "Make a night without those purchases, as of an import before them.",
        )
    users, k = list(targets), runs[0].k
    found = differences(
        {k: as_lists(stored_lists.load_item_nos(connection, a, users), k)},
        {k: as_lists(stored_lists.load_item_nos(connection, b, users), k)},
        [targets[user] for user in users],
    )
    return MetricDeltas(split, part, len(users), len(eval_users) - len(users), tuple(found))


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
