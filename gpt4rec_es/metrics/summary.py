"""All metrics of one set of lists, per user and then as means with intervals."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.metrics.accuracy import accuracy
from gpt4rec_es.metrics.labels import LabelSets
from gpt4rec_es.metrics.lists import Lists, PerUser, is_empty, list_length
from gpt4rec_es.metrics.significance import Interval, bootstrap_intervals
from gpt4rec_es.metrics.variety import coverage, diversity, novelty


def measure(
    lists: Lists,
    targets: Sequence[Collection[int]],
    histories: Sequence[Sequence[int]],
    *,
    labels: Mapping[str, LabelSets],
    buyers: Mapping[int, int],
    n_users: int,
) -> dict[str, PerUser]:
    """Return every metric per user, by name.

    labels: by name (category, brand); each gives ``diversity_NAME`` and ``coverage_NAME``. buyers:
    users per item in training, of ``n_users``, for novelty.

    Raises:
        UsageError: there are no users, or a user has no target.
    """
    values = accuracy(lists, targets)
    for name, sets in labels.items():
        values[f"diversity_{name}"] = diversity(lists, sets)
        values[f"coverage_{name}"] = coverage(lists, histories, sets)
    values["novelty"] = novelty(lists, buyers, n_users)
    values["list_length"] = list_length(lists)
    values["empty_share"] = is_empty(lists)
    return values


def summarise(
    values: Mapping[str, PerUser], *, seed: int, users: NDArray[np.bool_] | None = None
) -> dict[str, Interval]:
    """Return means with 95 % intervals, over ``users`` if given (a segment).

    Metrics that no user has a value of are left out.
    """
    chosen = [each if users is None else each[users] for each in values.values()]
    found = bootstrap_intervals(chosen, seed=seed)
    return {
        name: interval for name, interval in zip(values, found, strict=True) if interval is not None
    }
