"""Vectors of texts, kept by the hash of the encoder that made them and of each text.

Reading with another encoder, with changed weights, or with weights that learn raises an error:
such vectors would be silently wrong.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from gpt4rec_es.encoders.text_encoder import TextEncoder
from gpt4rec_es.errors import DataError, UsageError

_KEY = 16  # bytes of a text's hash


class StaleCacheError(DataError):
    """The vectors are of other weights than the encoder has now, or of weights that learn."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The cached vectors are stale: {what}.", "Fill the cache with the frozen encoder."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by message, as the base class does."""
        return (DataError, (self.message, self.hint))


class VectorCache:
    """Vectors of texts by one state of one encoder.

    vectors: (texts, width), a row for each of ``keys``, the hashes of texts.
    """

    def __init__(
        self, encoder_hash: str | None = None, keys: Sequence[bytes] = (), vectors: Any = None
    ) -> None:
        self._encoder_hash = encoder_hash
        self._rows = {key: row for row, key in enumerate(keys)}
        self._vectors = vectors

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self._rows)

    def fill(self, encoder: TextEncoder, texts: Sequence[str]) -> int:
        """Encode the texts that have no vector yet, and return their number.

        Vectors of another encoder or of other weights are dropped first.

        Raises:
            StaleCacheError: the encoder learns, so vectors would be stale at its next step.
        """
        _require_frozen(encoder)
        encoder_hash = encoder.content_hash(recompute=True)
        if encoder_hash != self._encoder_hash:
            self._encoder_hash, self._rows = encoder_hash, {}
        missing = [text for text in dict.fromkeys(texts) if _key(text) not in self._rows]
        if missing:
            found = encoder.encode_text(missing).cpu()
            self._vectors = torch.cat([self._vectors, found]) if len(self) else found
            self._rows |= {_key(text): len(self._rows) + n for n, text in enumerate(missing)}
        return len(missing)

    def has(self, text: str) -> bool:
        """Return whether the text has a vector."""
        return _key(text) in self._rows

    def check(self, encoder: TextEncoder, *, recompute: bool = False) -> None:
        """Check that the vectors are those of ``encoder`` as it is now.

        recompute: see ``TextEncoder.content_hash``.

        Raises:
            StaleCacheError: they are not, or the encoder learns.
        """
        _require_frozen(encoder)
        if self._encoder_hash is None:
            raise StaleCacheError("there are none")
        if encoder.content_hash(recompute=recompute) != self._encoder_hash:
            raise StaleCacheError("the encoder has other weights now")

    def read(self, encoder: TextEncoder, texts: Sequence[str]) -> Any:
        """Return (texts, width) on the encoder's device.

        Raises:
            StaleCacheError: see ``check``; or a text has no vector.
        """
        self.check(encoder)
        try:
            rows = [self._rows[_key(text)] for text in texts]
        except KeyError:
            missing = next(text for text in texts if _key(text) not in self._rows)
            raise StaleCacheError(f"there is none of {missing!r}") from None
        if not rows:  # a catalog without metadata has no texts
            return torch.zeros(0, encoder.width, device=encoder.device)
        return self._vectors[torch.tensor(rows, dtype=torch.long)].to(encoder.device)

    def save(self, encoder: TextEncoder, path: Path) -> None:
        """Write the vectors of ``encoder`` as safetensors.

        Raises:
            StaleCacheError: see ``check``.
        """
        self.check(encoder, recompute=True)
        keys = torch.tensor([list(key) for key in self._rows], dtype=torch.uint8)
        vectors = torch.zeros(0, encoder.width) if self._vectors is None else self._vectors
        tensors = {"keys": keys.reshape(-1, _KEY), "vectors": vectors.contiguous()}
        save_file(tensors, path, {"encoder_hash": encoder.content_hash()})


def open_vectors(path: Path) -> VectorCache:
    """Return the vectors that ``save`` wrote; whether they are stale is checked when they are read.

    Raises:
        UsageError: there is no such file, or it holds something else.
    """
    try:
        with safe_open(path, framework="pt") as file:
            encoder_hash = file.metadata()["encoder_hash"]
            keys = file.get_tensor("keys").numpy().tobytes()
            vectors = file.get_tensor("vectors")
    except (OSError, SafetensorError, KeyError, TypeError) as error:
        raise UsageError(
            f"The cached vectors {path} cannot be read: {error}.", "Remove the file."
        ) from error
    split = [keys[at : at + _KEY] for at in range(0, len(keys), _KEY)]
    return VectorCache(encoder_hash, split, vectors)


def _require_frozen(encoder: TextEncoder) -> None:
    if not encoder.is_frozen:
        raise StaleCacheError("the encoder learns")


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=_KEY).digest()
