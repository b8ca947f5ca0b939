"""Keys of stored results, and the normal form of query texts.

Equal texts must have equal keys everywhere, so only this module hashes or normalises texts. A
change here invalidates all stored keys.
"""

import hashlib
import json
import re
import unicodedata
from typing import Any

# A zero-width space separates words; joiners and direction marks are invisible and separate
# nothing; lone surrogates cannot be stored as UTF-8.
_SEPARATING = re.compile("[\x00-\x1f\x7f-\x9f\u200b]")
_INVISIBLE = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\ud800-\udfff]")


def hash128(text: str) -> bytes:
    """Return the 128-bit BLAKE2b hash of ``text`` in UTF-8, 16 bytes."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def canonical_json(value: Any) -> str:
    """Return ``value`` as JSON with sorted keys and no spaces; equal numbers have equal text.

    Raises:
        ValueError: a number is not finite.
    """
    return json.dumps(
        _plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def normalise_query(text: str) -> str:
    """Return ``text`` in NFC without control characters, words separated by single spaces."""
    cleaned = _INVISIBLE.sub("", _SEPARATING.sub(" ", text))
    return " ".join(unicodedata.normalize("NFC", cleaned).split())


def _plain(value: Any) -> Any:
    """Return ``value`` with whole floats as integers: 1 and 1.0 are the same setting."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
