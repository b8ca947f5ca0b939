"""The safetensors files of a checkpoint, read without torch where numpy knows their type."""

import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from gpt4rec_es.errors import UsageError


def weight_files(folder: Path) -> list[Path]:
    """Return the safetensors files of the weights, by name; other formats can execute code.

    Raises:
        UsageError: there is none.
    """
    files = sorted(folder.glob("model*.safetensors"))
    if files:
        return files
    others = [*folder.glob("*.bin"), *folder.glob("*.pt"), *folder.glob("*.ckpt")]
    found = f"only {others[0].name}, which could run code when opened" if others else "no weights"
    raise UsageError(
        f"{folder} holds no safetensors weights ({found}).",
        "Save the model again with save_pretrained of a current transformers.",
    )


def count_parameters(folder: Path) -> int:
    """Return the number of weights in ``folder``; shared ones count once.

    Raises:
        UsageError: there is no file of weights, or it cannot be read.
    """
    count = 0
    for path in weight_files(folder):
        try:
            with safe_open(path, framework="np") as tensors:
                shapes = [tensors.get_slice(name).get_shape() for name in tensors.keys()]  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise _unreadable(path, error) from error
        count += sum(map(math.prod, shapes))
    return count


def check_weights(folder: Path, files: list[Path], embeddings: Collection[str]) -> int:
    """Return the number of token embeddings, after checking that every weight is a finite number.

    embeddings: names that the token embeddings may have.

    Raises:
        UsageError: a file cannot be read, there are no token embeddings, or a weight is NaN or
            infinite, as after a training that diverged.
    """
    rows = None
    for path in files:
        try:
            with safe_open(path, framework="np") as tensors:
                for name in tensors.keys():  # noqa: SIM118 - not a mapping
                    part = tensors.get_slice(name)
                    if name in embeddings:
                        rows = int(part.get_shape()[0])
                    _require_finite(path, name, part.get_dtype(), tensors)
        except (SafetensorError, OSError) as error:
            raise _unreadable(path, error) from error
    if rows is None:
        raise UsageError(
            f"The weights in {folder} do not fit its config.json: no token embeddings "
            f"({' or '.join(embeddings)}).",
            "Save the model again with save_pretrained.",
        )
    return rows


def _unreadable(path: Path, error: Exception) -> UsageError:
    return UsageError(f"The weights {path} cannot be read: {error}.", "Copy the file anew.")


def _require_finite(path: Path, name: str, dtype: str, tensors: Any) -> None:
    if dtype in {"F16", "F32", "F64"}:
        is_finite = bool(np.isfinite(tensors.get_tensor(name)).all())
    elif dtype == "BF16":  # unknown to numpy
        import torch  # noqa: PLC0415 - slow to import

        with safe_open(path, framework="pt") as others:
            is_finite = bool(torch.isfinite(others.get_tensor(name)).all())
    else:
        return
    if not is_finite:
        raise UsageError(
            f"The weights {path} are not all finite: {name} has NaN or infinite values.",
            "The training diverged, or the file is damaged: use an earlier checkpoint, or train "
            "again with a lower learning rate.",
        )
