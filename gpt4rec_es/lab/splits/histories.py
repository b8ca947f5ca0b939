"""Ordered and prepared histories for splits, with an explicit order of ties.

Purchases of equal time have no order, and the one that is ordered last becomes the target. The
order of ties is the stored order, or a shuffle by a seed.
"""

import operator
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from gpt4rec_es.errors import UsageError

# A user, and the user's events as (item, time or ordinal) in stored order.
UserEvents = tuple[int, Sequence[tuple[int, float]]]


@dataclass(frozen=True, slots=True)
class History:
    """A user's items, oldest first. times: time of each in seconds; None if only order is known."""

    user: int
    items: tuple[int, ...]
    times: tuple[float, ...] | None


@dataclass(frozen=True, slots=True)
class Preparation:
    """Steps before splitting, in the order of the fields.

    with_title: drop items without a title, and with ``longest_title`` those with a longer title
    (characters). once: keep only the latest event of each item. newest: number of newest events to
    keep.
    """

    with_title: bool = False
    longest_title: int | None = None
    once: bool = True
    newest: int | None = None


# GPT4Rec, section 4.1; we interpret "truncated" as keeping the newest 15.
PAPER = Preparation(with_title=True, longest_title=400, once=True, newest=15)


def order_histories(
    users: Iterable[UserEvents], *, has_times: bool, shuffle: int | None = None
) -> list[History]:
    """Return one history per user, in the order of ``users``.

    has_times: events have times; else ordinals, which order only the events of one user. shuffle:
    seed to shuffle events of equal time, independently for each user; None keeps the stored order.
    """
    histories = []
    for user, stored in users:
        events = list(stored)
        if shuffle is not None:
            # Not for cryptography: only varies an unknown order.
            random.Random(f"{shuffle} {user}").shuffle(events)  # noqa: S311
        events.sort(key=lambda event: event[1])
        times = tuple(at for _, at in events) if has_times else None
        histories.append(History(user, tuple(item for item, _ in events), times))
    return histories


def baskets_of(times: Sequence[float]) -> tuple[int, ...]:
    """Return the basket of each of ``times``, oldest first: the 0-based rank of its distinct time.

    Purchases of equal time share a basket. Times without a kept purchase in a prepared history have
    no number.
    """
    if not times:
        return ()
    return tuple(accumulate(map(operator.ne, times[1:], times), initial=0))


def deduplicate_keep_last(items: Sequence[int]) -> list[int]:
    """Return ``items``, oldest first, each once at its latest place, as in nights."""
    return list(dict.fromkeys(reversed(items)))[::-1]


def prepare(
    histories: Iterable[History], how: Preparation, title_lengths: Mapping[int, int]
) -> list[History]:
    """Return the histories after the steps of ``how``, including users without events.

    title_lengths: number of characters of the title, by item with a title.

    Raises:
        UsageError: ``newest`` is below 1.
    """
    if how.newest is not None and how.newest < 1:
        raise UsageError(f"newest is {how.newest}.", "Keep at least 1 event per user.")
    return [_prepare(history, how, title_lengths) for history in histories]


def _prepare(history: History, how: Preparation, title_lengths: Mapping[int, int]) -> History:
    places: Iterable[int] = range(len(history.items))
    if how.with_title:
        limit = how.longest_title
        places = [
            place
            for place in places
            if (length := title_lengths.get(history.items[place], 0))
            and (limit is None or length <= limit)
        ]
    if how.once:
        latest = {history.items[place]: place for place in places}
        places = sorted(latest.values())
    kept = list(places)
    if how.newest is not None:
        kept = kept[-how.newest :]
    times = history.times
    return replace(
        history,
        items=tuple(history.items[place] for place in kept),
        times=None if times is None else tuple(times[place] for place in kept),
    )


def count_buyers(train: Iterable[Sequence[int]]) -> Counter[int]:
    """Return the number of buyers by item."""
    return Counter(item for items in train for item in dict.fromkeys(items))
