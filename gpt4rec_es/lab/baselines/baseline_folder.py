"""A trained baseline as a folder: weights, options, and a card with data and figures.

Only safetensors and JSON: opening executes no code. The folder is created complete or not at all.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from gpt4rec_es.db.rows.metadata import ItemFields
from gpt4rec_es.encoders.network import require_finite
from gpt4rec_es.errors import UsageError, misfit
from gpt4rec_es.lab.baselines.baseline_options import (
    BaselineOptions,
    as_dict,
    check_options,
    is_of,
)
from gpt4rec_es.lab.baselines.bert4rec import Bert4Rec
from gpt4rec_es.lab.baselines.bpr_mf import BprMf
from gpt4rec_es.lab.baselines.content_rec import ContentRec
from gpt4rec_es.lab.baselines.fm_bpr import FmBpr
from gpt4rec_es.lab.baselines.network import BaselineData, BaselineNetwork
from gpt4rec_es.lab.baselines.sasrec import SasRec
from gpt4rec_es.lab.baselines.sasrec_text import SasRecText
from gpt4rec_es.lab.baselines.youtube_dnn import YouTubeDnn
from gpt4rec_es.lab.training.cost import COST
from gpt4rec_es.reranking.served_sequence import DOCUMENT, ITEMS, WEIGHTS, folder_hash

NETWORKS: dict[str, type[BaselineNetwork]] = {
    one.name: one for one in (BprMf, FmBpr, SasRec, SasRecText, YouTubeDnn, ContentRec, Bert4Rec)
}


def save_baseline(
    network: BaselineNetwork,
    data: BaselineData,
    item_ids: Sequence[str],
    folder: Path,
    card: dict[str, Any],
) -> str:
    """Write ``folder``, which must not exist, and return the hash of its content.

    item_ids: by index; a method that nights can use keeps those of items with a training event.

    Raises:
        UsageError: the folder exists.
    """
    if folder.exists():
        raise UsageError(f"{folder} exists already.", "Choose another folder or remove it.")
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    weights = {name: tensor.contiguous().cpu() for name, tensor in network.state_dict().items()}
    save_file(weights, draft / WEIGHTS)
    document = {
        "method": network.name,
        "options": as_dict(network.name, network.options),
        "data": fingerprint(network.name, data),
        "card": card,
    }
    (draft / DOCUMENT).write_text(json.dumps(document, indent=1), encoding="utf-8")
    if network.is_served:
        pairs = zip(item_ids, network.unlisted.tolist(), strict=True)
        known = [None if is_unknown else item_id for item_id, is_unknown in pairs]
        (draft / ITEMS).write_text(json.dumps(known), encoding="utf-8")
    content_hash = folder_hash(draft)
    for path in draft.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    draft.rename(folder)
    return content_hash


def read_document(folder: Path) -> dict[str, Any]:
    """Return baseline.json: method, options, hash of the data, card.

    Raises:
        UsageError: there is none, it has other options than this version knows, or a value that no
            training writes.
    """
    try:
        document: dict[str, Any] = json.loads((folder / DOCUMENT).read_text(encoding="utf-8"))
        if document["method"] in NETWORKS and document["card"]["data"]["split_hash"]:
            options = BaselineOptions(**document["options"])
            _check_document(folder, document, options)
            return document
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise UsageError(
        f"{folder} holds no baseline: no readable {DOCUMENT}.",
        "Give a folder written by `gpt4rec train baseline`.",
    )


def _check_document(folder: Path, document: dict[str, Any], options: BaselineOptions) -> None:
    """Check all values that are read later, so that none ends an evaluation after hours.

    Raises:
        UsageError: one is missing, of another type, or out of range.
    """
    card = document["card"]
    for name, value, kind in (
        ("method", document["method"], str),
        ("data", document.get("data"), str),
        ("card.name", card.get("name"), str),
        ("card.data.split_hash", card["data"]["split_hash"], str),
        *((f"card.{name}", card[name], float) for name in COST if name in card),
    ):
        if not is_of(value, kind):
            raise UsageError(
                f"{folder / DOCUMENT} cannot be used: {name} is {value!r}.", "Copy it anew."
            )
    try:
        check_options(options)
    except UsageError as error:
        raise UsageError(
            f"{folder / DOCUMENT} cannot be used: options.{error}", "Copy it anew."
        ) from error


def open_baseline(folder: Path, data: BaselineData, options: BaselineOptions) -> BaselineNetwork:
    """Return the baseline in ``folder`` on the CPU, in evaluation mode.

    data: that of its training.

    Raises:
        UsageError: the weights do not fit.
    """
    network = NETWORKS[read_document(folder)["method"]](data, options)
    try:
        network.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise UsageError(
            f"The weights of the baseline in {folder} do not fit: {misfit(error)}",
            "Copy the folder anew.",
        ) from error
    require_finite(network, folder)
    network.eval()
    return network


def is_trained_on(document: dict[str, Any], data: BaselineData) -> bool:
    """Return whether a baseline was trained on ``data``, by its baseline.json."""
    method = document["method"]
    # Earlier versions hashed all metadata where any was read.
    every = ItemFields._fields[1:] if NETWORKS[method].reads else ()
    return document["data"] in {fingerprint(method, data), _fingerprint(every, data)}


def fingerprint(method: str, data: BaselineData) -> str:
    """Return a hash of all that the method reads: histories, and metadata where it does."""
    return _fingerprint(NETWORKS[method].reads, data)


def _fingerprint(reads: Sequence[str], data: BaselineData) -> str:
    lengths = np.array([len(history) for history in data.histories], np.int64)
    flat = np.array([item for history in data.histories for item in history], np.int64)
    digest = hashlib.sha256(f"{data.n_items} ".encode() + lengths.tobytes() + flat.tobytes())
    if reads:
        rows = [[getattr(one, name) for name in reads] for one in data.fields]
        digest.update(json.dumps(rows, default=str).encode())
    return digest.hexdigest()
