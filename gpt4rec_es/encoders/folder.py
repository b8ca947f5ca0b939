"""A checkpoint folder in the Hugging Face layout: its content, consistency and hash.

Reads files only; imports neither torch nor transformers, so that planning a night and listing
generators stay cheap.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpt4rec_es.encoders.architectures import ARCHITECTURES, HISTORY, unsupported
from gpt4rec_es.encoders.reader_shape import ReaderShape, reader_shape
from gpt4rec_es.encoders.tokenizer import PromptTokenizer, open_tokenizer, tokenizer_files
from gpt4rec_es.encoders.weights import check_weights, weight_files
from gpt4rec_es.errors import UsageError
from gpt4rec_es.records import PromptForm

# Entries about the origin of a checkpoint; they do not change its output.
_IRRELEVANT = {"_name_or_path", "transformers_version"}
# Entry of config.json with the form of prompts, if it is not the default. It is there because the
# content hash covers config.json: another form makes another generator.
PROMPT_FORM = "gpt4rec_prompt"


@dataclass(frozen=True)
class Checkpoint:
    """A checked checkpoint folder.

    model_type: as transformers names it. context: maximum tokens of prompt and query together.
    prompt_form: the form it was trained with. vocabulary: number of tokens that the
    network knows. reader: of histories as vectors; None: it reads prompts as words.
    """

    folder: Path
    model_type: str
    tokenizer: PromptTokenizer
    context: int
    content_hash: str
    prompt_form: PromptForm
    vocabulary: int
    reader: ReaderShape | None = None


def open_checkpoint(folder: Path) -> Checkpoint:
    """Return the checkpoint in ``folder`` after checking that its parts fit each other.

    Raises:
        UsageError: no such folder, no language model of a known architecture, no safetensors
            weights, weights that are not finite, no tokenizer, or one with more entries than the
            model has embeddings.
    """
    config = read_config(folder)
    architecture = ARCHITECTURES[config["model_type"]]
    weights = weight_files(folder)
    tokenizer = open_tokenizer(folder, config.get("eos_token_id"))
    rows = check_weights(folder, weights, architecture.embeddings)
    known = min(rows, int(config.get("vocab_size", rows)))
    if tokenizer.size > known:
        raise UsageError(
            f"The tokenizer in {folder} does not fit the model: it has {tokenizer.size} entries, "
            f"the model knows {known}.",
            "Put the tokenizer the model was trained with into the folder.",
        )
    return Checkpoint(
        folder,
        config["model_type"],
        tokenizer,
        int(config[architecture.context]),
        _hash(folder, config, weights),
        _prompt_form(folder, config),
        known,
        reader_shape(folder, config) if config["model_type"] == HISTORY else None,
    )


def read_config(folder: Path) -> dict[str, Any]:
    """Return the configuration of the language model in ``folder``.

    Raises:
        UsageError: the folder holds no causal decoder of a known architecture.
    """
    hint = (
        "Give a folder that holds a causal language model saved with save_pretrained: "
        f"{', '.join(ARCHITECTURES)}."
    )
    if not folder.is_dir():
        raise UsageError(f"There is no checkpoint folder {folder}.", hint)
    try:
        read = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{folder} is no checkpoint: no readable config.json.", hint) from error
    config: dict[str, Any] = read if isinstance(read, dict) else {}
    found = str(config.get("model_type", "unknown"))
    if reason := unsupported(config):
        raise UsageError(f"{folder} cannot be a generator ({found}): {reason}.", hint)
    if found not in ARCHITECTURES:
        raise UsageError(f"{folder} is no known decoder (its model type is {found}).", hint)
    architecture = ARCHITECTURES[found]
    heads = config.get("architectures") or [architecture.head]
    if not isinstance(heads, list) or not isinstance(config.get("vocab_size", 0), int):
        raise UsageError(f"{folder} is no checkpoint: config.json has wrong values.", hint)
    if architecture.head not in heads:
        raise UsageError(f"{folder} is a {found}, but no language model ({heads[0]}).", hint)
    if not isinstance(config.get(architecture.context), int):
        raise UsageError(
            f"{folder} is no checkpoint: config.json lacks {architecture.context}.", hint
        )
    return config


def _prompt_form(folder: Path, config: dict[str, Any]) -> PromptForm:
    """Return the form of prompts in the configuration; without an entry the default."""
    try:
        return PromptForm(**config.get(PROMPT_FORM, {}))
    except TypeError as error:
        raise UsageError(
            f"{folder} is no checkpoint of this program: {PROMPT_FORM} in config.json is wrong.",
            "Copy config.json anew.",
        ) from error


def _hash(folder: Path, config: dict[str, Any], weights: list[Path]) -> str:
    """Return the SHA-256 of all that decides the output: configuration, tokenizer, weights.

    Excluded are the folder's name, the model card, training state and generation_config.json (every
    decoding setting is passed explicitly).
    """
    digest = hashlib.sha256()
    relevant = {key: value for key, value in config.items() if key not in _IRRELEVANT}
    digest.update(json.dumps(relevant, sort_keys=True).encode())
    for path in [*tokenizer_files(folder), *weights]:
        digest.update(f"\0{path.name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while block := file.read(1 << 22):
                digest.update(block)
    return digest.hexdigest()
