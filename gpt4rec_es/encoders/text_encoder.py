"""Texts as vectors: a GPT-2 without its output layer, pooled over the tokens of each text.

A text's vector depends on the text and the weights alone, never on the batch it was encoded in.
"""

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from gpt4rec_es.encoders import network as networks
from gpt4rec_es.encoders.batches import plan_batches
from gpt4rec_es.encoders.folder import Checkpoint, open_checkpoint
from gpt4rec_es.errors import UsageError

Pooling = Literal["mean", "last"]
# Token places of one pass through the network: some hundred MB of activations at GPT-2's size.
_TOKEN_BUDGET = 8192
# And where gradients are wanted, which need the activations of all layers: 1.3 GB at GPT-2's size.
_LEARNING_BUDGET = 1024
# Entries of a GPT-2's configuration that change its output with equal weights.
_DECISIVE = (
    "n_head",
    "activation_function",
    "layer_norm_epsilon",
    "scale_attn_weights",
    "scale_attn_by_inverse_layer_idx",
    "reorder_and_upcast_attn",
)


def pool(hidden: Any, mask: Any, pooling: Pooling) -> Any:
    """Return one vector per text from the states of its real tokens.

    hidden: (texts, places, width); mask: (texts, places), true at real tokens, wherever they are.
    """
    real = mask.bool().unsqueeze(-1)
    if pooling == "mean":
        # Not a product with the mask: a padded place may hold NaN, and 0 x NaN is NaN.
        return hidden.masked_fill(~real, 0).sum(1) / real.sum(1)
    places = torch.arange(mask.shape[1], device=mask.device)
    last = places.masked_fill(~mask.bool(), -1).amax(1)
    return hidden[torch.arange(len(hidden), device=hidden.device), last]


