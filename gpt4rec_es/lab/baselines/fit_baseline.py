"""Train a baseline by the common loop; independent of the database."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gpt4rec_es.lab.baselines.baseline_options import BaselineOptions
from gpt4rec_es.lab.baselines.network import BaselineData, BaselineNetwork
from gpt4rec_es.lab.sequences.weights import copies, put_back
from gpt4rec_es.lab.training.fit_loop import EpochRow, LoopOptions, StepLosses, run_loop
from gpt4rec_es.lab.training.numbered_split import ValidationUsers
from gpt4rec_es.metrics.accuracy import Targets
from gpt4rec_es.metrics.lists import as_lists
from gpt4rec_es.protocols import Progress

K = 10


def fit_baseline(
    network: BaselineNetwork,
    data: BaselineData,
    validation: ValidationUsers,
    options: BaselineOptions,
    work: Path,
    progress: Progress,
) -> list[EpochRow]:
    """Train ``network``, leave it with the mean weights of its best epoch, and return all epochs.

    validation: without users the last epoch counts. work: folder of the state to resume from.

    Raises:
        DivergedError: the loss is not finite.
    """
    stages = [("training", options.epochs)]
    loop = LoopOptions(stages, options.patience, options.max_norm, is_averaged=True)
    return run_loop(_Learner(network, data, validation, options), loop, work, progress)


@dataclass
class _Learner:
    """A baseline with its examples and optimiser, for the loop."""

    network: BaselineNetwork
    data: BaselineData
    validation: ValidationUsers
    options: BaselineOptions

    def __post_init__(self) -> None:
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=self.options.lr)
        self._device = next(self.network.parameters()).device
        targets = self.validation.targets
        self._targets = Targets(targets) if len(targets) else None

    def enter(self, stage: int) -> None:
        """Do nothing: there is one stage."""

    def batches(self, seed: int) -> Iterable[Any]:
        """Return the batches of an epoch."""
        return self.network.batches(self.data, seed)

    def losses(self, batch: Any) -> StepLosses:
        """Return the loss of a batch."""
        loss = self.network.loss(*(tensor.to(self._device) for tensor in batch))
        return StepLosses(loss, {"loss": float(loss.detach())}, len(batch[0]))

    def measure(self) -> float | None:
        """Return NDCG@10 of validation users on the catalog as evaluations list it."""
        if self._targets is None:
            return None
        users, left_out = self.validation, self.validation.left_out
        lists = self.network.lists(users.users, users.histories, K, left_out)
        return float(self._targets.measure(as_lists(lists, K))["ndcg"].mean())

    def weights(self) -> dict[str, Any]:
        """Return copies of all weights."""
        return copies(self.network)

    def set_weights(self, weights: dict[str, Any]) -> None:
        """Go back to ``weights``."""
        put_back(self.network, weights)
