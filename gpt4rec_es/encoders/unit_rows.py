"""Vectors of length 1, so that their dot product is the cosine."""

from typing import Any

import numpy as np

from gpt4rec_es.errors import DataError
from gpt4rec_es.protocols import Vectors


def unit_rows(rows: Any, source: str) -> Vectors:
    """Return (rows, dims) of length 1 each in float32; rows of zeros stay as they are.

    source: what made them.

    Raises:
        DataError: a value is not finite; such a row would stand for a text without a known word.
    """
    exact = np.asarray(rows, dtype=np.float64)
    if not np.isfinite(exact).all():
        raise DataError(
            f"Vectors by {source} are not finite.",
            "Register another encoder (`gpt4rec encoders add`) and run "
            "`gpt4rec reindex --encoder NAME`.",
        )
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    unit: Vectors = np.divide(exact, lengths, out=np.zeros_like(exact), where=lengths > 0).astype(
        np.float32
    )
    return unit
