"""Encoder of a sentence-transformers folder: a network's states, pooled over the tokens of a text.

Opened from safetensors, without code of the folder.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModel

from gpt4rec_es.encoders.network import pick_device, require_finite, silence_transformers
from gpt4rec_es.encoders.sentence_folder import SentenceFolder, read_sentence_folder
from gpt4rec_es.encoders.token_vectors import open_plain_tokenizer, unknown_id
from gpt4rec_es.encoders.unit_rows import unit_rows
from gpt4rec_es.errors import UsageError
from gpt4rec_es.protocols import Vectors

# Tokens of one pass through the network: some hundred MB of activations.
_TOKENS_AT_ONCE = 8192


class SentenceEncoder:
    """Encodes texts by the network in a checked folder."""

    def __init__(self, folder: SentenceFolder, network: Any) -> None:
        self._folder, self._network = folder, network
        self._tokenizer = open_plain_tokenizer(folder.network / "tokenizer.json")
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(folder.max_tokens)
        self._tokenizer.encode_special_tokens = True  # a title's "[SEP]" is text
        self._unknown = unknown_id(self._tokenizer)
        self.dims = folder.dims
        self.content_hash = folder.content_hash

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
        UsageError: see ``read_sentence_folder``; or its weights do not fit its configuration, or
            are not finite.
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
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UsageError(
                f"The network in {checked.network} cannot be opened: {reason}",
                "Save it again with a current version of sentence-transformers.",
            ) from error
    # A pooler is not used.
    missing = sorted(name for name in info["missing_keys"] if "pooler" not in name)
    if missing or network.config.hidden_size != checked.dims:
        what = f"{missing[0]} is missing" if missing else f"it is not {checked.dims} wide"
        raise UsageError(f"The weights in {checked.network} do not fit: {what}.", "Copy it anew.")
    require_finite(network, checked.network)
    return SentenceEncoder(checked, network.to(pick_device(device)).eval())
