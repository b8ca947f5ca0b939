"""Encoder of a sentence-transformers folder: a network's states, pooled over the tokens of a text.

Opened from safetensors, without code of the folder.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from transformers import AutoModel

from gpt4rec_es.encoders.network import pick_device, require_finite, silence_transformers
from gpt4rec_es.encoders.sentence_folder import SentenceFolder, read_sentence_folder
from gpt4rec_es.encoders.token_vectors import open_plain_tokenizer, unknown_id
from gpt4rec_es.encoders.unit_rows import unit_rows
from gpt4rec_es.errors import UsageError
from gpt4rec_es.protocols import Vectors

# Tokens of one pass through the network: some hundred MB of activations.
_TOKENS_AT_ONCE = 8192
_NUMBER = re.compile(r"\d+")


class SentenceEncoder:
    """Encodes texts by the network in a checked folder. tokens: number of the tokenizer's."""

    def __init__(self, folder: SentenceFolder, network: Any) -> None:
        self._folder, self._network = folder, network
        self._tokenizer = open_plain_tokenizer(folder.network / "tokenizer.json")
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(folder.max_tokens)
        self._tokenizer.encode_special_tokens = True  # a title's "[SEP]" is text
        self._unknown = unknown_id(self._tokenizer)
        self.dims = folder.dims
        self.content_hash = folder.content_hash
        vocabulary = self._tokenizer.get_vocab(with_added_tokens=True)
        self.tokens = max(vocabulary.values(), default=0) + 1

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return (texts, dims), see ``protocols.Encoder``."""
        lowered = [text.lower() for text in texts] if self._folder.lower else list(texts)
        encodings = self._tokenizer.encode_batch(lowered)
        rows = np.zeros((len(texts), self.dims), dtype=np.float32)
        known = {
            place: encoding.ids
            for place, encoding in enumerate(encodings)
            if self._has_known_token(encoding)
        }
        for places in self._batches(known):
            rows[places] = self._pooled([known[place] for place in places])
        return unit_rows(rows, f"the network in {self._folder.network}")

    def _has_known_token(self, encoding: Any) -> bool:
        pairs = zip(encoding.ids, encoding.special_tokens_mask, strict=True)
        return any(not is_special and token != self._unknown for token, is_special in pairs)

    def _batches(self, tokens: dict[int, list[int]]) -> Iterator[list[int]]:
        """Yield places of texts with equally many tokens, so that nothing is padded."""

        def length(place: int) -> int:
            return len(tokens[place])

        for number, group in groupby(sorted(tokens, key=length), key=length):
            places = list(group)
            most = max(1, _TOKENS_AT_ONCE // number)
            yield from (places[at : at + most] for at in range(0, len(places), most))

    def _pooled(self, tokens: list[list[int]]) -> Any:
        ids = torch.tensor(tokens, device=self._network.device)
        with torch.inference_mode():
            states = self._network(
                input_ids=ids, attention_mask=torch.ones_like(ids)
            ).last_hidden_state
        pooled = states[:, 0] if self._folder.pooling == "cls" else states.mean(1)
        return pooled.float().cpu().numpy()


def open_sentence_encoder(folder: Path, device: str = "cpu") -> SentenceEncoder:
    """Return the encoder in ``folder``.

    Raises:
        UsageError: see ``read_sentence_folder``; or its weights do not fit its configuration or
            its tokenizer, or are not finite.
    """
    checked = read_sentence_folder(folder)
    with silence_transformers():
        try:
            network, info = AutoModel.from_pretrained(
                checked.network,
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
            )
        except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UsageError(
                f"The network in {checked.network} cannot be opened: {reason}",
                "Copy it anew, or save it with a current version of sentence-transformers.",
            ) from error
    encoder = SentenceEncoder(checked, network.to(pick_device(device)).eval())
    if misfit := _misfit(network, info, checked.dims, encoder.tokens):
        raise UsageError(f"The weights in {checked.network} do not fit: {misfit}.", "Copy it anew.")
    require_finite(network, checked.network)
    return encoder


def _misfit(network: Any, info: Any, dims: int, tokens: int) -> str | None:
    """Return in what the weights that were read differ from what texts ask for; None: nothing."""
    # A pooler is not used.
    missing = sorted(name for name in info["missing_keys"] if "pooler" not in name)
    if missing:
        return f"{missing[0]} is missing"
    if network.config.hidden_size != dims:
        return f"they are not {dims} wide"
    entries = network.get_input_embeddings().weight.shape[0]
    if tokens > entries:
        return f"the tokenizer has {tokens} tokens, they have {entries}"
    # Weights of a layer beyond the configured ones; heads of other tasks are not used.
    known = {_NUMBER.sub("#", name) for name in network.state_dict()}
    more = sorted(name for name in info["unexpected_keys"] if _NUMBER.sub("#", name) in known)
    return f"the configuration has no place for {more[0]}" if more else None