class TextEncoder(nn.Module):  # type: ignore[misc]  # torch leaves it untyped
    """A GPT-2 that turns texts into vectors; frozen until ``unfreeze``.

    max_tokens: longer texts are cut. pooling: mean of the states of all tokens, or the last state.
    An empty text is encoded as the end token.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        language_model: Any,
        *,
        max_tokens: int = 128,
        pooling: Pooling = "mean",
    ) -> None:
        super().__init__()
        self.checkpoint = checkpoint
        self.language_model = language_model
        self.max_tokens = min(max_tokens, checkpoint.context)
        self.pooling = pooling
        self.width = int(language_model.config.n_embd)
        # The wrapper of peft around the same modules, see adapters.py. In a tuple, because a
        # registered module would have all weights twice in the state.
        self.adapters: tuple[Any, ...] = ()
        self._hashed: tuple[Any, str] | None = None
        self.freeze()

    @property
    def device(self) -> Any:
        """The device of the weights."""
        return next(self.language_model.parameters()).device

    @property
    def is_frozen(self) -> bool:
        """Whether no weight learns."""
        return not any(weights.requires_grad for weights in self.parameters())

    def freeze(self) -> None:
        """Stop all weights from learning, drop their gradients, and switch dropout off."""
        for weights in self.parameters():
            weights.requires_grad_(False)
            weights.grad = None
        self.eval()

    def unfreeze(self) -> None:
        """Let the adapters learn, and nothing else; without adapters the whole network."""
        self.freeze()
        for name, weights in self.named_parameters():
            weights.requires_grad_(not self.adapters or "lora_" in name)
        self.train()

    def train(self, mode: bool = True) -> "TextEncoder":
        """Switch dropout on, unless the encoder is frozen."""
        super().train(mode and not self.is_frozen)
        return self

    def encode_text(self, texts: Sequence[str]) -> Any:
        """Return (texts, width) without gradients and without dropout."""
        was_training = self.training
        self.eval()
        try:
            with torch.no_grad():
                return self._encode(texts)
        finally:
            self.train(was_training)

    def encode_text_train(self, texts: Sequence[str]) -> Any:
        """Return (texts, width) with gradients to the weights that learn, each text read once.

        Activations are computed again when gradients are, so that memory does not grow with the
        number of texts; until then neither weights nor phase may change.
        """
        return self._encode(texts)

    def content_hash(self, *, recompute: bool = False) -> str:
        """Return a hash of all that decides a vector besides the text.

        It is computed anew if torch counted a change (optimiser steps, load_state_dict), or if the
        XOR of all bits of a weight is another one: torch counts nothing that is written through
        ``.data``. The XOR takes 0.3 ms for a tiny GPT-2 and 40 ms for one of 117M weights on one
        core, so that each read of a cache can afford it; the hash takes 2 and 250 ms. recompute: it
        also finds values of one weight that only changed places.
        """
        weights = list(self.parameters())
        versions = [(one.data_ptr(), one._version) for one in weights]  # noqa: SLF001 - no public name
        sums = [torch.hash_tensor(one.detach()).view(torch.int64) for one in weights]
        state = (versions, torch.stack(sums).tolist())
        if recompute or self._hashed is None or self._hashed[0] != state:
            self._hashed = (state, self._hash())
        return self._hashed[1]

    def forward(self, ids: Any, mask: Any) -> Any:
        """Return (texts, width) of token ids, padded on either side where ``mask`` is 0."""
        # Positions count real tokens, so that padding on the left changes nothing either.
        positions = (mask.long().cumsum(1) - 1).clamp(min=0)
        hidden = self.language_model.transformer(
            input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False
        ).last_hidden_state
        return pool(hidden, mask, self.pooling)

    def _encode(self, texts: Sequence[str]) -> Any:
        distinct = {text: place for place, text in enumerate(dict.fromkeys(texts))}
        tokenizer = self.checkpoint.tokenizer
        tokens = [
            ids[: self.max_tokens] or [tokenizer.end_id]
            for ids in tokenizer.encode_all(list(distinct))
        ]
        if not tokens:
            return torch.zeros(0, self.width, device=self.device)
        learns = torch.is_grad_enabled() and not self.is_frozen
        budget = _LEARNING_BUDGET if learns else _TOKEN_BUDGET
        encode = partial(checkpoint, self, use_reentrant=False) if learns else self
        batches = plan_batches([len(ids) for ids in tokens], 1, budget)
        parts = [encode(*self._pad([tokens[place] for place in batch])) for batch in batches]
        read = torch.tensor([place for batch in batches for place in batch], device=self.device)
        places = torch.tensor([distinct[text] for text in texts], device=self.device)
        return torch.cat(parts)[torch.argsort(read)[places]]

    def _pad(self, tokens: Sequence[list[int]]) -> tuple[Any, Any]:
        ids = torch.full((len(tokens), max(map(len, tokens))), self.checkpoint.tokenizer.end_id)
        mask = torch.zeros_like(ids)
        for row, some in enumerate(tokens):
            ids[row, : len(some)] = torch.tensor(some)
            mask[row, : len(some)] = 1
        return ids.to(self.device), mask.to(self.device)

    def _hash(self) -> str:
        config = self.language_model.config
        settings: dict[str, Any] = {name: getattr(config, name, None) for name in _DECISIVE}
        settings |= {"max_tokens": self.max_tokens, "pooling": self.pooling}
        settings["adapters"] = [
            [adapter.r, adapter.lora_alpha, adapter.use_rslora]
            for wrapper in self.adapters
            for adapter in wrapper.peft_config.values()
        ]
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        digest.update(self.checkpoint.tokenizer.raw.to_str().encode())
        for name, weights in sorted(self.named_parameters()):
            plain = weights.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
            digest.update(f"\0{name}\0{tuple(weights.shape)}{weights.dtype}\0".encode())
            digest.update(plain.numpy().data)
        return digest.hexdigest()


def open_encoder(
    source: Path | str,
    *,
    device: str = "cpu",
    max_tokens: int = 128,
    pooling: Pooling = "mean",
    dropout: float | None = None,
) -> TextEncoder:
    """Return a frozen encoder of the GPT-2 in ``source``, a folder or a hub id.

    dropout: replaces the saved rate for the time in which the weights learn.

    Raises:
        UsageError: no such folder, or no GPT-2 in it; no such device.
        DependencyError: the hub cannot be reached, or has no such model.
    """
    checkpoint = open_checkpoint(networks.fetch(str(source)))
    if checkpoint.model_type != "gpt2":
        raise UsageError(
            f"{source} is a {checkpoint.model_type}; metadata are read by a GPT-2.",
            "Give a folder that holds a GPT-2.",
        )
    network = networks.open_to_train(checkpoint.folder, dropout).to(networks.pick_device(device))
    return TextEncoder(checkpoint, network, max_tokens=max_tokens, pooling=pooling)
