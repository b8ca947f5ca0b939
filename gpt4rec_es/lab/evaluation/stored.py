"""Stored evaluations: listed, shown, and compared two by two."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import evaluations as rows
from gpt4rec_es.db.rows import splits as split_rows
from gpt4rec_es.db.rows.evaluations import StoredEvaluation
from gpt4rec_es.db.rows.items import load_ids
from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.evaluation.compare import Difference, differences
from gpt4rec_es.lab.splits.segments import all_segments
from gpt4rec_es.lab.splits.split import bought_before
from gpt4rec_es.lab.splits.stored import load_split
from gpt4rec_es.metrics.lists import NOTHING, Lists


@dataclass(frozen=True, slots=True)
class EvaluationComparison:
    """Stored evaluation ``b`` against ``a``, over the users with lists of both.

    segment: to which the users are limited (lab/splits/segments.py).
    """

    a: StoredEvaluation
    b: StoredEvaluation
    users: int
    differences: tuple[Difference, ...]
    segment: str | None = None


def list_evaluations(engine: Engine, split: str | None = None) -> list[dict[str, Any]]:
    """Return all evaluations (on ``split``, if given) with their overall metrics by k.

    Raises:
        UsageError: there is no such split.
    """
    with transaction(engine) as connection:
        if split is not None:
            split_rows.find(connection, split)
        found = rows.load_all(connection, split)
        metrics = rows.load_metrics(connection, [row.evaluation_no for row in found], "all")
    by_number: dict[int, dict[int, dict[str, float]]] = {}
    for metric in metrics:
        by_k = by_number.setdefault(metric["evaluation_no"], {})
        by_k.setdefault(metric["k"], {})[metric["metric"]] = metric["mean"]
    return [asdict(row) | {"metrics": by_number.get(row.evaluation_no, {})} for row in found]


def show_evaluation(engine: Engine, evaluation_no: int) -> dict[str, Any]:
    """Return one evaluation with all its metrics, of all segments.

    Raises:
        UsageError: there is none of that number.
    """
    with transaction(engine) as connection:
        row = rows.find(connection, evaluation_no)
        metrics = rows.load_metrics(connection, [evaluation_no])
    shown = [
        {name: value for name, value in metric.items() if name != "evaluation_no"}
        for metric in metrics
    ]
    return asdict(row) | {"metrics": shown}


def compare(
    engine: Engine, first: int, second: int, segment: str | None = None
) -> EvaluationComparison:
    """Return the differences of evaluation ``second`` from ``first``, over common users.

    segment: name of the segment whose users count; None: all.

    Raises:
        UsageError: no such evaluation or segment, or they were not made on the same part of the
            same split, for the same users, at a common length.
    """
    with transaction(engine) as connection:
        a, b = rows.find(connection, first), rows.find(connection, second)
        if (a.split_no, a.part) != (b.split_no, b.part):
            raise UsageError(
                f"Evaluation {first} is of {a.split} ({a.part}), {second} of {b.split} ({b.part}).",
                "Compare evaluations on the same part of one split.",
            )
        users = rows.users_of_both(connection, first, second)
    targets = _targets(engine, a, segment)
    users = [user_no for user_no in users if user_no in targets]
    if not users and segment is not None:
        raise UsageError(
            f"No user of both evaluations is in the segment {segment!r}.",
            "Evaluate both with more users (--sample), or choose another segment.",
        )
    with transaction(engine) as connection:
        order = {user_no: place for place, user_no in enumerate(users)}
        found = differences(
            _lists(connection, first, order),
            _lists(connection, second, order),
            [targets[user_no] for user_no in users],
        )
    return EvaluationComparison(a, b, len(users), tuple(found), segment)


def _targets(
    engine: Engine, evaluation: StoredEvaluation, segment: str | None
) -> dict[int, Collection[int]]:
    """Return the targets of a part's users, of a segment as the catalog is today; None: of all.

    Raises:
        UsageError: there is no such segment, or nobody is in it.
    """
    if segment is None:
        with transaction(engine) as connection:
            read = split_rows.stream_eval_users(connection, evaluation.split_no, evaluation.part)
            return {user_no: targets for user_no, _, targets, *_ in read}
    _, split = load_split(engine, evaluation.split)
    with transaction(engine) as connection:
        item_ids = load_ids(connection)
    eval_users = getattr(split, evaluation.part)
    masks = all_segments(eval_users, item_ids, bought_before(split, evaluation.part))
    if segment not in masks:
        raise UsageError(f"There is no segment {segment!r}.", f"Choose one of: {', '.join(masks)}.")
    if not masks[segment].any():
        raise UsageError(
            f"No user of {evaluation.split} ({evaluation.part}) is in the segment {segment!r}.",
            f"Users are in: {', '.join(name for name, mask in masks.items() if mask.any())}.",
        )
    members = zip(eval_users, masks[segment], strict=True)
    return {one.user_no: one.targets for one, is_member in members if is_member}


def _lists(
    connection: Connection, evaluation_no: int, order: Mapping[int, int]
) -> dict[int, Lists]:
    """Return the lists of an evaluation by length; ``order``: row of each user."""
    found = {}
    for k in rows.load_lengths(connection, evaluation_no):
        lists = np.full((len(order), k), NOTHING, np.int64)
        for user_no, item_nos in rows.stream_lists(connection, evaluation_no, k):
            if (place := order.get(user_no)) is not None:
                lists[place, : len(item_nos)] = item_nos
        found[k] = lists
    return found
