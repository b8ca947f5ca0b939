"""What a recommender learns from: losses of a batch, and the weights that each phase changes."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from gpt4rec_es.errors import UsageError
from gpt4rec_es.reranking.metadata import MISSING, RecommenderData
from gpt4rec_es.reranking.objectives import Objective, bpr, info_nce, sampled_softmax
from gpt4rec_es.reranking.pair_scores import PairScores
from gpt4rec_es.reranking.text_table import Phase, TextTable, regroup
from gpt4rec_es.reranking.tower_options import TowerOptions

# Rows of a batch that are contrasted with each other; the time grows with their square.
_CONTRASTED = 1024


@dataclass(frozen=True, slots=True)
class LossOptions:
    """Options of the loss.

    objective: sampled softmax, or BPR. contrastive_weight: weight of InfoNCE between the ID view
    and the metadata view of items, and between two views of users; temperature: its temperature.
    """

    objective: Objective = "softmax"
    contrastive_weight: float = 0.1
    temperature: float = 0.1

    def __post_init__(self) -> None:
        """Refuse unusable values."""
        if self.objective not in {"softmax", "bpr"}:
            raise UsageError(f"There is no loss {self.objective!r}.", "Choose softmax or bpr.")
        if self.contrastive_weight < 0 or self.temperature <= 0:
            raise UsageError(
                "The contrastive weight is below 0, or its temperature not above 0.",
                "Usual are 0.1 and 0.07 to 0.2.",
            )

    def as_dict(self) -> dict[str, Any]:
        """Return the options as plain values, for cards and checkpoints."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Batch:
    """Examples: each user's next item after a history, and items drawn as negatives for all.

    users, positives: (examples,). histories: (rows, length), newest first. rows, counts:
    (examples,), the history of an example and how many of its items, oldest first, come before the
    positive. row_log_q: (rows,), logarithm of the part of its user's rows of all rows of an epoch.
    negatives, log_expected: (samples,), see ``sampled_softmax``. excluded: (examples, samples),
    samples that the user bought in the training data.
    """

    users: Any
    positives: Any
    histories: Any
    rows: Any
    counts: Any
    row_log_q: Any
    negatives: Any
    log_expected: Any
    excluded: Any

    def to(self, device: Any) -> "Batch":
        """Return the batch on ``device``."""
        return Batch(**{name: tensor.to(device) for name, tensor in vars(self).items()})


@dataclass(frozen=True, eq=False)
class Losses:
    """Loss to minimise, and its parts before weighting."""

    total: Any
    ranking: Any
    contrastive: Any


