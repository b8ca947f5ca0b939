"""Groups of cases that are reported on their own, because an average over all hides them."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.lab.splits.split import Case

Mask = NDArray[np.bool_]

# Inclusive; the last has no end.
_LENGTHS = ((1, 4), (5, 9), (10, 19), (20, None))
_DAY_S = 86_400
# The part of the catalog that is called head: the most bought fifth of the items.
_HEAD = 0.2


def segments(
    cases: Sequence[Case], item_ids: Mapping[int, str], buyers: Mapping[int, int]
) -> dict[str, Mask]:
    """Return by name which cases are in a segment; segments without cases are left out.

    item_ids: of all items in cases. buyers: number of users per item, in training; items that
    nobody bought may be missing.
    """
    found = {
        **_by_history(cases),
        **_by_target(cases, item_ids, buyers),
        **_by_gap(cases),
        **_by_last_pair(cases, item_ids),
    }
    return {name: mask for name, mask in found.items() if mask.any()}


def _by_history(cases: Sequence[Case]) -> dict[str, Mask]:
    lengths = np.array([len(case.history) for case in cases], np.int64)
    return {
        f"history {low}{'+' if high is None else f'-{high}'}": (lengths >= low)
        & (lengths <= (high or lengths.max(initial=0)))
        for low, high in _LENGTHS
    }


def _by_target(
    cases: Sequence[Case], item_ids: Mapping[int, str], buyers: Mapping[int, int]
) -> dict[str, Mask]:
    """Head: all targets are in the most bought fifth of items; tail: none is."""
    by_buyers = sorted(item_ids, key=lambda item: (-buyers.get(item, 0), item_ids[item]))
    head = set(by_buyers[: round(len(by_buyers) * _HEAD)])
    fractions = np.array(
        [sum(item in head for item in case.targets) / len(case.targets) for case in cases]
    )
    return {"target in head": fractions == 1, "target in tail": fractions == 0}


def _by_gap(cases: Sequence[Case]) -> dict[str, Mask]:
    """Where there are times: whether the first target was bought within a day."""
    gaps = np.array([np.nan if case.gap is None else case.gap for case in cases], np.float64)
    return {
        "target at the same moment": gaps == 0,
        "target within a day": gaps < _DAY_S,
        "target later than a day": gaps >= _DAY_S,
    }


def _by_last_pair(cases: Sequence[Case], item_ids: Mapping[int, str]) -> dict[str, Mask]:
    """Whether ids ascend from the newest known item to the first target.

    Where ties were broken by item id, both together are an unordered pair that looks ascending.
    """
    ascends = np.array(
        [item_ids[case.history[-1]] < item_ids[case.targets[0]] for case in cases], np.bool_
    )
    return {"last pair ascending": ascends, "last pair descending": ~ascends}
