"""Groups of users with separate metrics."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.lab.splits.histories import count_buyers
from gpt4rec_es.lab.splits.split import EvalUser

Mask = NDArray[np.bool_]

# Inclusive; the last has no end.
_LENGTHS = ((1, 4), (5, 9), (10, 19), (20, None))
_DAY_S = 86_400
# The head of the catalog: the most bought fifth of the items.
_HEAD = 0.2


def segments(
    eval_users: Sequence[EvalUser],
    item_ids: Mapping[int, str],
    train: Mapping[int, Sequence[int]],
) -> dict[str, Mask]:
    """Return the members of each segment by name; segments without users are left out.

    item_ids: ids of all items of the users. train: histories of the training by user.
    """
    found = all_segments(eval_users, item_ids, train)
    return {name: mask for name, mask in found.items() if mask.any()}


def all_segments(
    eval_users: Sequence[EvalUser],
    item_ids: Mapping[int, str],
    train: Mapping[int, Sequence[int]],
) -> dict[str, Mask]:
    """Return the members of each segment by name, also of those without users."""
    return {
        **_by_history(eval_users),
        **_by_target(eval_users, item_ids, count_buyers(train.values())),
        **_by_link(eval_users, train),
        **_by_gap(eval_users),
        **_by_last_pair(eval_users, item_ids),
    }


def _by_history(eval_users: Sequence[EvalUser]) -> dict[str, Mask]:
    lengths = np.array([len(eval_user.history) for eval_user in eval_users], np.int64)
    return {
        f"history {low}{'+' if high is None else f'-{high}'}": (lengths >= low)
        & (lengths <= (high or lengths.max(initial=0)))
        for low, high in _LENGTHS
    }


def _by_target(
    eval_users: Sequence[EvalUser], item_ids: Mapping[int, str], buyers: Mapping[int, int]
) -> dict[str, Mask]:
    """Return head (all targets are in the most bought fifth of items) and tail (none is)."""
    by_buyers = sorted(item_ids, key=lambda item: (-buyers.get(item, 0), item_ids[item]))
    head = set(by_buyers[: round(len(by_buyers) * _HEAD)])
    fractions = np.array(
        [
            sum(item in head for item in eval_user.targets) / len(eval_user.targets)
            for eval_user in eval_users
        ]
    )
    return {"target in head": fractions == 1, "target in tail": fractions == 0}


def _by_link(eval_users: Sequence[EvalUser], train: Mapping[int, Sequence[int]]) -> dict[str, Mask]:
    """Return whether some user of the training bought a target and an item of the history.

    Without, no count of purchases made together can find a target.
    """
    buyers: dict[int, set[int]] = {
        item: set() for one in eval_users for item in (*one.history, *one.targets)
    }
    for user, items in train.items():
        for item in items:
            if item in buyers:
                buyers[item].add(user)
    linked = np.array(
        [
            any(
                not buyers[target].isdisjoint(buyers[item])
                for target in eval_user.targets
                for item in eval_user.history
            )
            for eval_user in eval_users
        ],
        np.bool_,
    )
    return {"target co-purchased": linked, "target not co-purchased": ~linked}


def _by_gap(eval_users: Sequence[EvalUser]) -> dict[str, Mask]:
    """Return, if there are times, whether the first target was bought within a day."""
    gaps = np.array(
        [np.nan if eval_user.gap is None else eval_user.gap for eval_user in eval_users], np.float64
    )
    return {
        "target at the same moment": gaps == 0,
        "target within a day": gaps < _DAY_S,
        "target later than a day": gaps >= _DAY_S,
    }


def _by_last_pair(eval_users: Sequence[EvalUser], item_ids: Mapping[int, str]) -> dict[str, Mask]:
    """Return whether ids ascend from the newest known item to the first target.

    If ties were broken by item id, the two are an unordered pair that always ascends.
    """
    ascends = np.array(
        [
            item_ids[eval_user.history[-1]] < item_ids[eval_user.targets[0]]
            for eval_user in eval_users
        ],
        np.bool_,
    )
    return {"last pair ascending": ascends, "last pair descending": ~ascends}
