"""The loop of every training of a recommender: epochs, early stop, and a state to resume from.

Independent of the database and of what learns. After each epoch the state is saved, so that a
killed training goes on where it was, with equal results.
"""

import math
import os
import time
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from gpt4rec_es.encoders.network import non_finite_weight
from gpt4rec_es.lab.sequences.weights import MeanWeights
from gpt4rec_es.lab.training.divergence import DivergedError
from gpt4rec_es.protocols import Progress

_STAGE_SEEDS = 10_000  # more than a stage has epochs, so that no two epochs have one seed


@dataclass(frozen=True, slots=True)
class StepLosses:
    """Losses of a batch. total: to minimise. parts: mean losses by name, for reports."""

    total: Any
    parts: dict[str, float]
    examples: int


@dataclass(frozen=True, slots=True)
class EpochRow:
    """One epoch: mean losses of its examples, and NDCG@10 after it (None: not measured).

    seconds: duration with its measurement, and of the first epoch with the entry of its stage, in
    clock time.
    """

    stage: int
    phase: str
    epoch: int
    losses: dict[str, float]
    ndcg: float | None
    seconds: float = 0.0


class Learner(Protocol):
    """A network with its examples, losses and optimiser."""

    @property
    def network(self) -> Any:
        """The module that learns."""

    @property
    def optimizer(self) -> Any:
        """The optimiser; its groups hold all weights that learn."""

    def enter(self, stage: int) -> None:
        """Prepare network and optimiser for a stage."""

    def batches(self, seed: int) -> Iterable[Any]:
        """Return the batches of an epoch; equal seeds give equal batches."""

    def losses(self, batch: Any) -> StepLosses:
        """Return the losses of a batch."""

    def measure(self) -> float | None:
        """Return NDCG@10 of the validation users; None: there are none, so the last epoch counts.

        The network need not be in evaluation mode before.
        """

    def weights(self) -> dict[str, Any]:
        """Return copies of all weights that learn."""

    def set_weights(self, weights: dict[str, Any]) -> None:
        """Go back to weights that ``weights`` returned."""


@dataclass(frozen=True, slots=True)
class LoopOptions:
    """Options of the loop.

    stages: name and highest number of epochs of each. patience: epochs without a better NDCG@10
    after which a stage ends. max_norm: to which gradients are clipped. is_averaged: whether the
    mean of the weights over about an epoch is measured and kept (weights.py). advice: for a
    training that diverges.
    """

    stages: Sequence[tuple[str, int]]
    patience: int
    max_norm: float
    is_averaged: bool = False
    advice: str = "Lower --lr."


def run_loop(
    learner: Learner, options: LoopOptions, work: Path, progress: Progress
) -> list[EpochRow]:
    """Train, leave the network with the weights of its best epoch, and return all epochs.

    work: folder of the state to resume from.

    Raises:
        DivergedError: the loss or a weight is not finite.
    """
    run = _Run(learner, options, work)
    total = sum(epochs for _, epochs in options.stages)
    for number, (_, epochs) in enumerate(options.stages):
        run.begin(number)
        for epoch in range(run.next_epoch, epochs):
            if not run.train_epoch(number, epoch):
                break
            done = sum(earlier for _, earlier in options.stages[:number]) + epoch + 1
            progress(done, total)
            if epoch - run.best_epoch >= options.patience:
                break
        run.end()
    learner.network.eval()
    return run.epochs


