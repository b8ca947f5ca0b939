"""Trained recommenders as an evaluation uses them: baselines and re-rankers, from folders."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Engine

from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.baselines.baseline_folder import is_trained_on, open_baseline, read_document
from gpt4rec_es.lab.baselines.baseline_options import BaselineOptions
from gpt4rec_es.lab.baselines.train_baseline import baseline_data, read_numbered
from gpt4rec_es.lab.splits.split import EvalUser
from gpt4rec_es.lab.training.cost import stored_cost
from gpt4rec_es.lab.training.train_reranker import TrainedReranker
from gpt4rec_es.protocols import Progress, no_progress
from gpt4rec_es.reranking.checkpoint import DOCUMENT as RERANKER_DOCUMENT
from gpt4rec_es.reranking.served_sequence import DOCUMENT, folder_hash


class TrainedRecommender(Protocol):
    """A recommender opened with the data of the split that it was trained on."""

    @property
    def method(self) -> str:
        """Name under which its evaluations are stored."""

    def described(self) -> dict[str, Any]:
        """Return name, content hash, options and cost of the training, as plain values."""

    def lists(
        self,
        eval_users: Sequence[EvalUser],
        k: int,
        active: frozenset[int],
        progress: Progress = no_progress,
    ) -> list[list[int]]:
        """Return at most ``k`` of the ``active`` item numbers for each user, in order, best first.

        No item of a user's history is in the list. Users without a history, and users that the
        training never saw, get lists, too.
        """


def open_trained(engine: Engine, split: str, part: str, folder: Path) -> TrainedRecommender:
    """Return the recommender in ``folder``, to be measured on a part of ``split``.

    Raises:
        UsageError: the folder holds none, it was trained on another split or catalog, or it
        learned from the part.
    """
    if (folder / DOCUMENT).is_file():
        return TrainedBaseline(engine, split, part, folder)
    if (folder / RERANKER_DOCUMENT).is_file():
        return TrainedReranker(engine, split, folder, part)
    raise UsageError(
        f"{folder} holds no trained recommender: neither {DOCUMENT} nor {RERANKER_DOCUMENT}.",
        "Give a folder written by `gpt4rec train baseline` or `gpt4rec train reranker`.",
    )


class TrainedBaseline:
    """A trained baseline with the data of its split; raises as ``open_trained``."""

    def __init__(self, engine: Engine, split: str, part: str, folder: Path) -> None:
        document = read_document(folder)
        self.method: str = document["method"]
        self._card, self._options = document["card"], document["options"]
        options = BaselineOptions(**self._options)
        if options.learn_validation and part == "validation":
            raise UsageError(
                f"The baseline in {folder} learned from the validation part.",
                "Measure it on the test part.",
            )
        read = read_numbered(engine, split, options)
        if document["card"]["data"]["split_hash"] != read.numbered.split.content_hash:
            raise UsageError(
                f"The baseline in {folder} was not trained on the split {split!r}, so it may have "
                "seen what is held out.",
                f"Train one with `gpt4rec train baseline {self.method} --split {split} --output "
                "FOLDER`.",
            )
        self._numbered, data = read.numbered, baseline_data(read)
        if not is_trained_on(document, data):
            raise UsageError(
                f"The baseline in {folder} was trained with another catalog, or other users.",
                "Train it again.",
            )
        self._network = open_baseline(folder, data, options)
        self._hash = folder_hash(folder)

    def described(self) -> dict[str, Any]:
        """Return name, content hash, options and cost of the training, as plain values."""
        fixed = {"name": self._card["name"], "content_hash": self._hash}
        return {"baseline": {**fixed, **self._options, "training": stored_cost(self._card)}}

    def lists(
        self,
        eval_users: Sequence[EvalUser],
        k: int,
        active: frozenset[int],
        progress: Progress = no_progress,
    ) -> list[list[int]]:
        """Return at most ``k`` of the ``active`` item numbers for each user, best first."""
        return self._numbered.lists(
            eval_users,
            active,
            lambda users, histories, left_out: self._network.lists(users, histories, k, left_out),
            progress,
        )
