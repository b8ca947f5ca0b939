"""Encoder without a network: the mean of one static vector per token of a text.

Its files are a table of token vectors in safetensors and the tokenizer whose ids are its rows, as
model2vec and WordLlama write them. It reads numpy only, never torch.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer

from gpt4rec_es.encoders.unit_rows import unit_rows
from gpt4rec_es.errors import UsageError
from gpt4rec_es.protocols import Vectors

# Part of the content hash: a change of how vectors are computed needs another number.
_FORMAT = "token vectors 1"
# Tokens whose vectors are added up at once: some hundred MB at most.
_TOKENS_AT_ONCE = 100_000


class TokenVectors:
    """Encodes a text as the mean of its tokens' vectors; unknown tokens are left out."""

    def __init__(self, table: Vectors, tokenizer: Tokenizer, content_hash: str) -> None:
        """Set ``table`` (tokens, dims), finite, and its tokenizer."""
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = True  # a title's "<s>" is text
        self._table, self._tokenizer = table, tokenizer
        self._unknown = unknown_id(tokenizer)
        self.dims = int(table.shape[1])
        self.content_hash = content_hash

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return (texts, dims), see ``protocols.Encoder``."""
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        tokens = [[one for one in encoding.ids if one != self._unknown] for encoding in encodings]
        sums = np.zeros((len(texts), self.dims), dtype=np.float64)
        places = [place for place, ids in enumerate(tokens) if ids]
        while places:
            taken = count = 0
            while taken < len(places) and (not taken or count < _TOKENS_AT_ONCE):
                count += len(tokens[places[taken]])
                taken += 1
            some, places = places[:taken], places[taken:]
            ids = np.concatenate([tokens[place] for place in some])
            starts = np.cumsum([0, *(len(tokens[place]) for place in some[:-1])])
            # The mean has the direction of the sum.
            sums[some] = np.add.reduceat(self._table[ids], starts, axis=0, dtype=np.float64)
        return unit_rows(sums, "token vectors")


def open_token_vectors(source: Path) -> TokenVectors:
    """Return the encoder in ``source``: a folder, or the safetensors file in it.

    Raises:
        UsageError: there is no such file, no tokenizer.json beside it, or other tensors than one
            table of finite vectors with a row for each token.
    """
    weights = _weights(source)
    path = weights.parent / "tokenizer.json"
    table = _table(weights)
    tokenizer = open_plain_tokenizer(path)
    entries = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=0) + 1
    if entries > len(table):
        raise UsageError(
            f"The tokenizer {path} has {entries} tokens, {weights.name} only {len(table)} vectors.",
            "Put the tokenizer beside it that the vectors were made for.",
        )
    digest = hashlib.sha256(f"{_FORMAT} {table.shape}\0".encode())
    digest.update(np.ascontiguousarray(table).data)
    digest.update(path.read_bytes())
    return TokenVectors(table, tokenizer, digest.hexdigest())


def open_plain_tokenizer(path: Path) -> Tokenizer:
    """Return the tokenizer in the file ``path``.

    Raises:
        UsageError: there is none, or it cannot be read.
    """
    if not path.is_file():
        raise UsageError(f"There is no {path}.", "Put the tokenizer of the vectors there.")
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises Exception itself
        raise UsageError(
            f"The tokenizer {path} cannot be read: {str(error).splitlines()[0]}.",
            "Copy it anew.",
        ) from error


def unknown_id(tokenizer: Tokenizer) -> int | None:
    """Return the id that stands for unknown tokens; None: it has none."""
    model: dict[str, Any] = json.loads(tokenizer.to_str())["model"]
    if isinstance(number := model.get("unk_id"), int):
        return number
    name = model.get("unk_token")
    return None if name is None else tokenizer.token_to_id(name)


def _weights(source: Path) -> Path:
    files = [source] if source.is_file() else sorted(source.glob("*.safetensors"))
    if len(files) != 1 or files[0].suffix != ".safetensors":
        found = ", ".join(file.name for file in files) or "none"
        raise UsageError(
            f"One file of token vectors is needed in {source}, found: {found}.",
            "Give a safetensors file, with tokenizer.json beside it.",
        )
    return files[0]


def _table(path: Path) -> Vectors:
    try:
        with safe_open(path, framework="np") as tensors:
            names = list(tensors.keys())
            if len(names) != 1 or len(tensors.get_slice(names[0]).get_shape()) != 2:
                raise UsageError(
                    f"{path} holds other tensors than one table: {', '.join(names) or 'none'}.",
                    "Token vectors are one tensor of (tokens, dims).",
                )
            with np.errstate(over="ignore"):  # infinite values are refused below
                table: Vectors = tensors.get_tensor(names[0]).astype(np.float32)
    except TypeError as error:
        raise UsageError(
            f"The token vectors {path} have a type of numbers that cannot be read: {error}.",
            "Save them as float32 or float16.",
        ) from error
    except (OSError, SafetensorError, ValueError) as error:
        raise UsageError(
            f"The token vectors {path} cannot be read: {error}.", "Copy the file anew."
        ) from error
    if not table.any():
        raise UsageError(f"The vectors in {path} are empty, or all zero.", "Copy the file anew.")
    if not np.isfinite(table).all():
        raise UsageError(
            f"The vectors in {path} are not all finite in single precision.", "Copy the file anew."
        )
    return table
