"""Train a re-ranker on a split and write its folder; open it again for an evaluation."""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import generators, rerankers
from gpt4rec_es.encoders.network import pick_device, set_threads
from gpt4rec_es.encoders.text_encoder import TextEncoder, open_encoder
from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.splits.split import EvalUser
from gpt4rec_es.lab.training.cost import stored_cost, training_cost
from gpt4rec_es.lab.training.fit_reranker import Epoch, fit, new_recommender
from gpt4rec_es.lab.training.reranker_data import RerankerData, read_reranker_data
from gpt4rec_es.lab.training.reranker_options import RerankerOptions
from gpt4rec_es.lab.training.split_data import require_unseen
from gpt4rec_es.lab.training.work_folder import resumed_folder
from gpt4rec_es.protocols import Progress, no_progress
from gpt4rec_es.reranking.catalog_lists import best_items
from gpt4rec_es.reranking.checkpoint import (
    DOCUMENT,
    folder_hash,
    open_recommender,
    read_document,
    save_recommender,
)
from gpt4rec_es.reranking.reading import Reading
from gpt4rec_es.reranking.registry import add_reranker
from gpt4rec_es.version import code_version


@dataclass(frozen=True)
class RerankerReport:
    """A finished training. card: data, options, epochs, figures, as in recommender.json."""

    name: str
    folder: str
    content_hash: str
    is_registered: bool
    card: dict[str, Any]


def train_reranker(
    engine: Engine,
    options: RerankerOptions,
    *,
    name: str,
    split: str,
    output: Path,
    generator: str | None = None,
    gpt2: str | None = None,
    trust: bool = False,
    actor: str,
    progress: Progress = no_progress,
) -> RerankerReport:
    """Train a re-ranker on the training part of ``split`` and write the folder ``output``.

    It is registered as ``name`` if nights can use it: if it reads users by their history.

    generator: name of the generator whose GPT-2 reads the metadata; None: the one of nights. gpt2:
    a folder or hub id instead. trust: accept a generator that may have seen held-out items. Called
    again after a kill with equal arguments it resumes.

    Raises:
        UsageError: ``output`` exists, ``name`` is taken, an unknown name, or a generator that is
            no GPT-2.
        DataError: the split leaks, or has nothing to learn from.
    """
    if output.exists():
        raise UsageError(
            f"{output} exists already.",
            "Choose another --output, or register it: "
            f"`gpt4rec rerankers add {name} --folder {output}`.",
        )
    is_registered = options.user_mode == "history"
    if is_registered:
        with transaction(engine) as connection:
            rerankers.require_free(connection, name)
    read = read_reranker_data(engine, split, learn_validation=options.learn_validation)
    part = "test" if options.learn_validation else "validation"
    source = _source(engine, read, generator, gpt2, unseen=part, trust=trust)
    device = pick_device(options.device)
    set_threads(options.threads)
    torch.manual_seed(options.seed)
    encoder = open_encoder(source["path"], device=device)
    source["content_hash"] = encoder.checkpoint.content_hash
    with _work_folder(output, read, options, encoder) as work:
        started = time.monotonic()
        model = new_recommender(read.data, encoder, options).to(device)
        reading = time.monotonic() - started  # of all texts by the GPT-2
        epochs = fit(model, read.data, read.validation, options, work, progress)
        card = {
            "name": name,
            "data": read.facts,
            "gpt2": source,
            "options": options.as_dict(),
            "epochs": [asdict(epoch) for epoch in epochs],
            "validation_ndcg": _of_result(epochs),
            "parameters": sum(weights.numel() for weights in model.parameters()),
            "device": device,
            **training_cost([reading, *(epoch.seconds for epoch in epochs)]),
            "code_version": code_version(),
        }
        content_hash = save_recommender(model, output, card, read.serving)
    if is_registered:
        add_reranker(engine, name, output, actor=actor)
    return RerankerReport(name, str(output), content_hash, is_registered, card)


