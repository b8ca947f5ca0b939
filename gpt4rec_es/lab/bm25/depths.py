"""How deep to search for lists that are merged at once, without a database: in measurements.

The night stores its searches and goes deeper only where it must, which is not worth it there.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence

from gpt4rec_es.retrieval.body import MAX_DEPTH

_SHALLOWEST = 16


def by_depth(bought: Sequence[Collection[int]], k: int) -> dict[int, list[int]]:
    """Return users by a depth that is enough: a merge walks past k items and those bought.

    Depths are few, so that users share searches.
    """
    found: dict[int, list[int]] = defaultdict(list)
    for user, items in enumerate(bought):
        depth = _SHALLOWEST
        while depth < k + len(set(items)):
            depth *= 2
        found[min(depth, MAX_DEPTH)].append(user)
    return dict(sorted(found.items()))
