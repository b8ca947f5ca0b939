"""What methods find that another one does not: unions of stored lists at one K."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import evaluations as rows
from gpt4rec_es.db.rows.evaluations import StoredEvaluation
from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.evaluation.lists_of_users import lists_of_users
from gpt4rec_es.lab.evaluation.paper_labels import label_of
from gpt4rec_es.metrics.accuracy import Targets
from gpt4rec_es.metrics.lists import NOTHING, Lists, PerUser
from gpt4rec_es.metrics.significance import bootstrap_interval

_SEED = 1
# Pairs of places compared at once, a byte each.
_PAIRS = 50_000_000


@dataclass(frozen=True, slots=True)
class Union:
    """Means over users of the fraction of targets that lists of length ``k`` find.

    first, other: each alone. only_first, only_other: not found by the other one. both, either:
    the intersection, and the union, which is the recall of a perfect choice among both lists.
    low, high: 95 % interval of only_other.
    """

    k: int
    evaluation_no: int
    label: str
    first: float
    other: float
    only_first: float
    only_other: float
    low: float
    high: float
    both: float
    either: float


@dataclass(frozen=True, slots=True)
class Unions:
    """Evaluations beside a first one. users: those with lists of all of them.

    together: by K, recall of a perfect choice among all lists.
    """

    split: str
    part: str
    evaluation_no: int
    label: str
    users: int
    unions: tuple[Union, ...]
    together: dict[int, float]


def unions(engine: Engine, first: int, others: Sequence[int], ks: Sequence[int]) -> Unions:
    """Return what each of ``others`` finds beside evaluation ``first``, at lengths ``ks``.

    Raises:
        UsageError: no such evaluation, they are of different parts of splits, or one has no lists
            of a length.
    """
    with transaction(engine) as connection:
        a, *several = _comparable(connection, [first, *others], ks)
        numbers = [one.evaluation_no for one in (a, *several)]
        found: list[Union] = []
        together = {}
        for k in ks:
            targets, arrays = lists_of_users(connection, a.split_no, a.part, numbers, k)
            measured = Targets(targets)
            together[k] = float(measured.measure(_merged(arrays))["recall"].mean())
            for b, lists in zip(several, arrays[1:], strict=True):
                values = [
                    measured.measure(one)["recall"]
                    for one in (arrays[0], lists, _merged([arrays[0], lists]))
                ]
                found.append(_union(k, b, *values))
    return Unions(a.split, a.part, first, label_of(a), len(targets), tuple(found), together)


def _comparable(
    connection: Connection, numbers: Sequence[int], ks: Sequence[int]
) -> list[StoredEvaluation]:
    """Return the evaluations, which are of one part and have lists of all lengths."""
    found = [rows.find(connection, number) for number in numbers]
    a = found[0]
    for b in found:
        if (a.split_no, a.part) != (b.split_no, b.part):
            raise UsageError(
                f"Evaluation {a.evaluation_no} is of {a.split} ({a.part}), {b.evaluation_no} of "
                f"{b.split} ({b.part}).",
                "Give evaluations on the same part of one split.",
            )
        lengths = rows.load_lengths(connection, b.evaluation_no)
        if lacking := sorted(set(ks) - set(lengths)):
            raise UsageError(
                f"Evaluation {b.evaluation_no} has no lists of {lacking[0]} items.",
                f"It has lists of {', '.join(map(str, lengths))}. Choose with --k.",
            )
    return found


def _union(k: int, b: StoredEvaluation, own: PerUser, other: PerUser, either: PerUser) -> Union:
    """Return the union from recalls per user."""
    more = bootstrap_interval(either - own, seed=_SEED)
    return Union(
        k=k,
        evaluation_no=b.evaluation_no,
        label=label_of(b),
        first=float(own.mean()),
        other=float(other.mean()),
        only_first=float((either - other).mean()),
        only_other=more.mean,
        low=more.low,
        high=more.high,
        both=float((own + other - either).mean()),
        either=float(either.mean()),
    )


def _merged(arrays: Sequence[Lists]) -> Lists:
    """Return all lists of each user one after the other, with no item twice."""
    users, places = len(arrays[0]), sum(lists.shape[1] for lists in arrays)
    step = max(1, _PAIRS // places**2)
    blocks = []
    for first in range(0, users, step):
        result, *others = (lists[first : first + step] for lists in arrays)
        for lists in others:
            known = (lists[:, :, None] == result[:, None, :]).any(2)
            result = np.hstack([result, np.where(known, NOTHING, lists)])
        blocks.append(result)
    return np.concatenate(blocks)