class TrainedReranker:
    """A re-ranker opened with the data of its split, to make lists from the whole catalog.

    Raises:
        UsageError: the folder has none, it was trained on another split, catalog or GPT-2, or it
        learned from the part.
    """

    method = "reranker"

    def __init__(self, engine: Engine, split: str, folder: Path, part: str = "test") -> None:
        document = read_document(folder)
        self._card = card = _checked_card(document, folder)
        learned = rerankers.learned_validation(card)
        if learned and part == "validation":
            raise UsageError(
                f"The re-ranker in {folder} learned from the validation part.",
                "Measure it on the test part.",
            )
        reading = document.get("reading")
        self.read = read_reranker_data(
            engine,
            split,
            learn_validation=learned,
            reading=None if reading is None else Reading.of_document(reading),
        )
        if card.get("data", {}).get("split_hash") != self.read.split.content_hash:
            raise UsageError(
                f"The re-ranker in {folder} was not trained on the split {split!r}, so it may have "
                "seen what is held out.",
                f"Train one with `gpt4rec train reranker --split {split}`.",
            )
        self.model = open_recommender(folder, self.read.data, card["gpt2"]["path"])
        self._snapshot = self.model.snapshot()
        self._hash = folder_hash(folder)

    def described(self) -> dict[str, Any]:
        """Return name, content hash, options and cost of the training, as plain values."""
        fixed = {"name": self._card["name"], "content_hash": self._hash}
        cost = stored_cost(self._card)
        return {"reranker": {**fixed, **self._card["options"], "training": cost}}

    def lists(
        self,
        eval_users: Sequence[EvalUser],
        k: int,
        active: frozenset[int],
        progress: Progress = no_progress,
    ) -> list[list[int]]:
        """Return at most ``k`` of the ``active`` item numbers for each user, best first."""
        return self.read.lists(
            eval_users,
            active,
            lambda users, histories, left_out: best_items(
                self.model, users, histories, k, self._snapshot, left_out
            ),
            progress,
        )


def _checked_card(document: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the card of a re-ranker, which has all that is read of it later.

    Raises:
        UsageError: it lacks something.
    """
    card = document.get("card")
    given = card if isinstance(card, dict) else {}
    gpt2 = given.get("gpt2")
    path = gpt2.get("path") if isinstance(gpt2, dict) else None
    for name, value, kind in (
        ("name", given.get("name"), str),
        ("data", given.get("data"), dict),
        ("options", given.get("options"), dict),
        ("gpt2.path", path, str),
    ):
        if not isinstance(value, kind):
            raise UsageError(
                f"{folder / DOCUMENT} cannot be used: card.{name} is {value!r}.", "Copy it anew."
            )
    return given


def _source(
    engine: Engine,
    read: RerankerData,
    generator: str | None,
    gpt2: str | None,
    *,
    unseen: str,
    trust: bool,
) -> dict[str, Any]:
    """Return path and name of the GPT-2 that reads the metadata."""
    if gpt2 is not None:
        if generator is not None:
            raise UsageError("There are two GPT-2s.", "Give --generator or --gpt2.")
        return {"path": gpt2, "generator": None}
    with transaction(engine) as connection:
        found = generators.named_or_current(connection, generator)
    if found.kind != "gpt2" or found.path is None:
        raise UsageError(
            f"The generator {found.name!r} has no GPT-2.",
            "Train one with `gpt4rec train generator`, or give --gpt2.",
        )
    if not trust:
        # If the best epoch is chosen by the validation part, that must be unseen, too.
        require_unseen(found, read.split, unseen)
    return {"path": str(found.path), "generator": found.name}


def _of_result(epochs: list[Epoch]) -> float | None:
    """Return the NDCG@10 of the best epoch of the last stage, whose weights are saved.

    None: there were no validation users.
    """
    last = epochs[-1].stage
    measured = [one.ndcg for one in epochs if one.stage == last and one.ndcg is not None]
    return max(measured, default=None)


def _work_folder(
    output: Path, read: RerankerData, options: RerankerOptions, encoder: TextEncoder
) -> AbstractContextManager[Path]:
    """Open the folder of the state of an earlier, killed call, or a new one."""
    decisive = {**options.as_dict(), "device": None, "threads": None}
    digest = hashlib.sha256(json.dumps(decisive, sort_keys=True).encode())
    digest.update(read.split.content_hash.encode() + encoder.content_hash().encode())
    for metadata in (read.data.items, read.data.users):
        digest.update(metadata.content_hash().encode() if metadata is not None else b"none")
    if read.validation.left_out:
        digest.update(json.dumps(list(read.validation.left_out)).encode())
    return resumed_folder(output, digest.hexdigest())
