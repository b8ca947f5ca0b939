"""Train a recommender in the stages of a preset, with early stop on validation users.

Independent of the database. After each epoch the state is saved, so that a killed training goes on
where it was, with equal results.
"""

import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from gpt4rec_es.encoders.text_encoder import TextEncoder
from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.training.next_items import NextItems
from gpt4rec_es.lab.training.reranker_options import RerankerOptions, Stage
from gpt4rec_es.metrics.accuracy import accuracy
from gpt4rec_es.metrics.lists import as_lists
from gpt4rec_es.protocols import Progress
from gpt4rec_es.reranking.catalog_lists import best_items
from gpt4rec_es.reranking.learning import LearningTowers, LossOptions
from gpt4rec_es.reranking.metadata import RecommenderData
from gpt4rec_es.reranking.recommenders import GPT2Recommender, GPT2RecommenderEnhanced
from gpt4rec_es.reranking.two_towers import TowerOptions

K = 10
_USERS = 512  # validation users scored at a time


@dataclass(frozen=True, slots=True)
class ValidationUsers:
    """Users to choose the best epoch by. users: numbers, -1: not in the training data."""

    users: Sequence[int]
    histories: Sequence[Sequence[int]]
    targets: Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch: mean losses of its examples, and NDCG@10 of validation users after it."""

    stage: int
    phase: str
    epoch: int
    ranking_loss: float
    contrastive_loss: float
    ndcg: float


def new_recommender(
    data: RecommenderData, encoder: TextEncoder, options: RerankerOptions
) -> LearningTowers:
    """Return an untrained recommender by the preset, from torch's current seed."""
    towers = TowerOptions(options.user_mode, options.history_length)
    loss = LossOptions(options.objective, options.contrastive_weight)
    sizes = len(data.histories), len(data.items), options.dim, data
    if options.preset == "fast":
        return GPT2Recommender(*sizes, encoder=encoder, options=towers, loss=loss)
    return GPT2RecommenderEnhanced(
        *sizes,
        encoder=encoder,
        freeze_gpt2=options.preset == "no-finetune",
        use_cache=options.stages[0].phase == "cached",
        use_attention=options.use_attention,
        options=towers,
        loss=loss,
    )


def fit(
    model: LearningTowers,
    data: RecommenderData,
    validation: ValidationUsers,
    options: RerankerOptions,
    work: Path,
    progress: Progress,
) -> list[Epoch]:
    """Train ``model``, leave it with the weights of its best epoch, and return all epochs.

    work: folder of the state to resume from.

    Raises:
        UsageError: the loss is not finite.
    """
    run = _Run(model, data, validation, options, work)
    total = sum(stage.epochs for stage in options.stages)
    for number, stage in enumerate(options.stages):
        run.begin(number, stage)
        for epoch in range(run.next_epoch, stage.epochs):
            run.train_epoch(number, stage, epoch)
            done = sum(earlier.epochs for earlier in options.stages[:number]) + epoch + 1
            progress(done, total)
            if epoch - run.best_epoch >= options.patience:
                break
        run.end()
    model.eval()
    return run.epochs


