"""Interactions from records of any shape: user, item, time or ordinal.

Batches of valid text (most CSV batches) are converted by column, each distinct value once. Other
batches are converted record by record, so that only invalid records are rejected.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, TypeVar

from gpt4rec_es.feeds.batches import ABSENT, Absent, BadRecordError, Batch, Reject, excerpt
from gpt4rec_es.feeds.formats import Reading
from gpt4rec_es.feeds.marks import present
from gpt4rec_es.feeds.skips import reason_to_skip, skips_records
from gpt4rec_es.feeds.times import event_micros
from gpt4rec_es.feeds.values import external_id, order_number, rating_number, whole_number

T = TypeVar("T")
Order = Literal["record", "file"]


@dataclass(frozen=True, slots=True)
class Interactions:
    """Events as parallel columns; lines and raws: of each event, for later rejects.

    event_nos: microseconds since 1970 where has_times, else the ordinal. ordinals: 0 if missing.
    skipped: reason -> number of records that are no purchases, with blank lines.
    """

    lines: Sequence[int] = ()
    raws: Sequence[object] = ()
    user_ids: Sequence[str] = ()
    item_ids: Sequence[str] = ()
    event_nos: Sequence[int] = ()
    has_times: Sequence[bool] = ()
    ordinals: Sequence[int] = ()
    ratings: Sequence[float | None] = ()
    skipped: Mapping[str, int] = field(default_factory=dict)


_USUAL = Reading()


def read_interactions(
    batch: Batch,
    path: str,
    reading: Reading = _USUAL,
    order: Order = "record",
    lines_before: int = 0,
) -> tuple[Interactions, list[Reject]]:
    """Return the interactions in ``batch``, and rejects for invalid records.

    Records hold the fields of ``shapes.INTERACTION_FIELDS``. A record with neither time nor ordinal
    is a reject; with ``order`` "file" its line number plus ``lines_before`` is its ordinal.
    """
    places = [lines_before + line if order == "file" else None for line in batch.lines]
    if batch.values and not skips_records(batch.values[0], reading):
        with suppress(BadRecordError, _NotTextError):
            return _by_column(batch, reading, places), list(batch.rejects)
    return _by_record(batch, path, reading, places)


class _NotTextError(Exception):
    """A column holds values that are not text."""


def _by_column(batch: Batch, reading: Reading, places: Sequence[int | None]) -> Interactions:
    users, items, times, orders, scores, _, _ = zip(*batch.values, strict=True)
    convert = partial(_converted, marks=reading.marks)
    micros = convert(times, partial(_micros, reading=reading))
    moments = map(_when, micros, convert(orders, order_number), places)
    event_nos, has_times, ordinals = zip(*moments, strict=True)
    return Interactions(
        batch.lines,
        batch.raws,
        convert(users, partial(_id, field="user_id", reading=reading)),
        convert(items, partial(_id, field="item_id", reading=reading)),
        event_nos,
        has_times,
        ordinals,
        convert(scores, partial(rating_number, decimal=reading.decimal)),
        batch.skipped,
    )


def _by_record(
    batch: Batch, path: str, reading: Reading, places: Sequence[int | None]
) -> tuple[Interactions, list[Reject]]:
    rows = []
    rejects = list(batch.rejects)
    skipped = Counter(batch.skipped)
    records = zip(batch.lines, batch.raws, batch.values, places, strict=True)
    for line, raw, record, place in records:
        try:
            reason = reason_to_skip(record, reading)
            if reason is None:
                rows.append((line, raw, *_event(record, reading, place)))
            else:
                skipped[reason] += 1
        except BadRecordError as error:
            rejects.append(Reject(path, line, error.code, error.reason, excerpt(raw)))
    columns: list[Any] = list(zip(*rows, strict=True))
    return replace(Interactions(*columns), skipped=skipped), rejects


def _event(
    record: Sequence[object], reading: Reading, place: int | None
) -> tuple[str, str, int, bool, int, float | None]:
    user, item, time, order, score = (present(value, reading.marks) for value in record[:5])
    user_id, item_id = _id(user, "user_id", reading), _id(item, "item_id", reading)
    event_no, has_time, ordinal = _when(_micros(time, reading), order_number(order), place)
    return user_id, item_id, event_no, has_time, ordinal, rating_number(score, reading.decimal)


def _id(value: object, field: str, reading: Reading) -> str:
    delivered = whole_number(value) if field in reading.integer_ids else value
    return external_id(delivered, field.replace("_", " "))


def _micros(value: object, reading: Reading) -> int | None:
    return event_micros(value, reading.unit, reading.order, reading.pattern)


def _converted(
    values: Sequence[Any], convert: Callable[[Any], T], marks: frozenset[str]
) -> list[T]:
    """Return ``values`` converted, each distinct one once.

    Only for text: as dict keys 1, True and 1.0 are equal.
    """
    types = {*map(type, values)}
    if types == {Absent}:
        return [convert(ABSENT)] * len(values)
    if not types <= {str, Absent}:
        raise _NotTextError
    # Digits are no mark, unless the operator added some.
    are_plain = not any(map(str.isdecimal, marks))
    known = {
        value: convert(
            value
            if are_plain and value is not ABSENT and value.isdecimal()
            else present(value, marks)
        )
        for value in set(values)
    }
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
