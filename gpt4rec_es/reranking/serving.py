"""A trained recommender on the catalog of today: vectors in fixed point, see ranking/vectors.py.

An item of the training keeps its ID embedding and is read with its metadata of now; any other item
is read by its metadata alone. The data of the training are not needed.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gpt4rec_es.db.rows.metadata import ItemFields
from gpt4rec_es.encoders.network import pick_device
from gpt4rec_es.errors import UsageError
from gpt4rec_es.ranking.vectors import Fixed, dequantise, quantise, with_last
from gpt4rec_es.reranking.checkpoint import (
    ITEMS,
    build_recommender,
    folder_hash,
    load_weights,
    read_document,
)
from gpt4rec_es.reranking.metadata import MISSING, Metadata, RecommenderData
from gpt4rec_es.reranking.reading import Reading, Serving
from gpt4rec_es.reranking.text_vectors import TextVectors

_STEP = 2048  # items or users of one pass


class ServedReranker:
    """A recommender that reads users by their histories.

    history_length: newest items of a user that are read. width: components of a vector, the last
    one included. reads_users: whether attributes of users are read.

    Raises:
        UsageError: the folder has none, or one that cannot be served, or was trained with another
            GPT-2 than ``gpt2``.
    """

    def __init__(self, folder: Path, gpt2: Path | str, device: str = "cpu") -> None:
        document = read_document(folder)
        serving = read_serving(folder, document)
        self._reading = serving.reading
        self._index = {item_id: n for n, item_id in enumerate(serving.item_ids)}
        model = build_recommender(
            folder, document, _without_texts(serving), gpt2, pick_device(device)
        )
        load_weights(model, folder)
        _to_double(model)
        self._model = model
        self._texts = TextVectors(model.table)
        self.content_hash = folder_hash(folder)
        self.history_length = model.options.history_length
        self.width = model.dim + 1
        self.reads_users = model.users is not None

    def check_biases(self) -> None:
        """Check that stored vectors hold all biases, the part of them that is known without items.

        Raises:
            DataError: they do not.
        """
        quantise(self._model.item_bias.detach().cpu().numpy())
        quantise(self._model.other_bias.detach().cpu().numpy())

    def has_vectors(self, item_ids: Sequence[str]) -> list[bool]:
        """Return whether each item has a vector: metadata of any item can be read."""
        return [True] * len(item_ids)

    def input_hashes(self, item_ids: Sequence[str], rows: Sequence[ItemFields]) -> list[bytes]:
        """Return a hash of all that the vector of each item depends on, besides the network."""
        metadata = self._reading.items(rows)
        return [
            hashlib.blake2b(
                "\0".join(
                    [
                        item_id if item_id in self._index else "",
                        *("" if place == MISSING else metadata.texts[place] for place in places),
                    ]
                ).encode(),
                digest_size=16,
            ).digest()
            for item_id, places in zip(item_ids, metadata.places.tolist(), strict=True)
        ]

    def item_vectors(self, item_ids: Sequence[str], rows: Sequence[ItemFields]) -> Fixed:
        """Return (items, width) with biases last; ``rows`` are the metadata of the items."""
        parts = [np.zeros((0, self.width), np.int16)]
        for first in range(0, len(item_ids), _STEP):
            step = slice(first, first + _STEP)
            parts.append(self.read_items(item_ids[step], self.metadata(rows[step]))[0])
        return np.concatenate(parts)

    def metadata(self, rows: Sequence[ItemFields]) -> Metadata:
        """Return the fields of items that the network reads."""
        return self._model.as_read(self._reading.items(rows))

    def read_items(self, item_ids: Sequence[str], metadata: Metadata) -> tuple[Fixed, Any]:
        """Return (items, width), and the attention weights (items, fields + 1).

        The last weight is that of no field. Without attention the weights are None.
        """
        numbers = [self._index.get(item_id, MISSING) for item_id in item_ids]
        with torch.no_grad():
            places, table = self._texts.read(metadata)
            items = torch.tensor(numbers, dtype=torch.long, device=places.device)
            vectors, biases, weights = self._model.join_items(items, places, table)
        read = with_last(vectors.cpu().numpy(), biases.cpu().numpy())
        return read, None if weights is None else weights.cpu().numpy()

    def read_titles(self, titles: Sequence[str]) -> NDArray[np.float64]:
        """Return (titles, width - 1) of items that training did not have, with a title alone.

        Not in fixed point, and without the bias.
        """
        parts = [np.zeros((0, self.width - 1))]
        for first in range(0, len(titles), _STEP):
            some = titles[first : first + _STEP]
            metadata = self.metadata([ItemFields(0, one, None, None, None) for one in some])
            with torch.no_grad():
                places, table = self._texts.read(metadata)
                unknown = torch.full((len(some),), MISSING, device=places.device)
                parts.append(self._model.join_items(unknown, places, table)[0].cpu().numpy())
        return np.concatenate(parts)

    def user_vectors(
        self,
        histories: Sequence[Sequence[int]],
        item_vectors: Fixed,
        attributes: Sequence[Mapping[str, Any]] | None = None,
    ) -> Fixed:
        """Return (users, width) with 1 last.

        histories: newest first, places in ``item_vectors``. attributes: of the users, if any.
        """
        parts = [np.zeros((0, self.width), np.int16)]
        known = attributes if attributes is not None else [{}] * len(histories)
        # Blocks hold the square of the length for each user.
        rows = max(1, _STEP * 20 // self.history_length) if self._model.options.blocks else _STEP
        for first in range(0, len(histories), rows):
            step = slice(first, first + rows)
            parts.append(self._read_users(histories[step], item_vectors, known[step]))
        return np.concatenate(parts)

    def _read_users(
        self,
        histories: Sequence[Sequence[int]],
        item_vectors: Fixed,
        attributes: Sequence[Mapping[str, Any]],
    ) -> Fixed:
        newest = [list(history[: self.history_length]) for history in histories]
        used, flat = np.unique(
            np.array([n for one in newest for n in one], int), return_inverse=True
        )
        device = self._model.item_bias.device
        padded = np.full((len(newest), self.history_length), MISSING)
        lengths = np.array([len(one) for one in newest])
        padded[np.arange(self.history_length) < lengths[:, None]] = flat
        items = torch.from_numpy(dequantise(item_vectors[used, :-1]).astype(np.float64)).to(device)
        metadata = self._reading.users(attributes)
        with torch.no_grad():
            query = self._model.history_vectors(
                torch.from_numpy(padded).to(device),
                # Without any purchase there is no row, but every place is looked up.
                torch.cat([items, items.new_zeros(1, self.width - 1)]),
                torch.arange(len(used) + 1, device=device),
            )
            places, table = None, None
            if metadata is not None:
                places, table = self._texts.read(self._model.as_read(metadata))
            vectors = self._model.join_users(query, places, table)
        return with_last(vectors.cpu().numpy(), 1.0)


def read_serving(folder: Path, document: Mapping[str, Any]) -> Serving:
    """Return what a saved recommender reads other catalogs by; ``document``: recommender.json.

    Raises:
        UsageError: it reads users by their number, or was saved without it.
    """
    mode = document["options"]["user_mode"]
    if mode != "history":
        raise UsageError(
            f"The re-ranker in {folder} has user mode {mode!r}: it knows users by their number, so "
            "it can serve no new user, and `users forget` cannot erase one from it.",
            "Train one with `gpt4rec train reranker --user-mode history`.",
        )
    try:
        item_ids = json.loads((folder / ITEMS).read_text(encoding="utf-8"))
        return Serving(tuple(item_ids), Reading.of_document(document["reading"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"The re-ranker in {folder} does not say how it reads items (no readable {ITEMS}).",
            "Train it again; re-rankers of older versions can only be evaluated.",
        ) from error


def _without_texts(serving: Serving) -> RecommenderData:
    """Return data of the right sizes; which items have an embedding is among the weights."""
    reading, n_items = serving.reading, len(serving.item_ids)
    items = torch.full((n_items, len(reading.item_fields)), MISSING, dtype=torch.long)
    users = torch.full((0, len(reading.user_fields)), MISSING, dtype=torch.long)
    return RecommenderData(
        Metadata(reading.item_fields, (), items),
        [],
        Metadata(reading.user_fields, (), users) if reading.user_fields else None,
    )


def _to_double(model: nn.Module) -> None:
    """Let all but the GPT-2 compute in 64 bits.

    Rounding errors depend on the batch. So small ones change a vector in fixed point only where it
    lies exactly between two values, so that a repeated shard stores the same vectors.
    """
    for name, part in model.named_children():
        if name != "table":
            part.double()
    for weights in model.parameters(recurse=False):
        weights.data = weights.data.double()
