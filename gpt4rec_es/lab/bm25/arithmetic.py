"""Lucene's single-precision score of a term, for many (k1, b) at once.

Scores must equal Elasticsearch's bit for bit, because ties decide which items are in a list. So
every step here rounds where Lucene 9 rounds (BM25Similarity, and the factor k1 + 1 that
Elasticsearch keeps through LegacyBM25Similarity); nothing may be simplified algebraically.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.records import Bm25

Floats = NDArray[np.float32]

# Maximum length that the one byte of a norm stores exactly.
_FREE = 24


def _decoded_lengths() -> NDArray[np.int64]:
    """Return the length for each value of a norm byte (SmallFloat.byte4ToInt)."""
    rest = np.arange(256 - _FREE, dtype=np.int64)
    mantissa, shift = rest & 7, rest >> 3
    decoded = np.where(shift == 0, mantissa, (mantissa | 8) << np.maximum(shift - 1, 0))
    return np.concatenate([np.arange(_FREE, dtype=np.int64), _FREE + decoded])


_LENGTHS = _decoded_lengths()


def rounded_lengths(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return field lengths as stored in norms: the largest of 256 values that is not greater."""
    return _LENGTHS[np.searchsorted(_LENGTHS, lengths, side="right") - 1]


def inverse_frequencies(frequencies: NDArray[np.int64], n_documents: int) -> Floats:
    """Return the idf of terms that occur in ``frequencies`` of ``n_documents`` titles."""
    ratio = (n_documents - frequencies + 0.5) / (frequencies + 0.5)
    result: Floats = np.log(1 + ratio).astype(np.float32)
    return result


def denominators(
    points: Sequence[Bm25],
    frequencies: NDArray[np.int64],
    lengths: NDArray[np.int64],
    mean_length: np.float32,
) -> Floats:
    """Return 1 + tf / norm as [kinds, points]; a kind is a pair of term frequency and length."""
    k1, b = _columns(points)
    one = np.float32(1)
    norms = k1 * ((one - b) + b * lengths.astype(np.float32)[:, None] / mean_length)
    with np.errstate(divide="ignore"):  # k1 = 0: the term frequency has no effect
        inverse = one / norms
    result: Floats = one + frequencies.astype(np.float32)[:, None] * inverse
    return result


def term_weights(points: Sequence[Bm25], boosts: NDArray[Any], idf: Floats) -> Floats:
    """Return the maximum score of terms as [terms, points].

    boosts: frequency of each term in its query, of which Lucene makes one clause with a boost,
    times the weight of the field.
    """
    k1, _ = _columns(points)
    weights: Floats = (boosts.astype(np.float32)[:, None] * (np.float32(1) + k1)) * idf[:, None]
    return weights


def term_scores(weights: Floats, denominators: Floats) -> Floats:
    """Return the score that a term adds to titles that contain it."""
    scores: Floats = weights - weights / denominators
    return scores


def relative_error(points: Sequence[Bm25], longest: int, mean_length: float) -> float:
    """Return a bound on the relative error of a score, from rounding alone.

    A score is a difference of two numbers, which loses digits if the norm is large.
    """
    norms = (point.k1 * (1 - point.b + point.b * longest / mean_length) for point in points)
    return min(1.0, 16 * float(np.finfo(np.float32).eps) * (2 + max(norms)))


def _columns(points: Sequence[Bm25]) -> tuple[Floats, Floats]:
    """Return all k1 and all b, each as [points]."""
    k1 = np.array([point.k1 for point in points], np.float32)
    return k1, np.array([point.b for point in points], np.float32)
