"""The GPT-2 of a re-ranker with its adapters merged, as a folder of its own.

Programs without peft can open it, and `gpt4rec train generator --start` can go on from it.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gpt4rec_es.encoders.adapters import merge_adapters
from gpt4rec_es.encoders.folder import open_checkpoint
from gpt4rec_es.encoders.network import silence_transformers
from gpt4rec_es.encoders.text_encoder import TextEncoder
from gpt4rec_es.encoders.tokenizer import save_tokenizer
from gpt4rec_es.errors import DataError, UsageError
from gpt4rec_es.reranking.checkpoint import open_own_encoder, read_document

# Logits of 32-bit networks differ by rounding alone: far less than this part of the largest.
_TOLERANCE = 1e-3
_SEQUENCES, _TOKENS = 8, 16  # that logits are compared on


@dataclass(frozen=True, slots=True)
class MergedGpt2:
    """A written GPT-2. difference: largest difference of a logit before and after."""

    folder: str
    content_hash: str | None
    difference: float
    dry_run: bool


def merge_reranker(
    folder: Path, output: Path, *, gpt2: str | None = None, dry_run: bool = False
) -> MergedGpt2:
    """Merge the adapters of the re-ranker in ``folder`` into a GPT-2 and write it to ``output``.

    gpt2: folder or hub id of the GPT-2 that it was trained with; None: the one that its card names.
    dry_run: merge and compare, but write nothing.

    Raises:
        UsageError: there is no re-ranker or none with adapters; ``output`` exists.
        DataError: the logits of both differ.
    """
    document = read_document(folder)
    source = gpt2 or (document["card"] or {}).get("gpt2", {}).get("path")
    if source is None:
        raise UsageError(
            f"The card of the re-ranker in {folder} names no GPT-2.", "Give its folder: --gpt2."
        )
    if output.exists():
        raise UsageError(f"{output} exists already.", "Choose another folder or remove it.")
    encoder = open_own_encoder(folder, document, source, "cpu")
    if not encoder.adapters:
        raise UsageError(
            f"The re-ranker in {folder} has no adapters: its GPT-2 never learned.",
            "Presets hybrid and end-to-end train adapters.",
        )
    before = _logits(encoder)
    merge_adapters(encoder)
    difference = float((_logits(encoder) - before).abs().max())
    if difference > _TOLERANCE * max(1.0, float(before.abs().max())):
        raise DataError(
            f"The merged GPT-2 computes other logits: they differ by up to {difference:.3g}.",
            "Use the re-ranker as it is.",
        )
    content_hash = None if dry_run else _write(encoder, output)
    return MergedGpt2(str(output), content_hash, difference, dry_run)


def _logits(encoder: TextEncoder) -> Any:
    """Return logits of drawn tokens."""
    draw = torch.Generator().manual_seed(0)
    length = min(_TOKENS, encoder.checkpoint.context)
    size = encoder.checkpoint.tokenizer.size
    tokens = torch.randint(0, size, (_SEQUENCES, length), generator=draw)
    with torch.no_grad():
        return encoder.language_model(input_ids=tokens).logits


def _write(encoder: TextEncoder, output: Path) -> str:
    """Write the folder complete or not at all, and return its content hash."""
    draft = output.with_name(f".{output.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    with silence_transformers():
        encoder.language_model.save_pretrained(draft)
    save_tokenizer(encoder.checkpoint.tokenizer, draft, encoder.checkpoint.context)
    content_hash = open_checkpoint(draft).content_hash
    for path in draft.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    draft.rename(output)
    return content_hash
