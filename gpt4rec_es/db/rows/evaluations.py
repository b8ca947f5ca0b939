"""Reads and writes of evaluations; each is stored in one transaction."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, RowMapping, Select, delete, insert, select, text

from gpt4rec_es.db.copy import copy_rows
from gpt4rec_es.db.rows.splits import USER_ID
from gpt4rec_es.db.tables import evaluation_metrics, evaluations, splits
from gpt4rec_es.errors import UsageError


@dataclass(frozen=True, slots=True)
class StoredEvaluation:
    """One row of ``evaluations``, with the name of its split."""

    evaluation_no: int
    split_no: int
    split: str
    part: str
    method: str
    num_queries: int | None
    generator_name: str | None
    content_hash: str | None
    options: dict[str, Any]
    k1: float
    b: float
    index_name: str
    n_eval_users: int
    code_version: str
    seconds: float
    actor: str
    created_at: dt.datetime
    distinct_first_queries: int | None
    top_first_query_fraction: float | None


def store(
    connection: Connection,
    values: Mapping[str, Any],
    metrics: Iterable[tuple[int, str, str, float, float | None, float | None, int]],
    lists: Iterable[tuple[int, int, Sequence[int]]],
) -> int:
    """Store an evaluation and return its number.

    metrics: (k, segment, metric, mean, low, high, users). lists: (k, user number, item numbers).
    """
    row = connection.execute(
        insert(evaluations).values(**values).returning(evaluations.c.evaluation_no)
    )
    number = int(row.scalar_one())
    copy_rows(
        connection,
        "evaluation_metrics",
        ["evaluation_no", "k", "segment", "metric", "mean", "low", "high", "n_users"],
        ((number, *metric) for metric in metrics),
    )
    copy_rows(
        connection,
        "evaluation_lists",
        ["evaluation_no", "k", "user_no", "item_nos"],
        ((number, *row) for row in lists),
    )
    return number


def load_all(connection: Connection, split: str | None = None) -> list[StoredEvaluation]:
    """Return all evaluations, or those on one split, the oldest first."""
    query = _rows().order_by(evaluations.c.evaluation_no)
    if split is not None:
        query = query.where(splits.c.name == split)
    return [_evaluation(row) for row in connection.execute(query).mappings()]


def find(connection: Connection, evaluation_no: int) -> StoredEvaluation:
    """Return the evaluation with this number.

    Raises:
        UsageError: there is none.
    """
    query = _rows().where(evaluations.c.evaluation_no == evaluation_no)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise UsageError(f"There is no evaluation {evaluation_no}.", "See `gpt4rec evaluate list`.")
    return _evaluation(row)


def drop_of_split(connection: Connection, split_no: int) -> int:
    """Delete the evaluations on a split; return their number."""
    return connection.execute(
        delete(evaluations).where(evaluations.c.split_no == split_no)
    ).rowcount


def load_metrics(
    connection: Connection, evaluation_nos: Sequence[int], segment: str | None = None
) -> list[RowMapping]:
    """Return the metrics of evaluations, for all segments or one, in key order."""
    columns = evaluation_metrics.c
    query = select(evaluation_metrics).where(columns.evaluation_no.in_(evaluation_nos))
    if segment is not None:
        query = query.where(columns.segment == segment)
    query = query.order_by(columns.evaluation_no, columns.k, columns.segment, columns.metric)
    return list(connection.execute(query).mappings())


def stream_lists(
    connection: Connection, evaluation_no: int, k: int
) -> Iterator[tuple[int, list[int]]]:
    """Yield user numbers and lists of an evaluation at ``k``, by user number."""
    rows = connection.execute(
        text(
            "SELECT user_no, item_nos FROM evaluation_lists "
            "WHERE evaluation_no = :number AND k = :k ORDER BY user_no"
        ),
        {"number": evaluation_no, "k": k},
        execution_options={"yield_per": 5000},
    )
    for row in rows:
        yield row.user_no, row.item_nos


class NamedItem(NamedTuple):
    """One item of an evaluated list, with external ids."""

    user_id: str
    item_id: str
    rank: int


_NAMED_LISTS = """
SELECT {user_id}, i.item_id, l.rank
FROM (
    SELECT user_no, item_no, rank FROM evaluation_lists
    CROSS JOIN unnest(item_nos) WITH ORDINALITY AS x (item_no, rank)
    WHERE evaluation_no = :number AND k = :k
) AS l JOIN users AS u USING (user_no) JOIN items AS i USING (item_no)
ORDER BY 1, l.rank
"""


def stream_named_lists(
    connection: Connection, evaluation_no: int, k: int, *, as_analyst: bool, batch: int
) -> Iterator[list[NamedItem]]:
    """Yield an evaluation's lists of length ``k``, ``batch`` items at a time, by user id and rank.

    as_analyst: with the user ids that analysts see, else with the shop's ids.
    """
    found = connection.execute(
        text(_NAMED_LISTS.format(user_id=USER_ID[as_analyst])),
        {"number": evaluation_no, "k": k},
        execution_options={"yield_per": batch},
    )
    for rows in found.partitions(batch):
        yield [NamedItem(*row) for row in rows]


def load_lengths(connection: Connection, evaluation_no: int) -> list[int]:
    """Return the list lengths of an evaluation, ascending."""
    found = connection.execute(
        text("SELECT DISTINCT k FROM evaluation_metrics WHERE evaluation_no = :number ORDER BY k"),
        {"number": evaluation_no},
    )
    return list(found.scalars())


def users_of_both(connection: Connection, first: int, second: int) -> list[int]:
    """Return the numbers of users with lists of both evaluations, ascending."""
    found = connection.execute(
        text("""
        SELECT user_no FROM evaluation_lists
        WHERE evaluation_no = :first AND k = (
            SELECT max(k) FROM evaluation_metrics WHERE evaluation_no = :first)
        INTERSECT
        SELECT user_no FROM evaluation_lists
        WHERE evaluation_no = :second AND k = (
            SELECT max(k) FROM evaluation_metrics WHERE evaluation_no = :second)
        ORDER BY user_no
        """),
        {"first": first, "second": second},
    )
    return list(found.scalars())


def _rows() -> Select[Any]:
    return select(evaluations, splits.c.name.label("split")).join(splits)


def _evaluation(row: RowMapping) -> StoredEvaluation:
    return StoredEvaluation(**dict(row))
