"""Write a trained network as a checkpoint folder, with tokenizer, card and decoding defaults.

The folder is created complete or not at all. folder.py reads it.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from transformers import GenerationConfig

from gpt4rec_es.encoders import network as networks
from gpt4rec_es.encoders.folder import PROMPT_FORM, open_checkpoint
from gpt4rec_es.encoders.tokenizer import PromptTokenizer, save_tokenizer
from gpt4rec_es.generation.card import CARD, card_text
from gpt4rec_es.generation.options import TrainingOptions
from gpt4rec_es.lab.training.dataset import TrainingData
from gpt4rec_es.lab.training.work_folder import require_own, resumed_folder
from gpt4rec_es.records import PromptForm


def save_checkpoint(
    network: Any,
    tokenizer: PromptTokenizer,
    output: Path,
    card: dict[str, Any],
    form: PromptForm,
) -> str:
    """Write a language model's folder ``output``, complete or not at all; return its hash."""

    def write(folder: Path) -> None:
        with networks.silence_transformers():
            network.save_pretrained(folder)

    return save_folder(output, write, tokenizer, network, card, form)


def save_folder(
    output: Path,
    write: Callable[[Path], None],
    tokenizer: PromptTokenizer,
    network: Any,
    card: dict[str, Any],
    form: PromptForm,
) -> str:
    """Write the folder beside ``output``, check it, and rename it; return its hash.

    write: writes configuration and weights into a folder. network: the language model in it, whose
    configuration is completed before.
    """
    draft = output.with_name(f".{output.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    end_id = tokenizer.end_id
    network.config.eos_token_id = network.config.bos_token_id = end_id
    network.config.pad_token_id = end_id
    # Remove the entry of the start checkpoint first.
    vars(network.config).pop(PROMPT_FORM, None)
    if form != PromptForm():
        setattr(network.config, PROMPT_FORM, form.as_dict())
    network.generation_config = GenerationConfig(
        do_sample=False,
        num_beams=20,
        num_return_sequences=20,
        max_new_tokens=48,
        length_penalty=1.0,
        early_stopping=False,
        eos_token_id=end_id,
        bos_token_id=end_id,
        pad_token_id=end_id,
    )
    write(draft)
    save_tokenizer(tokenizer, draft, int(network.config.max_position_embeddings))
    (draft / "README.md").write_text(card_text(output.name, card), encoding="utf-8")
    (draft / CARD).write_text(json.dumps(card, indent=1), encoding="utf-8")
    content_hash = open_checkpoint(draft).content_hash
    for path in draft.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    draft.rename(output)
    return content_hash


def work_folder(
    output: Path, data: TrainingData, options: TrainingOptions
) -> AbstractContextManager[Path]:
    """Open the work folder of an earlier, killed call, or a new one; see ``resumed_folder``."""
    return resumed_folder(output, _fingerprint(data, options))


def require_resumable(output: Path, data: TrainingData, options: TrainingOptions) -> None:
    """Check that no other training is unfinished in the work folder of ``output``.

    Raises:
        UsageError: there is one.
    """
    require_own(output, _fingerprint(data, options))


def _fingerprint(data: TrainingData, options: TrainingOptions) -> str:
    """Return a hash of everything that decides the weights, except the time limit."""
    fixed = replace(options, max_minutes=None, threads=0, snapshots=0).as_dict()
    # Defaults of newer options are left out, so that older unfinished trainings can be resumed.
    newer = {"prompt_titles": None, "newest_first": None, "history": "words", "lora": None}
    for name, usual in (newer | {"prune_vocab": False}).items():
        if fixed[name] == usual:
            del fixed[name]
    if options.history == "vectors":
        # 2: its reader learns whole histories, and has divided scores. 3: a deeper one of long
        # histories, of fewer windows a step, and the mean of its weights.
        fixed["format"] = 3
    digest = hashlib.sha256(json.dumps(fixed, sort_keys=True).encode())
    for texts in (data.catalog_titles, data.histories.titles):
        digest.update("\n".join(texts).encode())
    for array in (data.histories.flat, data.histories.offsets):
        digest.update(array.tobytes())
    return digest.hexdigest()
