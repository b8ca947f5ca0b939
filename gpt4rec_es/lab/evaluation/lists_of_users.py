"""Stored lists of several evaluations for the same users, with what those bought afterwards."""

from collections.abc import Sequence

import numpy as np
from sqlalchemy import Connection

from gpt4rec_es.db.rows import evaluations as rows
from gpt4rec_es.db.rows import splits as split_rows
from gpt4rec_es.metrics.accuracy import Targets
from gpt4rec_es.metrics.lists import NOTHING, Lists, PerUser


def lists_of_users(
    connection: Connection, split_no: int, part: str, evaluation_nos: Sequence[int], k: int
) -> tuple[list[Sequence[int]], list[Lists]]:
    """Return the targets of users with a list of every evaluation, and the lists of length ``k``.

    Rows are users, by number.
    """
    found = [dict(rows.stream_lists(connection, number, k)) for number in evaluation_nos]
    known = set.intersection(*(set(one) for one in found)) if found else set()
    targets = {
        user_no: wanted
        for user_no, _, wanted, *_ in split_rows.stream_eval_users(connection, split_no, part)
        if user_no in known
    }
    users = sorted(targets)
    arrays = []
    for one in found:
        lists = np.full((len(users), k), NOTHING, np.int64)
        for place, user in enumerate(users):
            lists[place, : len(one[user])] = one[user]
        arrays.append(lists)
    return [targets[user] for user in users], arrays


def recalls(
    connection: Connection, split_no: int, part: str, evaluation_nos: Sequence[int], k: int
) -> list[PerUser]:
    """Return recall at ``k`` of each evaluation for the users with lists of all of them.

    Raises:
        UsageError: there are none.
    """
    targets, arrays = lists_of_users(connection, split_no, part, evaluation_nos, k)
    measured = Targets(targets)
    return [measured.measure(lists)["recall"] for lists in arrays]
