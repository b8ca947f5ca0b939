"""What the best recipe of a tuning changes for users: queries, recommended items, purchases.

Sums over users alone, so a trial keeps nothing of a user that is forgotten.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from gpt4rec_es.metrics.lists import NOTHING, Lists

# Rows of each kind and direction; a page shows all of them.
MOST = 15
# Users of a query that is kept: a text that was written for one user alone is about this user.
LEAST_USERS = 2


def gained_and_lost(
    queries: tuple[Sequence[Sequence[str]], Sequence[Sequence[str]]],
    lists: tuple[Lists, Lists],
    targets: Sequence[Collection[int]],
) -> Iterator[dict[str, Any]]:
    """Yield rows of ``list_trial_changes``: numbers of users by the live recipe, and by the best.

    queries: texts that are searched for each user by both; lists: of the same users; targets: item
    numbers that they bought later.
    """
    texts = [Counter(text for own in found for text in set(own)) for found in queries]
    kept = {text for found in texts for text, n in found.items() if n >= LEAST_USERS}
    yield from _rows("query", "query", *({t: found[t] for t in kept} for found in texts))
    shown = [[set(row.tolist()) - {NOTHING} for row in made] for made in lists]
    yield from _rows(
        "item", "item_no", *(Counter(i for own in made for i in own) for made in shown)
    )
    hits = [
        Counter(
            item for own, wanted in zip(made, targets, strict=True) for item in own & set(wanted)
        )
        for made in shown
    ]
    yield from _rows("purchase", "item_no", *hits)


def _rows(
    kind: str, column: str, before: Mapping[Any, int], now: Mapping[Any, int]
) -> Iterator[dict[str, Any]]:
    changes = {one: now.get(one, 0) - before.get(one, 0) for one in {*before, *now}}
    for direction, sign in (("gained", 1), ("lost", -1)):
        moved = [one for one, change in changes.items() if sign * change > 0]
        ordered = sorted(moved, key=lambda one: (-abs(changes[one]), one))
        for place, one in enumerate(ordered[:MOST], start=1):
            yield {
                "kind": kind,
                "direction": direction,
                "place": place,
                "query": None,
                "item_no": None,
                column: one,
                "users_before": before.get(one, 0),
                "users_now": now.get(one, 0),
            }
