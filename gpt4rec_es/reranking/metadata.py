"""Data of a recommender: texts of metadata fields, and the histories to learn from.

Items and users are numbered from 0 without gaps, so that no number stands for nothing.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from gpt4rec_es.errors import DataError

MISSING = -1


@dataclass(frozen=True, eq=False)
class Metadata:
    """Metadata of items or users as distinct texts.

    places: (entities, fields) numbers of ``texts``, or MISSING. The first field names the entity:
    entities with the same text there are no negatives of each other.
    """

    fields: tuple[str, ...]
    texts: tuple[str, ...]
    places: Any

    def __len__(self) -> int:
        """Return the number of entities."""
        return len(self.places)

    def content_hash(self) -> str:
        """Return a hash of fields, texts and places."""
        digest = hashlib.sha256("\0".join((*self.fields, "", *self.texts)).encode())
        digest.update(self.places.numpy().tobytes())
        return digest.hexdigest()

    def require_fields(self, fields: tuple[str, ...]) -> None:
        """Check that new entities have the fields that a network was made for.

        Raises:
            DataError: they have others.
        """
        if self.fields != fields:
            raise DataError(
                f"Items have the fields {', '.join(self.fields)}.",
                f"The recommender knows {', '.join(fields)}.",
            )


def collect_metadata(
    rows: Sequence[Mapping[str, str | None]], fields: Sequence[str] = ()
) -> Metadata:
    """Return the values of ``rows`` by field, as "field: value"; empty values are missing.

    fields: by default those of the rows, in order of appearance.

    Raises:
        DataError: a row has another field than ``fields``.
    """
    known = tuple(fields) or tuple(dict.fromkeys(name for row in rows for name in row))
    columns = {name: column for column, name in enumerate(known)}
    texts: dict[str, int] = {}
    places = torch.full((len(rows), len(known)), MISSING, dtype=torch.long)
    for number, row in enumerate(rows):
        for name, value in row.items():
            if name not in columns:
                raise DataError(
                    f"Row {number} has the unknown field {name!r}.",
                    f"There are: {', '.join(known)}.",
                )
            if value and (plain := " ".join(value.split())):
                text = f"{name}: {plain}"
                places[number, columns[name]] = texts.setdefault(text, len(texts))
    return Metadata(known, tuple(texts), places)


def join_fields(metadata: Metadata) -> Metadata:
    """Return the same entities with one field, the texts of all their fields in one."""
    rows = [
        {"metadata": "; ".join(metadata.texts[place] for place in row if place != MISSING)}
        for row in metadata.places.tolist()
    ]
    return collect_metadata(rows, ("metadata",))


@dataclass(frozen=True, eq=False)
class RecommenderData:
    """Catalog and training histories by user, oldest first; held-out items are not among them.

    A history has each item once: otherwise the items before a purchase may contain it, and a
    network would learn to copy. users: metadata of users, where there is any.
    """

    items: Metadata
    histories: Sequence[Sequence[int]]
    users: Metadata | None = None
    item_counts: Any = field(init=False)  # training events of each item

    def __post_init__(self) -> None:
        """Count the events of items, and refuse numbers out of range."""
        flat = [item for history in self.histories for item in history]
        if flat and not 0 <= min(flat) <= max(flat) < len(self.items):
            raise DataError(
                f"A history names an item that is not one of {len(self.items)}.",
                "Number items from 0 in the order of their metadata.",
            )
        if any(len(set(history)) < len(history) for history in self.histories):
            raise DataError("A history has an item twice.", "Keep the latest event of each item.")
        if self.users is not None and len(self.users) != len(self.histories):
            raise DataError(
                f"There are {len(self.histories)} histories, but metadata of {len(self.users)} "
                "users.",
                "Give one row for each user.",
            )
        numbers = torch.tensor(flat, dtype=torch.long)
        counts = torch.bincount(numbers, minlength=len(self.items))
        object.__setattr__(self, "item_counts", counts)


def pad_histories(histories: Sequence[Sequence[int]], length: int) -> Any:
    """Return (histories, length) of the newest items, newest first, then MISSING."""
    padded = torch.full((len(histories), length), MISSING, dtype=torch.long)
    for row, history in enumerate(histories):
        newest = list(history[-length:])[::-1]
        padded[row, : len(newest)] = torch.tensor(newest, dtype=torch.long)
    return padded
