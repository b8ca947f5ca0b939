"""Interactions from records of any shape: user, item, time or ordinal.

Batches of valid text (most CSV batches) are converted by column, each distinct value once. Other
batches are converted record by record, so that only invalid records are rejected.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar

from gpt4rec_es.feeds.batches import Absent, BadRecordError, Batch, Reject, excerpt
from gpt4rec_es.feeds.times import event_micros
from gpt4rec_es.feeds.values import external_id, order_number, rating_number

T = TypeVar("T")
Order = Literal["record", "file"]


@dataclass(frozen=True, slots=True)
class Interactions:
    """Events as parallel columns; lines and raws: of each event, for later rejects.

    event_nos: microseconds since 1970 where has_times, else the ordinal. ordinals: 0 if missing.
    """

    lines: Sequence[int] = ()
    raws: Sequence[object] = ()
    user_ids: Sequence[str] = ()
    item_ids: Sequence[str] = ()
    event_nos: Sequence[int] = ()
    has_times: Sequence[bool] = ()
    ordinals: Sequence[int] = ()
    ratings: Sequence[float | None] = ()


def read_interactions(
    batch: Batch, path: str, unit: str = "auto", order: Order = "record", lines_before: int = 0
) -> tuple[Interactions, list[Reject]]:
    """Return the interactions in ``batch``, and rejects for invalid records.

    Records hold the fields of ``shapes.INTERACTION_FIELDS``. A record with neither time nor ordinal
    is a reject; with ``order`` "file" its line number plus ``lines_before`` is its ordinal.
    """
    places = [lines_before + line if order == "file" else None for line in batch.lines]
    if batch.values:
        with suppress(BadRecordError, _NotTextError):
            return _by_column(batch, unit, places), list(batch.rejects)
    return _by_record(batch, path, unit, places)


class _NotTextError(Exception):
    """A column holds values that are not text."""


def _by_column(batch: Batch, unit: str, places: Sequence[int | None]) -> Interactions:
    users, items, times, orders, scores = zip(*batch.values, strict=True)
    user_ids = _converted(users, partial(external_id, name="user id"))
    item_ids = _converted(items, partial(external_id, name="item id"))
    micros = _converted(times, partial(event_micros, unit=unit))
    moments = map(_when, micros, _converted(orders, order_number), places)
    event_nos, has_times, ordinals = zip(*moments, strict=True)
    ratings = _converted(scores, rating_number)
    return Interactions(
        batch.lines, batch.raws, user_ids, item_ids, event_nos, has_times, ordinals, ratings
    )


def _by_record(
    batch: Batch, path: str, unit: str, places: Sequence[int | None]
) -> tuple[Interactions, list[Reject]]:
    rows = []
    rejects = list(batch.rejects)
    records = zip(batch.lines, batch.raws, batch.values, places, strict=True)
    for line, raw, (user, item, time, order, score), place in records:
        try:
            ids = external_id(user, "user id"), external_id(item, "item id")
            when = _when(event_micros(time, unit), order_number(order), place)
            rows.append((line, raw, *ids, *when, rating_number(score)))
        except BadRecordError as error:
            rejects.append(Reject(path, line, error.code, error.reason, excerpt(raw)))
    return Interactions(*zip(*rows, strict=True)) if rows else Interactions(), rejects


def _converted(values: Sequence[Any], convert: Callable[[Any], T]) -> list[T]:
    """Return ``values`` converted, each distinct one once.

    Only for text: as dict keys 1, True and 1.0 are equal.
    """
    if not {*map(type, values)} <= {str, Absent}:
        raise _NotTextError
    known = {value: convert(value) for value in set(values)}
    return [known[value] for value in values]


def _when(micros: int | None, ordinal: int | None, place: int | None) -> tuple[int, bool, int]:
    """Return (event_no, has_time, ordinal)."""
    if micros is not None:
        return micros, True, ordinal or 0
    if ordinal is None:
        ordinal = place
    if ordinal is None:
        raise BadRecordError("no_order", "there is neither a time nor an ordinal")
    return ordinal, False, ordinal
