"""Data of a re-ranker from a split: metadata of all items, training histories, validation users."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows.history import data_versions
from gpt4rec_es.db.rows.metadata import ItemFields, load_attributes, load_item_fields
from gpt4rec_es.errors import DataError
from gpt4rec_es.lab.splits.stored import load_split
from gpt4rec_es.lab.training.numbered_split import NumberedSplit, number_split
from gpt4rec_es.reranking.metadata import Metadata, RecommenderData, collect_metadata

_LEVELS = 3  # of a category path
_BANDS = 5  # of prices, with equal numbers of items
# Attributes that say something of taste. Others may name a person.
_ATTRIBUTES = ("gender", "age", "occupation")


@dataclass(frozen=True, eq=False)
class RerankerData(NumberedSplit):
    """Data of one split with the metadata of its items and users."""

    data: RecommenderData


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
        versions = data_versions(connection)
    numbered = number_split(row, split, [one.item_no for one in fields])
    users = user_metadata(list(numbered.users), attributes)
    data = RecommenderData(item_metadata(fields), numbered.histories, users)
    facts = {
        **numbered.facts,
        "item_fields": list(data.items.fields),
        "user_fields": [] if data.users is None else list(data.users.fields),
        **versions,
    }
    return RerankerData(**{**vars(numbered), "facts": facts}, data=data)


def item_metadata(fields: Sequence[ItemFields]) -> Metadata:
    """Return title, brand, levels of the category path, and price band of items.

    A field with one value in the whole catalog, such as the root of a path, is left out.
    """
    prices = [one.price for one in fields if one.price is not None]
    limits = np.quantile(np.array(prices, float), np.arange(1, _BANDS) / _BANDS) if prices else []
    rows = []
    for one in fields:
        levels = one.category.split(" > ") if one.category else []
        row = {"title": one.title, "brand": one.brand, "price": _band(one.price, limits)}
        row |= {f"category level {n + 1}": level for n, level in enumerate(levels[:_LEVELS])}
        rows.append({name: value for name, value in row.items() if value})
    return collect_metadata(*_varied(rows, ("title",)))


def user_metadata(
    user_nos: Sequence[int], attributes: dict[int, dict[str, Any]]
) -> Metadata | None:
    """Return gender, age and occupation of users; None: of none."""
    rows = [
        {
            name: str(value)
            for name, value in attributes.get(user_no, {}).items()
            if name in _ATTRIBUTES and value is not None
        }
        for user_no in user_nos
    ]
    varied, names = _varied(rows, ())
    return collect_metadata(varied, names) if names else None


def _band(price: Decimal | None, limits: Any) -> str | None:
    if price is None:
        return None
    return f"{1 + int(np.searchsorted(limits, float(price), side='right'))} of {_BANDS}"


def _varied(
    rows: list[dict[str, str]], always: Collection[str]
) -> tuple[list[dict[str, str | None]], tuple[str, ...]]:
    """Return rows without fields of one value, and the names of the others."""
    values: dict[str, set[str]] = {name: set() for name in always}
    for row in rows:
        for name, value in row.items():
            values.setdefault(name, set()).add(value)
    names = tuple(name for name, found in values.items() if len(found) > 1 or name in always)
    return [{name: row.get(name) for name in names} for row in rows], names
