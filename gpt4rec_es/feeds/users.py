"""Users from records: an id, and attributes as delivered."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from gpt4rec_es.feeds.batches import ABSENT, BadRecordError, Batch, Micros, Reject, excerpt, shown
from gpt4rec_es.feeds.fields.titles import storable
from gpt4rec_es.feeds.formats import Reading
from gpt4rec_es.feeds.marks import present
from gpt4rec_es.feeds.values import external_id, utf8, whole_number

MAX_ATTRIBUTE = 2000


class UserBatch(NamedTuple):
    """users: (user id, JSON object of the attributes that have a value) of each valid record."""

    users: list[tuple[str, str]]
    rejects: list[Reject]
    skipped: Counter[str]


def read_users(batch: Batch, path: str, names: Sequence[str], reading: Reading) -> UserBatch:
    """Return the users in ``batch``, and rejects for invalid records.

    Records hold a user id and the attributes ``names``.
    """
    result = UserBatch([], list(batch.rejects), Counter(batch.skipped))
    for line, raw, record in zip(batch.lines, batch.raws, batch.values, strict=True):
        try:
            user_id, *values = (present(value, reading.marks) for value in record)
            if "user_id" in reading.integer_ids:
                user_id = whole_number(user_id)
            attributes = {
                name: _attribute(name, value)
                for name, value in zip(names, values, strict=True)
                if value is not None and value is not ABSENT
            }
            result.users.append((external_id(user_id, "user id"), json.dumps(attributes)))
        except BadRecordError as error:
            result.rejects.append(Reject(path, line, error.code, error.reason, excerpt(raw)))
    return result


def _attribute(name: str, value: object) -> str | int | float | bool:
    if isinstance(value, bytes):
        value = utf8(value, name)
    if isinstance(value, str):
        if len(value) > MAX_ATTRIBUTE:
            reason = f"{shown(name)} has more than {MAX_ATTRIBUTE} characters"
            raise BadRecordError("field_too_long", reason)
        return storable(value.strip())
    if isinstance(value, int | float) and not isinstance(value, Micros) and abs(value) < 1e300:
        return value
    raise BadRecordError("bad_text", f"{shown(name)} is no text or number but {shown(value)}")
