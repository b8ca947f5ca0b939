"""Log-probabilities that are no numbers: never queries, always an error that names the generator.

Above 65,504 fp16 knows infinity alone; activations of networks that were trained in fp32 or bf16
reach that. A sum with it is NaN, which sorts above every number.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import ArrayLike

from gpt4rec_es.errors import UsageError


def require_finite(logprobs: ArrayLike) -> None:
    """Raise FloatingPointError if one of ``logprobs`` is NaN or infinite."""
    if not np.isfinite(logprobs).all():
        raise FloatingPointError("A log-probability is no finite number.")


@contextmanager
def overflow_named(generator: str, dtype: str) -> Iterator[None]:
    """Turn a FloatingPointError into the error of ``generator`` (a folder), computed in ``dtype``.

    Raises:
        UsageError: a log-probability is NaN or infinite; it stops a night.
    """
    try:
        yield
    except FloatingPointError as error:
        wider = "bf16 or fp32" if dtype == "fp16" else "fp32"
        raise UsageError(
            f"The generator in {generator} computes log-probabilities in {dtype} that are no "
            "finite numbers.",
            "Use another checkpoint; its weights are too large."
            if dtype == "fp32"
            else f"Set decoding.dtype of the recipe to {wider}.",
        ) from error
