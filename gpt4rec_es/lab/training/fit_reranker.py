"""Train a recommender in the stages of a preset, with early stop on validation users.

Independent of the database.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gpt4rec_es.encoders.text_encoder import TextEncoder
from gpt4rec_es.lab.sequences.weights import copies, put_back
from gpt4rec_es.lab.training.fit_loop import LoopOptions, StepLosses, run_loop
from gpt4rec_es.lab.training.next_items import NextItems
from gpt4rec_es.lab.training.numbered_split import ValidationUsers
from gpt4rec_es.lab.training.reranker_options import RerankerOptions
from gpt4rec_es.metrics.accuracy import accuracy
from gpt4rec_es.metrics.lists import as_lists
from gpt4rec_es.protocols import Progress
from gpt4rec_es.reranking.catalog_lists import best_items
from gpt4rec_es.reranking.learning import Batch, LearningTowers, LossOptions
from gpt4rec_es.reranking.metadata import RecommenderData
from gpt4rec_es.reranking.recommenders import GPT2Recommender, GPT2RecommenderEnhanced

K = 10
_USERS = 512  # validation users scored at a time


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch: mean losses of its examples, and NDCG@10 of validation users after it.

    seconds: as in ``EpochRow``.
    """

    stage: int
    phase: str
    epoch: int
    ranking_loss: float
    contrastive_loss: float
    ndcg: float | None
    seconds: float


def new_recommender(
    data: RecommenderData, encoder: TextEncoder, options: RerankerOptions
) -> LearningTowers:
    """Return an untrained recommender by the preset, from torch's current seed."""
    loss = LossOptions(options.objective, options.contrastive_weight)
    sizes = len(data.histories), len(data.items), options.dim, data
    if options.preset == "fast":
        return GPT2Recommender(*sizes, encoder=encoder, options=options.towers, loss=loss)
    return GPT2RecommenderEnhanced(
        *sizes,
        encoder=encoder,
        freeze_gpt2=options.preset == "no-finetune",
        use_cache=options.stages[0].phase == "cached",
        use_attention=options.use_attention,
        options=options.towers,
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
    stages = options.stages
    loop = LoopOptions(
        [(stage.phase, stage.epochs) for stage in stages],
        options.patience,
        options.max_norm,
        advice="Lower --lr or --encoder-lr.",
    )
    rows = run_loop(_RerankerLearner(model, data, validation, options), loop, work, progress)
    return [
        Epoch(row.stage, row.phase, row.epoch, **row.losses, ndcg=row.ndcg, seconds=row.seconds)
        for row in rows
    ]


class _RerankerLearner:
    """A recommender with its examples and optimiser, for the loop."""

    def __init__(
        self,
        model: LearningTowers,
        data: RecommenderData,
        validation: ValidationUsers,
        options: RerankerOptions,
    ) -> None:
        self.network, self.validation, self.options = model, validation, options
        self._examples = NextItems(
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

    def enter(self, stage: int) -> None:
        """Enter the phase of a stage."""
        entered = self.options.stages[stage]
        self.network.set_phase(entered.phase, self.optimizer, self.options.encoder_lr)
        for group in self.optimizer.param_groups:
            if group["name"] == "network":
                group["lr"] = entered.lr

    def batches(self, seed: int) -> Iterable[Batch]:
        """Return the batches of an epoch."""
        return self._examples.batches(seed)

    def losses(self, batch: Batch) -> StepLosses:
        """Return the losses of a batch."""
        losses = self.network.calculate_loss(batch.to(self.network.item_bias.device))
        parts = {
            "ranking_loss": float(losses.ranking),
            "contrastive_loss": float(losses.contrastive),
        }
        return StepLosses(losses.total, parts, len(batch.users))

    def measure(self) -> float | None:
        """Return NDCG@10 of the validation users; None: there are none."""
        if not self.validation.users:
            return None
        return measure_ndcg(self.network, self.validation)

    def weights(self) -> dict[str, Any]:
        """Return copies of all weights but those of a GPT-2 that do not learn."""
        return copies(self.network, self._fixed())

    def set_weights(self, weights: dict[str, Any]) -> None:
        """Go back to ``weights``."""
        put_back(self.network, weights, self._fixed())
        if self.network.table.phase == "cached":
            self.network.set_phase("cached")  # fills nothing unless weights of the encoder changed

    def _fixed(self) -> set[str]:
        """Return the names of the weights of a GPT-2 that do not learn."""
        encoder = self.network.table.encoder
        return {
            f"table.encoder.{name}"
            for name, weights in encoder.named_parameters()
            if not ("lora_" in name if encoder.adapters else weights.requires_grad)
        }


def measure_ndcg(model: LearningTowers, validation: ValidationUsers) -> float:
    """Return the mean NDCG@10 of validation users on the catalog as evaluations list it."""
    snapshot = model.snapshot()
    lists: list[list[int]] = []
    for first in range(0, len(validation.users), _USERS):
        chosen = slice(first, first + _USERS)
        lists += best_items(
            model,
            validation.users[chosen],
            validation.histories[chosen],
            K,
            snapshot,
            validation.left_out,
        )
    return float(accuracy(as_lists(lists, K), validation.targets)["ndcg"].mean())
