"""A trained SASRec on the catalog of today: vectors in fixed point, see ranking/vectors.py.

Its items are numbers of the training, so an item without a training event has no vector, and a user
without any other item has none, either. The folder is one of `gpt4rec train baseline sasrec`.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from gpt4rec_es.db.rows.metadata import ItemFields
from gpt4rec_es.encoders.network import pick_device, require_finite
from gpt4rec_es.encoders.sequence_network import SequenceNetwork, padded
from gpt4rec_es.errors import UsageError, misfit
from gpt4rec_es.ranking.vectors import Fixed, dequantise, with_last

DOCUMENT, WEIGHTS, ITEMS = "baseline.json", "model.safetensors", "items.json"
METHODS = ("sasrec", "sasrec_text")  # one network, with two starts of its training
_STEP = 512  # users of one pass
_SHAPE = ("dim", "length", "blocks", "heads", "dropout")


class ServedSequence:
    """A SASRec that reads users by their newest items; see ``VectorMaker``.

    Raises:
        UsageError: the folder holds none, or one without the ids of its items.
    """

    reads_users = False

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        document = read_sequence(folder)
        options = document["options"]
        known = _read_items(folder)
        self._index = {one: n for n, one in enumerate(known) if one is not None}
        self._model = SequenceNetwork()
        self._model.add_layers(len(known), **{name: options[name] for name in _SHAPE})
        try:
            self._model.load_state_dict(load_file(folder / WEIGHTS))
        except (OSError, SafetensorError, RuntimeError) as error:
            raise UsageError(
                f"The weights in {folder} do not fit: {misfit(error)}",
                "Copy the folder anew.",
            ) from error
        require_finite(self._model, folder)
        # 64 bits: so small rounding errors, which depend on the batch, almost never change a vector
        # in fixed point.
        self._model.double().eval().to(pick_device(device))
        self.content_hash = folder_hash(folder)
        self.history_length: int = options["length"]
        self.width: int = options["dim"] + 1

    def check_biases(self) -> None:
        """Check that stored vectors hold those of all items; there are no biases.

        Raises:
            DataError: they do not.
        """
        self._vectors(list(self._index.values()))

    def has_vectors(self, item_ids: Sequence[str]) -> list[bool]:
        """Return whether each item had a training event; the others have no vector."""
        return [item_id in self._index for item_id in item_ids]

    def input_hashes(
        self,
        item_ids: Sequence[str],
        rows: Sequence[ItemFields],  # noqa: ARG002 - no metadata is read
    ) -> list[bytes]:
        """Return a hash of all that the vector of each item depends on: its id."""
        return [hashlib.blake2b(one.encode(), digest_size=16).digest() for one in item_ids]

    def item_vectors(
        self,
        item_ids: Sequence[str],
        rows: Sequence[ItemFields],  # noqa: ARG002 - no metadata is read
    ) -> Fixed:
        """Return (items, width) with biases, which are 0, last; of items that have vectors."""
        return self._vectors([self._index[one] for one in item_ids])

    def user_vectors(
        self,
        histories: Sequence[Sequence[int]],
        item_vectors: Fixed,
        attributes: Sequence[Mapping[str, Any]] | None = None,  # noqa: ARG002 - none are read
    ) -> Fixed:
        """Return (users, width) with 1 last; no history is empty.

        histories: newest first, places in ``item_vectors``.
        """
        parts = [np.zeros((0, self.width), np.int16)]
        for first in range(0, len(histories), _STEP):
            newest = [one[: self.history_length] for one in histories[first : first + _STEP]]
            parts.append(self._read([list(one)[::-1] for one in newest], item_vectors))
        return np.concatenate(parts)

    def _vectors(self, numbers: Sequence[int]) -> Fixed:
        weights = self._model.items.weight.detach().cpu().numpy()
        return with_last(weights[np.array(numbers, np.int64)], 0.0)

    def _read(self, histories: Sequence[Sequence[int]], item_vectors: Fixed) -> Fixed:
        """Return the vectors of some users from items, oldest first."""
        # Row 0 stands for padding, which no item reads.
        places = padded([[place + 1 for place in one] for one in histories], 0).numpy()
        used, at = np.unique(places, return_inverse=True)
        of_items = np.zeros((len(used), self.width - 1))
        of_items[used > 0] = dequantise(item_vectors[used[used > 0] - 1, :-1])
        device = self._model.items.weight.device
        read = torch.from_numpy(of_items[at.reshape(places.shape)]).to(device)
        with torch.no_grad():
            vectors = self._model.read_last(read, [len(one) for one in histories])
        return with_last(vectors.cpu().numpy(), 1.0)


def read_sequence(folder: Path) -> dict[str, Any]:
    """Return baseline.json of a SASRec: method, options, card.

    Raises:
        UsageError: there is none, or it is of another method.
    """
    try:
        document: dict[str, Any] = json.loads((folder / DOCUMENT).read_text(encoding="utf-8"))
        options = document["options"]
        if document["method"] in METHODS and document["card"] and set(_SHAPE) <= set(options):
            return document
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise UsageError(
        f"{folder} holds no {METHODS[0]}: no {DOCUMENT} of one. Nights can use no other baseline.",
        f"Give a folder written by `gpt4rec train baseline {METHODS[0]}`.",
    )


def folder_hash(folder: Path) -> str:
    """Return the SHA-256 of all that decides scores: weights, items, document without card."""
    document = json.loads((folder / DOCUMENT).read_text(encoding="utf-8"))
    plain = json.dumps({**document, "card": None}, sort_keys=True)
    digest = hashlib.sha256(plain.encode())
    digest.update((folder / WEIGHTS).read_bytes())
    if (folder / ITEMS).is_file():
        digest.update((folder / ITEMS).read_bytes())
    return digest.hexdigest()


def _read_items(folder: Path) -> list[str | None]:
    """Return the item id of each number of the training; None: an item without an event."""
    try:
        found: list[str | None] = json.loads((folder / ITEMS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{folder} does not say which items it knows (no readable {ITEMS}).",
            "Train it again; baselines of older versions can only be evaluated.",
        ) from error
    return found
