"""Writing a trained network as a checkpoint folder, with tokenizer, card and decoding defaults.

The folder appears whole or not at all. What is in it when it is opened again is folder.py's matter.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from transformers import GenerationConfig

from gpt4rec_es.generation import network as networks
from gpt4rec_es.generation.card import CARD, card_text
from gpt4rec_es.generation.folder import PROMPT_FORM, open_checkpoint
from gpt4rec_es.generation.tokenizer import PromptTokenizer, save_tokenizer
from gpt4rec_es.records import PromptForm


def save_checkpoint(
    network: Any,
    tokenizer: PromptTokenizer,
    output: Path,
    card: dict[str, Any],
    form: PromptForm,
) -> str:
    """Write the folder beside its place, check it, and move it there; return its hash."""
    draft = output.with_name(f".{output.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    end_id = tokenizer.end_id
    network.config.eos_token_id = network.config.bos_token_id = end_id
    network.config.pad_token_id = end_id
    # An entry of the checkpoint that training began with goes first.
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
    with networks.quiet():
        network.save_pretrained(draft)
    save_tokenizer(tokenizer, draft, int(network.config.n_positions))
    (draft / "README.md").write_text(card_text(output.name, card), encoding="utf-8")
    (draft / CARD).write_text(json.dumps(card, indent=1), encoding="utf-8")
    content_hash = open_checkpoint(draft).content_hash
    for path in draft.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    draft.rename(output)
    return content_hash
