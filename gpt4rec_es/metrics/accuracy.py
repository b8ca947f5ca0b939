"""Recall, hit rate, NDCG and reciprocal rank per user, by trec_eval.

A user with an empty list counts as a miss: trec_eval itself would leave such users out.
"""

from collections.abc import Collection, Sequence

import numpy as np
import pytrec_eval

from gpt4rec_es.errors import UsageError
from gpt4rec_es.metrics.lists import NOTHING, Lists, PerUser


def accuracy(lists: Lists, targets: Sequence[Collection[int]]) -> dict[str, PerUser]:
    """Return recall, hit_rate, ndcg and mrr at the lists' width, each as [users].

    ndcg: gain 1 per target, discount log2(1 + rank), divided by that of the best list possible.
    mrr: 1 / rank of the first target in the list.

    Raises:
        UsageError: there are no users, or a user has no target.
    """
    check_targets(lists, targets)
    k = lists.shape[1]
    names = {
        f"recall_{k}": "recall",
        f"success_{k}": "hit_rate",
        f"ndcg_cut_{k}": "ndcg",
        "recip_rank": "mrr",
    }
    wanted = {str(row): dict.fromkeys(map(str, items), 1) for row, items in enumerate(targets)}
    # trec_eval sorts by score, and ties by id: distinct scores keep the order that is measured.
    given = {
        str(row): {str(item): float(k - place) for place, item in enumerate(items)}
        for row, padded in enumerate(lists.tolist())
        if (items := [item for item in padded if item != NOTHING])
    }
    measures = {"recip_rank", f"recall.{k}", f"success.{k}", f"ndcg_cut.{k}"}
    found = pytrec_eval.RelevanceEvaluator(wanted, measures).evaluate(given)
    values = {name: np.zeros(len(lists)) for name in names.values()}
    for row, measured in found.items():
        for measure, name in names.items():
            values[name][int(row)] = measured[measure]
    return values


def check_targets(lists: Lists, targets: Sequence[Collection[int]]) -> None:
    """Pass if every user has a list and something to find.

    Raises:
        UsageError: there are no users, the numbers differ, or a user has no target.
    """
    if not len(targets):
        raise UsageError("There is nothing to measure: no user has held-out items.")
    if len(lists) != len(targets):
        raise UsageError(f"{len(lists)} lists cannot be measured by {len(targets)} users' targets.")
    if not all(targets):
        raise UsageError("A user without held-out items cannot be measured.", "Leave it out.")