class _Run:
    """State of a training: weights, optimiser, the best weights of the stage, epochs."""

    def __init__(self, learner: Learner, options: LoopOptions, work: Path) -> None:
        self.learner, self.options = learner, options
        self.file = work / "state.pt"
        self.epochs: list[EpochRow] = []
        self.best_ndcg, self.best_epoch, self.next_epoch = -1.0, -1, 0
        self.best: dict[str, Any] = {}
        self.learning: list[Any] = []
        self.means: MeanWeights | None = None
        self.started = time.monotonic()
        self.saved: Any = None
        if self.file.exists():  # weights_only: nothing in it is executed
            self.saved = torch.load(self.file, weights_only=True, map_location="cpu")

    def begin(self, number: int) -> None:
        """Enter a stage; the first one that is not finished goes on as saved."""
        self.started = time.monotonic()
        epochs = self.options.stages[number][1]
        self.best_ndcg, self.best_epoch, self.next_epoch = -1.0, -1, 0
        if self.saved is not None and number < self.saved["stage"]:
            self.next_epoch = epochs
            return
        self.learner.enter(number)
        groups = self.learner.optimizer.param_groups
        self.learning = [weights for group in groups for weights in group["params"]]
        self.means = MeanWeights(self.learning) if self.options.is_averaged else None
        if self.saved is not None:
            self._resume(self.saved)
            self.saved = None
            if self.next_epoch - 1 - self.best_epoch >= self.options.patience:
                self.next_epoch = epochs  # it was killed after its last epoch

    def train_epoch(self, number: int, epoch: int) -> bool:
        """Train one epoch, measure it, keep the best weights, and save the state.

        Returns False after an epoch without a batch: the learner has come to its limit.
        """
        learner, phase = self.learner, self.options.stages[number][0]
        learner.network.train()
        sums: dict[str, float] = {}
        count = 0
        # Each epoch of each stage has its own negatives.
        for batch in learner.batches(number * _STAGE_SEEDS + epoch):
            learner.optimizer.zero_grad()
            step = learner.losses(batch)
            if not math.isfinite(float(step.total.detach())):
                raise self._diverged(epoch, phase)
            step.total.backward()
            torch.nn.utils.clip_grad_norm_(self.learning, self.options.max_norm)
            learner.optimizer.step()
            if self.means:
                self.means.step()
            count += step.examples
            for name, value in step.parts.items():
                sums[name] = sums.get(name, 0.0) + value * step.examples
        learner.network.eval()
        if not count:
            return False
        if self.means:
            self.means.end_epoch()
        with self.means.in_use() if self.means else nullcontext():
            ndcg = self._measure(epoch, phase)
        losses = {name: value / count for name, value in sums.items()}
        seconds = round(time.monotonic() - self.started, 2)
        self.epochs.append(EpochRow(number, phase, epoch, losses, ndcg, seconds))
        self._save(number, epoch)
        self.started = time.monotonic()
        return True

    def _measure(self, epoch: int, phase: str) -> float | None:
        """Return NDCG@10, and keep the weights if they are the best."""
        # The loss of a step is that of the weights before it, so the last one shows only here.
        if non_finite_weight(self.learner.network):
            raise self._diverged(epoch, phase)
        ndcg = self.learner.measure()
        if ndcg is None or ndcg > self.best_ndcg:
            self.best_ndcg = -1.0 if ndcg is None else ndcg
            self.best_epoch = epoch
            self.best = self.learner.weights()
        return ndcg

    def _diverged(self, epoch: int, phase: str) -> DivergedError:
        return DivergedError(
            f"The training diverged in epoch {epoch + 1} of phase {phase}.", self.options.advice
        )

    def end(self) -> None:
        """Go back to the best weights of the stage."""
        if self.best_epoch >= 0:
            self.learner.set_weights(self.best)

    def _save(self, number: int, epoch: int) -> None:
        draft = self.file.with_suffix(".draft")
        torch.save(
            {
                "stage": number,
                "epoch": epoch,
                "weights": self.learner.weights(),
                "optimizer": self.learner.optimizer.state_dict(),
                "means": self.means.state() if self.means else None,
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
        self.learner.set_weights(saved["weights"])
        self.learner.optimizer.load_state_dict(saved["optimizer"])
        if self.means and saved.get("means"):  # earlier versions had none
            self.means.resume(saved["means"])
        self.best, self.best_ndcg = saved["best"], saved["best_ndcg"]
        self.best_epoch, self.next_epoch = saved["best_epoch"], saved["epoch"] + 1
        self.epochs = [EpochRow(**one) for one in saved["epochs"]]
        torch.set_rng_state(saved["random"])