class LearningTowers(PairScores):
    """Towers with their losses and phases.

    settings: arguments that a saved recommender is made with again.
    """

    settings: dict[str, Any]

    def __init__(
        self,
        dim: int,
        data: RecommenderData,
        items: TextTable,
        options: TowerOptions,
        loss: LossOptions,
    ) -> None:
        super().__init__(dim, data, items, options)
        self.loss = loss
        self.register_buffer("item_log_q", _log_frequency(data.item_counts), persistent=False)
        if loss.contrastive_weight:
            self.item_views = nn.ModuleList([nn.Linear(dim, dim), nn.Linear(dim, dim)])
            if options.user_mode != "id" or data.users is not None:
                self.user_views = nn.ModuleList([nn.Linear(dim, dim), nn.Linear(dim, dim)])

    def calculate_loss(self, batch: Batch) -> Losses:
        """Return the losses of a batch; distinct items and texts are read once."""
        items = torch.cat([batch.positives, batch.negatives])
        spots = batch.rows, batch.counts
        users, vectors, biases, lookup, table = self.read(
            batch.users, batch.histories, items, spots
        )
        own, others = lookup[batch.positives], lookup[batch.negatives]
        positive = (users * vectors[own]).sum(1) + biases[own]
        negative = users @ vectors[others].T + biases[others]
        # A sample that equals the positive is no negative either.
        excluded = batch.excluded | (batch.negatives == batch.positives.unsqueeze(1))
        if self.loss.objective == "bpr":
            ranking = bpr(positive, negative, excluded)
        else:
            ranking = sampled_softmax(positive, negative, batch.log_expected, excluded)
        contrastive = ranking.new_zeros(())
        if self.loss.contrastive_weight:
            contrastive = self._contrast_items(batch.positives.unique(), table)
            contrastive = contrastive + self._contrast_users(batch, vectors, lookup, table)
        total = ranking + self.loss.contrastive_weight * contrastive
        return Losses(total, ranking.detach(), contrastive.detach())

    def parameter_groups(self, lr: float, encoder_lr: float) -> list[dict[str, Any]]:
        """Return the groups of an optimiser for the current phase: network, and encoder."""
        encoder = {id(weights) for weights in self.table.encoder.parameters()}
        others = [weights for weights in self.parameters() if id(weights) not in encoder]
        groups = [{"params": others, "lr": lr, "name": "network"}]
        learning = [w for w in self.table.encoder.parameters() if w.requires_grad]
        if learning:
            groups.append({"params": learning, "lr": encoder_lr, "name": "encoder"})
        return groups

    def set_phase(self, phase: Phase, optimizer: Any = None, encoder_lr: float = 1e-5) -> None:
        """Switch cache, freezing, parameter groups and state of ``optimizer`` together.

        "cached": the encoder is frozen, texts are read from the cache, which is filled anew if
        weights have changed. "dynamic": texts are read by the encoder; its adapters learn, or all
        of it where it has none.

        Raises:
            UsageError: the optimiser mixes weights of the encoder with others.
        """
        self.table.enter(phase)
        self.train(self.training)
        if optimizer is not None:
            regroup(optimizer, self.table.encoder, encoder_lr)

    def _contrast_items(self, items: Any, table: Any) -> Any:
        """Return InfoNCE between ID view and metadata view of known items with metadata."""
        places = self.item_places[items]
        kept = self.item_ids.known[items] & (places >= 0).any(1)
        items, places = items[kept], places[kept]
        if len(items) > _CONTRASTED:
            chosen = torch.randperm(len(items), device=items.device)[:_CONTRASTED]
            items, places = items[chosen], places[chosen]
        if len(items) < 2:
            return self.item_bias.new_zeros(())
        query = self.item_ids.other.expand(len(items), -1)
        metadata = self.item_fusion(query, table, places)[0]
        first = self.item_views[0](self.item_ids.table(items))
        return info_nce(
            first,
            self.item_views[1](metadata),
            same_text(places),
            self.loss.temperature,
            self.item_log_q[items] + math.log(len(items)),
        )

    def _contrast_users(self, batch: Batch, items: Any, lookup: Any, table: Any) -> Any:
        """Return InfoNCE between two views of known users; 0 where they have one view only."""
        if not hasattr(self, "user_views"):
            return self.item_bias.new_zeros(())
        mode = self.options.user_mode
        # One view of each history, which may have several examples.
        owners = batch.users.new_full((len(batch.histories),), MISSING)
        owners[batch.rows] = batch.users
        kept = owners >= 0
        if mode == "id":
            places = self.places_of_users(owners)
            kept = kept & (places >= 0).any(1)
        else:
            kept = kept & (batch.histories >= 0).any(1)
        kept = kept & (kept.cumsum(0) <= _CONTRASTED)
        users, histories = owners[kept], batch.histories[kept]
        if len(users) < 2:
            return self.item_bias.new_zeros(())
        same = users.unsqueeze(0) == users.unsqueeze(1)
        views: Sequence[Any]
        if mode == "id":
            places = places[kept]
            query = self.user_ids.other.expand(len(users), -1)
            read = self.user_fusion(query, table, places)[0]
            views = self.user_views[0](self.user_ids.table(users)), self.user_views[1](read)
            same = same | (places.unsqueeze(0) == places.unsqueeze(1)).all(-1)
        elif mode == "both":
            read = self.history_vectors(histories, items, lookup)
            views = self.user_views[0](self.user_ids.table(users)), self.user_views[1](read)
        else:  # two random halves of the history
            halves = [_drop_half(histories) for _ in range(2)]
            views = [
                head(self.history_vectors(half, items, lookup))
                for head, half in zip(self.user_views, halves, strict=True)
            ]
        log_expected = batch.row_log_q[kept] + math.log(len(users))
        return info_nce(views[0], views[1], same, self.loss.temperature, log_expected)


def same_text(places: Any) -> Any:
    """Return (rows, rows): whether the first field, or all fields, have the same texts."""
    names = places[:, 0]
    named = (names.unsqueeze(0) == names.unsqueeze(1)) & (names >= 0)
    return named | (places.unsqueeze(0) == places.unsqueeze(1)).all(-1)


def _drop_half(histories: Any) -> Any:
    """Return histories without half of their items, drawn; the newest item always stays."""
    dropped = torch.rand(histories.shape, device=histories.device) < 0.5
    dropped[:, 0] = False
    return histories.masked_fill(dropped, -1)


def _log_frequency(counts: Any) -> Any:
    """Return the logarithm of each number's part of all events; 0 events count as 1."""
    return counts.clamp(min=1).log() - counts.sum().clamp(min=1).log()
