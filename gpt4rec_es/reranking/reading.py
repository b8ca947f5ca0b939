"""How metadata of items and users become texts, fixed when a re-ranker is trained.

Which fields vary and where the price bands end depend on the catalog of the training. They are
saved with the re-ranker, so that an item of today is read as one of then.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gpt4rec_es.db.rows.metadata import ItemFields
from gpt4rec_es.reranking.metadata import Metadata, collect_metadata

_LEVELS = 3  # of a category path
_PATHS = 4  # of an item in several categories, as films of several genres
# A year of release ends a title, as that of a film; rare ones are no field.
_YEAR = re.compile(r"\(((?:18|19|20)\d\d)\)\s*$")
_RAREST_YEARS = 0.05
_BANDS = 5  # of prices, with equal numbers of items
# Attributes that say something of taste. Others may name a person.
_ATTRIBUTES = ("gender", "age", "occupation")


@dataclass(frozen=True, slots=True)
class Reading:
    """Fields of items and users that a network reads, in its order.

    price_edges: prices at which a band ends and the next one begins; empty: no prices. one_text:
    several categories of an item are one text, as networks of older versions learned them.
    """

    item_fields: tuple[str, ...]
    price_edges: tuple[float, ...] = ()
    user_fields: tuple[str, ...] = ()
    one_text: bool = False

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> "Reading":
        """Return what ``as_dict`` described."""
        values = dict(document)
        one_text = bool(values.pop("one_text", True))
        return cls(**{name: tuple(value) for name, value in values.items()}, one_text=one_text)

    def as_dict(self) -> dict[str, Any]:
        """Return the values as plain ones, for checkpoints."""
        return asdict(self)

    def items(self, rows: Sequence[ItemFields]) -> Metadata:
        """Return the metadata of items; fields that the network does not read are left out."""
        read = (_item(row, self.price_edges, one_text=self.one_text) for row in rows)
        chosen = [{name: one.get(name) for name in self.item_fields} for one in read]
        return collect_metadata(chosen, self.item_fields)

    def users(self, attributes: Sequence[Mapping[str, Any]]) -> Metadata | None:
        """Return the metadata of users; None: the network reads none."""
        if not self.user_fields:
            return None
        read = map(_user, attributes)
        chosen = [{name: one.get(name) for name in self.user_fields} for one in read]
        return collect_metadata(chosen, self.user_fields)


@dataclass(frozen=True, slots=True)
class Serving:
    """What a saved recommender needs to read a catalog that its training did not have.

    item_ids: the shop's id of each item of the training, whose ID embedding it keeps.
    """

    item_ids: tuple[str, ...]
    reading: Reading


def learn_reading(rows: Sequence[ItemFields], attributes: Sequence[Mapping[str, Any]]) -> Reading:
    """Return the reading for the training on these items and users.

    A field with one value in all of them, such as the root of a category path, is left out, and so
    are years if fewer than a twentieth of the titles end with one.
    """
    prices = [float(row.price) for row in rows if row.price is not None]
    edges: tuple[float, ...] = ()
    if prices:
        parts = np.arange(1, _BANDS) / _BANDS
        edges = tuple(float(edge) for edge in np.quantile(np.array(prices), parts))
    items = [_item(row, edges) for row in rows]
    if sum("year" in one for one in items) < _RAREST_YEARS * len(items):
        items = [{name: one[name] for name in one if name != "year"} for one in items]
    users = [_user(one) for one in attributes]
    return Reading(_varied(items, ("title",)), edges, _varied(users, ()))


def _item(row: ItemFields, edges: Sequence[float], *, one_text: bool = False) -> dict[str, str]:
    """Return title, brand, price band, year and categories, as far as there are any.

    Categories are the levels of the first path, and the last level of each further one. one_text:
    all paths are read as if they were one.
    """
    band = None
    if row.price is not None and edges:
        number = 1 + int(np.searchsorted(edges, float(row.price), side="right"))
        band = f"{number} of {len(edges) + 1}"
    category = row.category or ""
    first, *others = [category] if one_text else category.split(" | ")
    levels = first.split(" > ")
    year = _YEAR.search(row.title or "")
    found = {"title": row.title, "brand": row.brand, "price": band}
    found |= {f"category level {n + 1}": level for n, level in enumerate(levels[:_LEVELS])}
    last = [path.split(" > ")[-1] for path in others[: _PATHS - 1]]
    found |= {f"category {n + 2}": level for n, level in enumerate(last)}
    found["year"] = year and year[1]
    return {name: value for name, value in found.items() if value}


def _user(attributes: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: str(value)
        for name, value in attributes.items()
        if name in _ATTRIBUTES and value is not None
    }


def _varied(rows: Sequence[Mapping[str, str]], always: Collection[str]) -> tuple[str, ...]:
    """Return the fields with more than one value, in order of appearance after ``always``."""
    values: dict[str, set[str]] = {name: set() for name in always}
    for row in rows:
        for name, value in row.items():
            values.setdefault(name, set()).add(value)
    return tuple(name for name, found in values.items() if len(found) > 1 or name in always)
