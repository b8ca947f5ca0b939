"""Train a baseline on a split and write its folder."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows.history import data_versions
from gpt4rec_es.db.rows.items import load_ids, unfindable
from gpt4rec_es.db.rows.metadata import ItemFields, load_item_fields
from gpt4rec_es.encoders.folder import open_checkpoint
from gpt4rec_es.encoders.network import pick_device, set_threads
from gpt4rec_es.errors import DataError, UsageError
from gpt4rec_es.lab.baselines.baseline_folder import NETWORKS, fingerprint, save_baseline
from gpt4rec_es.lab.baselines.baseline_options import BaselineOptions, as_dict
from gpt4rec_es.lab.baselines.fit_baseline import fit_baseline
from gpt4rec_es.lab.baselines.network import BaselineData
from gpt4rec_es.lab.baselines.sasrec_text import (
    SasRecText,
    require_text,
    require_titles,
    start_by_titles,
)
from gpt4rec_es.lab.splits.stored import load_split
from gpt4rec_es.lab.training.cost import training_cost
from gpt4rec_es.lab.training.numbered_split import NumberedSplit, number_split
from gpt4rec_es.lab.training.work_folder import require_own, resumed_folder
from gpt4rec_es.protocols import Progress, no_progress
from gpt4rec_es.version import code_version


@dataclass(frozen=True, eq=False)
class ReadSplit:
    """A split with the metadata and the ids of the whole catalog, in order of item number."""

    numbered: NumberedSplit
    fields: Sequence[ItemFields]
    item_ids: Sequence[str]


@dataclass(frozen=True)
class BaselineReport:
    """A finished training. card: data, options, epochs, figures, as in baseline.json."""

    name: str
    method: str
    folder: str
    content_hash: str
    card: dict[str, Any]


def train_baseline(
    engine: Engine,
    method: str,
    options: BaselineOptions,
    *,
    name: str,
    split: str,
    output: Path,
    text: Path | None = None,
    progress: Progress = no_progress,
) -> BaselineReport:
    """Train ``method`` on the training part of ``split`` and write the folder ``output``.

    text: folder of the GPT-2 whose reading of titles ``sasrec_text`` starts with. Called again
    after a kill with equal arguments it resumes, and on a CPU ends equally.

    Raises:
        UsageError: ``output`` exists, or cannot be written, beside it is another unfinished
            training, there is no such split, or ``text`` does not fit.
        DataError: the split leaks, or has nothing to learn from, or to choose the best epoch by.
        DivergedError: the loss is not finite.
        ConflictError: another process trains the same.
    """
    read, fingerprint = read_checked(engine, method, [options], split, output, text)
    data, validation = baseline_data(read), read.numbered.validation
    device = pick_device(options.device)
    set_threads(options.threads)
    torch.manual_seed(options.seed)
    network = NETWORKS[method](data, options).to(device)
    start = {}
    if isinstance(network, SasRecText):
        titles = [one.title for one in read.fields]
        start = {"text": start_by_titles(network, titles, text)}
    with resumed_folder(output, fingerprint) as work:
        epochs = fit_baseline(network, data, validation, options, work, progress)
        with transaction(engine) as connection:
            versions = data_versions(connection)
        measured = [epoch.ndcg for epoch in epochs if epoch.ndcg is not None]
        card = {
            "name": name,
            "method": method,
            "data": {**read.numbered.facts, **versions},
            "options": as_dict(method, options),
            **start,
            "epochs": [asdict(epoch) for epoch in epochs],
            "validation_ndcg": max(measured, default=None),
            "parameters": sum(weights.numel() for weights in network.parameters()),
            "device": device,
            **training_cost(epoch.seconds for epoch in epochs),
            "code_version": code_version(),
        }
        content_hash = save_baseline(network, data, read.item_ids, output, card)
    return BaselineReport(name, method, str(output), content_hash, card)


def read_checked(
    engine: Engine,
    method: str,
    several: Sequence[BaselineOptions],
    split: str,
    output: Path,
    text: Path | None,
) -> tuple[ReadSplit, str]:
    """Return what trainings by these options read, after all checks that need no network.

    The second part is the hash of all that decides their result. Raises as ``train_baseline``.
    """
    options = several[0]
    if output.exists():
        raise UsageError(f"{output} exists already.", "Choose another --output or remove it.")
    read = read_numbered(engine, split, options)
    numbered = read.numbered
    if text is not None:
        require_text(method, text, numbered)
    if method == SasRecText.name:
        require_titles([one.title for one in read.fields], max(one.dim for one in several))
    if max(map(len, numbered.histories), default=0) < 2:
        raise DataError("No user of the training part has two items.", "Import more purchases.")
    if not options.learn_validation and not numbered.validation.users:
        raise DataError(
            f"The split {split} has no validation users to choose the best epoch by.",
            "Make one with a validation part.",
        )
    fingerprint = _decisive_hash(method, several, read, text)
    require_own(output, fingerprint)
    return read, fingerprint


def _decisive_hash(
    method: str, several: Sequence[BaselineOptions], read: ReadSplit, text: Path | None
) -> str:
    """Return a hash of all that decides the result of trainings by these options."""
    decisive: list[Any] = [method, *(as_dict(method, one) for one in several)]
    start = {}
    if text is not None:
        start["text"] = open_checkpoint(text).content_hash
    if method == SasRecText.name:
        titles = json.dumps([one.title for one in read.fields])
        start["titles"] = hashlib.sha256(titles.encode()).hexdigest()
    if start:
        decisive.append(start)
    if left_out := list(read.numbered.validation.left_out):
        decisive.append({"left_out": left_out})
    digest = hashlib.sha256(json.dumps(decisive, sort_keys=True).encode())
    digest.update(fingerprint(method, baseline_data(read)).encode())
    digest.update(read.numbered.split.content_hash.encode())
    return digest.hexdigest()


def read_numbered(engine: Engine, split_name: str, options: BaselineOptions) -> ReadSplit:
    """Return a split in consecutive numbers; nothing of its test part is training data.

    Raises:
        UsageError: there is no such split.
        DataError: the split leaks.
    """
    row, split = load_split(engine, split_name)
    with transaction(engine) as connection:
        fields, ids = load_item_fields(connection), load_ids(connection)
        hidden = unfindable(connection)
    item_nos = [one.item_no for one in fields]
    numbered = number_split(row, split, item_nos, hidden, learn_validation=options.learn_validation)
    return ReadSplit(numbered, fields, [ids[item_no] for item_no in item_nos])


def baseline_data(read: ReadSplit) -> BaselineData:
    """Return what a baseline learns from."""
    return BaselineData(read.numbered.histories, len(read.numbered.items), read.fields)
