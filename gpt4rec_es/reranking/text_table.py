"""Vectors of metadata texts in two phases: read from a table, or by an encoder that learns.

One function switches all that a phase consists of. Where only some of it is switched, an encoder
gets no gradient, or learns while outdated vectors are read.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn
from torch.nn import functional

from gpt4rec_es.encoders.text_encoder import TextEncoder
from gpt4rec_es.encoders.vectors import StaleCacheError, VectorCache
from gpt4rec_es.errors import UsageError

Phase = Literal["cached", "dynamic"]
ENCODER_GROUP = "encoder"  # name of the optimiser's parameter group


class TextTable(nn.Module):  # type: ignore[misc]  # torch leaves it untyped
    """The texts of a data set, their encoder, and in phase "cached" their vectors."""

    def __init__(self, encoder: TextEncoder, texts: Sequence[str], cache: VectorCache) -> None:
        super().__init__()
        self.encoder, self.texts, self.cache = encoder, tuple(texts), cache
        self.phase: Phase = "dynamic"
        self._hash = ""
        # Moves with the module. It is saved by the cache, together with its encoder's hash.
        self.register_buffer("vectors", None, persistent=False)

    def enter(self, phase: Phase) -> None:
        """Freeze the encoder and read all vectors, or let it learn and drop them."""
        if phase == "cached":
            self.encoder.freeze()
            self.cache.fill(self.encoder, self.texts)
            self.vectors = self.cache.read(self.encoder, self.texts)
            self._hash = self.encoder.content_hash()
        else:
            self.vectors = None
            self.encoder.unfreeze()
        self.phase = phase

    def read(self, places: Any) -> Any:
        """Return (places, width); distinct texts are encoded once.

        Raises:
            StaleCacheError: the phase is "cached" and the encoder has changed or learns.
        """
        if self.phase == "cached":
            self.check()
            return self.vectors[places]
        return self.encoder.encode_text_train([self.texts[n] for n in places.tolist()])

    def read_for(self, places: Any) -> "PartOfTexts":
        """Return the vectors of all texts in ``places`` (MISSING allowed), each encoded once."""
        distinct = places[places >= 0].unique()
        rows = torch.zeros(len(self.texts), dtype=torch.long, device=places.device)
        rows[distinct] = torch.arange(len(distinct), device=places.device)
        return PartOfTexts(self.read(distinct), rows)

    def whole(self) -> Any:
        """Return the vectors of all texts as they are now, without gradients.

        Raises:
            StaleCacheError: as in ``read``.
        """
        if self.phase == "cached":
            self.check()
            return self.vectors
        return self.encoder.encode_text(self.texts)

    def check(self) -> None:
        """Check that the vectors are those of the encoder as it is now.

        Raises:
            StaleCacheError: they are not, or the encoder learns.
        """
        if not self.encoder.is_frozen:
            raise StaleCacheError("the encoder learns")
        if self.encoder.content_hash() != self._hash:
            raise StaleCacheError("the encoder has other weights now")


def regroup(optimizer: Any, encoder: TextEncoder, encoder_lr: float) -> None:
    """Give ``optimizer`` the weights of the encoder that learn, and drop the state of the others.

    The other groups keep their state. An encoder that starts to learn starts without momentum.
    """
    for weights in encoder.parameters():
        if not weights.requires_grad:
            optimizer.state.pop(weights, None)
    optimizer.param_groups[:] = [
        group for group in optimizer.param_groups if group.get("name") != ENCODER_GROUP
    ]
    learning = [weights for weights in encoder.parameters() if weights.requires_grad]
    mixed = {id(weights) for group in optimizer.param_groups for weights in group["params"]}
    if any(id(weights) in mixed for weights in encoder.parameters()):
        raise UsageError(
            "The optimiser has weights of the encoder among the others.",
            "Make it from model.parameter_groups().",
        )
    if learning:
        optimizer.add_param_group({"params": learning, "lr": encoder_lr, "name": ENCODER_GROUP})


@dataclass(frozen=True, eq=False)
class PartOfTexts:
    """Vectors of some texts: that of text n is vectors[rows[n]]."""

    vectors: Any
    rows: Any

    def __getitem__(self, places: Any) -> Any:
        """Return (places, width) of numbers of texts."""
        return self.vectors[self.rows[places]]


def take(table: Any, places: Any, read: Callable[[Any], Any]) -> Any:
    """Return (entities, fields, dim): what ``read`` makes of the texts at ``places``; 0 if MISSING.

    table: PartOfTexts, or a tensor of all texts' vectors. read: (texts, width) to (texts, dim); it
    reads each distinct text once, because entities share most of theirs.
    """
    present = places >= 0
    distinct, rows_of = places[present].unique(return_inverse=True)
    found = functional.pad(read(table[distinct]), (0, 0, 0, 1))  # the last row is 0
    rows = torch.full_like(places, len(distinct))
    rows[present] = rows_of
    return functional.embedding(rows, found)
