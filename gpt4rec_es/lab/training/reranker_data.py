"""Data of a re-ranker from a split: metadata of all items, training histories, validation users."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows.history import data_versions
from gpt4rec_es.db.rows.items import load_ids
from gpt4rec_es.db.rows.metadata import load_attributes, load_item_fields
from gpt4rec_es.db.rows.splits import SplitRow
from gpt4rec_es.errors import DataError
from gpt4rec_es.lab.splits.histories import deduplicate_keep_last
from gpt4rec_es.lab.splits.split import EvalUser, Split
from gpt4rec_es.lab.splits.stored import load_split
from gpt4rec_es.lab.training.fit_reranker import ValidationUsers
from gpt4rec_es.reranking.metadata import RecommenderData
from gpt4rec_es.reranking.reading import Serving, learn_reading


@dataclass(frozen=True, eq=False)
class RerankerData:
    """Data of one split. items: index in ``data`` by item number; users: by user number.

    serving: what a saved re-ranker needs to read items of another day.
    """

    split: SplitRow
    data: RecommenderData
    serving: Serving
    items: dict[int, int]
    users: dict[int, int]
    validation: ValidationUsers
    facts: dict[str, Any]

    def inputs(self, eval_users: Sequence[EvalUser]) -> tuple[list[int], list[list[int]]]:
        """Return the users (-1: not in the training data) and their histories as indices."""
        users = [self.users.get(one.user_no, -1) for one in eval_users]
        return users, [self._indices(one.history) for one in eval_users]

    def _indices(self, item_nos: Sequence[int]) -> list[int]:
        return [self.items[item] for item in deduplicate_keep_last(item_nos)]


def read_reranker_data(engine: Engine, split_name: str) -> RerankerData:
    """Return the data of a split; nothing of its test part is among them.

    Raises:
        UsageError: there is no such split.
        DataError: the split leaks, or has no validation users.
    """
    row, split = load_split(engine, split_name)
    if not split.validation:
        raise DataError(
            f"The split {split_name} has no validation users to choose the best epoch by.",
            "Make one with a validation part.",
        )
    with transaction(engine) as connection:
        fields = load_item_fields(connection)
        attributes = load_attributes(connection, split.train)
        item_ids = load_ids(connection)
        versions = data_versions(connection)
    items = {one.item_no: index for index, one in enumerate(fields)}
    users = {user_no: index for index, user_no in enumerate(sorted(split.train))}
    histories = [
        [items[item] for item in deduplicate_keep_last(split.train[user_no])] for user_no in users
    ]
    known = [attributes.get(user_no, {}) for user_no in users]
    reading = learn_reading(fields, known)
    data = RecommenderData(reading.items(fields), histories, reading.users(known))
    serving = Serving(tuple(item_ids[item_no] for item_no in items), reading)
    validation = _validation(split, items, users)
    facts = {
        "split": row.name,
        "split_hash": row.content_hash,
        "users": len(users),
        "items": len(items),
        "purchases": sum(map(len, histories)),
        "validation_users": len(validation.users),
        "item_fields": list(data.items.fields),
        "user_fields": [] if data.users is None else list(data.users.fields),
        **versions,
    }
    return RerankerData(row, data, serving, items, users, validation, facts)


def _validation(split: Split, items: dict[int, int], users: dict[int, int]) -> ValidationUsers:
    chosen = split.validation
    return ValidationUsers(
        [users.get(one.user_no, -1) for one in chosen],
        [[items[item] for item in deduplicate_keep_last(one.history)] for one in chosen],
        [[items[item] for item in one.targets] for one in chosen],
    )
