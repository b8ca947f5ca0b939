"""Vectors of length 1, so that their dot product is the cosine."""

from typing import Any

import numpy as np

from gpt4rec_es.protocols import Vectors


def unit_rows(rows: Any) -> Vectors:
    """Return (rows, dims) of length 1 each in float32; rows of zeros stay as they are."""
    exact = np.asarray(rows, dtype=np.float64)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    unit: Vectors = np.divide(exact, lengths, out=np.zeros_like(exact), where=lengths > 0).astype(
        np.float32
    )
    return unit