class _Run:
    """State of a training: weights, optimiser, the best weights of the stage, epochs."""

    def __init__(
        self,
        model: LearningTowers,
        data: RecommenderData,
        validation: ValidationUsers,
        options: RerankerOptions,
        work: Path,
    ) -> None:
        self.model, self.validation, self.options = model, validation, options
        self.examples = NextItems(
            data,
            model.options,
            batch_size=options.batch_size,
            samples=options.samples,
            seed=options.seed,
        )
        self.optimizer = torch.optim.AdamW(
            model.parameter_groups(options.stages[0].lr, options.encoder_lr),
            weight_decay=options.weight_decay,
        )
        self.file = work / "state.pt"
        self.epochs: list[Epoch] = []
        self.best_ndcg, self.best_epoch, self.next_epoch = -1.0, -1, 0
        self.best: dict[str, Any] = {}
        # weights_only: nothing in the file is executed.
        self.saved = torch.load(self.file, weights_only=True) if self.file.exists() else None

    def begin(self, number: int, stage: Stage) -> None:
        """Enter the phase of a stage; the first one that is not finished goes on as saved."""
        self.best_ndcg, self.best_epoch, self.next_epoch = -1.0, -1, 0
        if self.saved is not None and number < self.saved["stage"]:
            self.next_epoch = stage.epochs
            return
        self._enter(stage)
        if self.saved is not None:
            self._resume(self.saved)
            self.saved = None
            if self.next_epoch - 1 - self.best_epoch >= self.options.patience:
                self.next_epoch = stage.epochs  # it was killed after its last epoch

    def train_epoch(self, number: int, stage: Stage, epoch: int) -> None:
        """Train one epoch, measure it, keep the best weights, and save the state."""
        self.model.train()
        sums, count = [0.0, 0.0], 0
        learning = [w for group in self.optimizer.param_groups for w in group["params"]]
        seed_epoch = number * 10_000 + epoch  # each epoch of each stage has its own negatives
        for batch in self.examples.batches(seed_epoch):
            self.optimizer.zero_grad()
            losses = self.model.calculate_loss(batch.to(self.model.item_bias.device))
            if not math.isfinite(float(losses.total.detach())):
                raise UsageError(
                    f"The training diverged in epoch {epoch + 1} of phase {stage.phase}.",
                    "Lower --lr or --encoder-lr.",
                )
            losses.total.backward()
            torch.nn.utils.clip_grad_norm_(learning, self.options.max_norm)
            self.optimizer.step()
            size = len(batch.users)
            count += size
            sums[0] += float(losses.ranking) * size
            sums[1] += float(losses.contrastive) * size
        ndcg = measure_ndcg(self.model, self.validation)
        ranking, contrastive = sums[0] / count, sums[1] / count
        self.epochs.append(Epoch(number, stage.phase, epoch, ranking, contrastive, ndcg))
        if ndcg > self.best_ndcg:
            self.best_ndcg, self.best_epoch = ndcg, epoch
            self.best = _weights(self.model)
        self._save(number, epoch)

    def end(self) -> None:
        """Go back to the best weights of the stage."""
        if self.best_epoch >= 0:
            _set_weights(self.model, self.best)

    def _enter(self, stage: Stage) -> None:
        self.model.set_phase(stage.phase, self.optimizer, self.options.encoder_lr)
        for group in self.optimizer.param_groups:
            if group["name"] == "network":
                group["lr"] = stage.lr

    def _save(self, number: int, epoch: int) -> None:
        draft = self.file.with_suffix(".draft")
        torch.save(
            {
                "stage": number,
                "epoch": epoch,
                "weights": _weights(self.model),
                "optimizer": self.optimizer.state_dict(),
                "best": self.best,
                "best_ndcg": self.best_ndcg,
                "best_epoch": self.best_epoch,
                "epochs": [asdict(one) for one in self.epochs],
                "random": torch.get_rng_state(),
            },
            draft,
        )
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(self.file)

    def _resume(self, saved: dict[str, Any]) -> None:
        _set_weights(self.model, saved["weights"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.best, self.best_ndcg = saved["best"], saved["best_ndcg"]
        self.best_epoch, self.next_epoch = saved["best_epoch"], saved["epoch"] + 1
        self.epochs = [Epoch(**one) for one in saved["epochs"]]
        torch.set_rng_state(saved["random"])


def measure_ndcg(model: LearningTowers, validation: ValidationUsers) -> float:
    """Return the mean NDCG@10 of validation users on the whole catalog, without known items."""
    snapshot = model.snapshot()
    lists: list[list[int]] = []
    for first in range(0, len(validation.users), _USERS):
        chosen = slice(first, first + _USERS)
        lists += best_items(
            model, validation.users[chosen], validation.histories[chosen], K, snapshot
        )
    return float(accuracy(as_lists(lists, K), validation.targets)["ndcg"].mean())


def _weights(model: LearningTowers) -> dict[str, Any]:
    """Return copies of all weights but those of a GPT-2 that do not learn."""
    encoder = model.table.encoder
    fixed = {
        f"table.encoder.{name}"
        for name, weights in encoder.named_parameters()
        if not ("lora_" in name if encoder.adapters else weights.requires_grad)
    }
    return {
        name: weights.detach().clone()
        for name, weights in model.named_parameters()
        if name not in fixed
    }


def _set_weights(model: LearningTowers, weights: dict[str, Any]) -> None:
    with torch.no_grad():
        for name, own in model.named_parameters():
            if name in weights:
                own.copy_(weights[name])
    if model.table.phase == "cached":
        model.set_phase("cached")  # fills nothing unless weights of the encoder changed
