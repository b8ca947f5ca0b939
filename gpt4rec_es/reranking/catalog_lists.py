"""Lists of the best items of a whole catalog by the towers of a recommender."""

from collections.abc import Sequence

import torch

from gpt4rec_es.errors import UsageError
from gpt4rec_es.reranking.two_towers import Snapshot, TwoTowers


def best_items(
    model: TwoTowers,
    users: Sequence[int],
    histories: Sequence[Sequence[int]],
    k: int,
    snapshot: Snapshot,
    left_out: Sequence[int] = (),
) -> list[list[int]]:
    """Return at most ``k`` items for each user, best first, none of their history.

    users: numbers, -1: users that are not in the training data. snapshot: ``model.snapshot()``.
    left_out: items for no list. Equal scores are ordered by item number.

    Raises:
        UsageError: ``k`` is below 1.
        DataError: a number is out of range.
    """
    if k < 1:
        raise UsageError(f"k is {k}.", "Ask for at least 1 item.")
    scores = model.score_catalog(users, histories, snapshot)
    lists: list[list[int]] = []
    for row, history in zip(scores, histories, strict=True):
        known = torch.tensor(sorted({*history, *left_out}), dtype=torch.long, device=row.device)
        row[known] = -torch.inf
        wanted = min(k, len(row) - len(known))
        if wanted < 1:
            lists.append([])
            continue
        # A whole sort would take most of the time of an evaluation.
        least = row.topk(wanted).values[-1]
        best = (row >= least).nonzero().squeeze(1)
        order = row[best].sort(descending=True, stable=True).indices
        lists.append(best[order[:wanted]].tolist())
    return lists
