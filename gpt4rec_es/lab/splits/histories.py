"""Histories as they are measured on: put in order, ties decided openly, then prepared.

Purchases of one moment have no order of their own, and whichever is taken as the last becomes the
target. So the reader of events decides the order of ties: the order in which they are stored, or
a shuffle by a seed.
"""

import operator
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from gpt4rec_es.errors import UsageError

# A user, and the user's events as (item, time or ordinal) in the order in which they are stored.
UserEvents = tuple[int, Sequence[tuple[int, float]]]


@dataclass(frozen=True, slots=True)
class History:
    """A user's items, oldest first. times: of each, in seconds; None where only order is known."""

    user: int
    items: tuple[int, ...]
    times: tuple[float, ...] | None


@dataclass(frozen=True, slots=True)
class Preparation:
    """What is left out before splitting, in the order of the fields.

    with_title: drop items without a title, and with ``longest_title`` those whose title has more
    characters. once: keep of each item only the latest event. newest: keep that many events.
    """

    with_title: bool = False
    longest_title: int | None = None
    once: bool = True
    newest: int | None = None


# GPT4Rec, section 4.1; that the newest 15 are meant is our reading of "truncated".
PAPER = Preparation(with_title=True, longest_title=400, once=True, newest=15)


def order_histories(
    users: Iterable[UserEvents], *, has_times: bool, shuffle: int | None = None
) -> list[History]:
    """Return one history per user, in the order of ``users``.

    has_times: events carry times; else ordinals, which order a user's events and nothing more.
    shuffle: seed by which events of equal time are shuffled, for each user alone, so that other
    users make no difference; None keeps the stored order.
    """
    histories = []
    for user, stored in users:
        events = list(stored)
        if shuffle is not None:
            # Only to vary an order that nobody knows: needs no secrecy.
            random.Random(f"{shuffle} {user}").shuffle(events)  # noqa: S311
        events.sort(key=lambda event: event[1])
        times = tuple(at for _, at in events) if has_times else None
        histories.append(History(user, tuple(item for item, _ in events), times))
    return histories


def baskets_of(times: Sequence[float]) -> tuple[int, ...]:
    """Return the basket of each of ``times``, oldest first: the 0-based rank of its distinct time.

    Purchases of one moment share a basket. Only given purchases count: in a prepared history,
    moments without a kept purchase have no number.
    """
    if not times:
        return ()
    return tuple(accumulate(map(operator.ne, times[1:], times), initial=0))


def deduplicate_keep_last(items: Sequence[int]) -> list[int]:
    """Return ``items``, oldest first, each once at its latest place, as nights read histories."""
    return list(dict.fromkeys(reversed(items)))[::-1]


def prepare(
    histories: Iterable[History], how: Preparation, title_lengths: Mapping[int, int]
) -> list[History]:
    """Return the histories without what ``how`` leaves out, users without events included.

    title_lengths: characters of the title of each item that has one.

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
