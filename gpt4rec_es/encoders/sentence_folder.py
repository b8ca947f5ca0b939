"""A folder in the layout of sentence-transformers: what it asks for, checked before it is opened.

Whatever this program does not do is refused, because vectors made otherwise than its network was
trained for are silently worse. Reads files only: imports neither torch nor transformers.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gpt4rec_es.encoders.weights import weight_files
from gpt4rec_es.errors import UsageError

Pooling = Literal["mean", "cls"]
# Part of the content hash: a change of how vectors are computed needs another number.
_FORMAT = "sentence folder 1"
_IRRELEVANT = {"_name_or_path", "transformers_version", "torch_dtype", "dtype"}
_MODULES = (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"])
_HINT = "Give a folder that sentence-transformers saved, of a network that needs no more."


@dataclass(frozen=True, slots=True)
class SentenceFolder:
    """What a checked folder asks for.

    network: folder of the transformers checkpoint. max_tokens: longer texts are cut, special tokens
    included. lower: texts are lower-cased first.
    """

    network: Path
    pooling: Pooling
    max_tokens: int
    lower: bool
    dims: int
    content_hash: str


def read_sentence_folder(folder: Path) -> SentenceFolder:
    """Return what the folder asks for.

    Raises:
        UsageError: it is no such folder, or asks for something that this program does not do:
            other modules, poolings or similarities, prompts, code of its own, pickled weights.
    """
    paths = _modules(folder)
    network = _inside(folder, paths["Transformer"])
    config = _json(network / "config.json")
    _require_known_network(network, config)
    dims, pooling = _pooling(_json(_inside(folder, paths["Pooling"]) / "config.json"), folder)
    _require_no_prompts(folder, is_normalised="Normalize" in paths)
    max_tokens, lower = _lengths(network, config)
    settings = [_FORMAT, pooling, max_tokens, lower, dims]
    relevant = {name: value for name, value in config.items() if name not in _IRRELEVANT}
    digest = hashlib.sha256(json.dumps([*settings, relevant], sort_keys=True).encode())
    for path in [network / "tokenizer.json", *weight_files(network)]:
        if not path.is_file():
            raise UsageError(f"There is no {path}.", "Save the tokenizer with a current version.")
        digest.update(f"\0{path.name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while block := file.read(1 << 22):
                digest.update(block)
    return SentenceFolder(network, pooling, max_tokens, lower, dims, digest.hexdigest())


def _modules(folder: Path) -> dict[str, str]:
    """Return kind -> path of the modules of the folder."""
    entries = _json(folder / "modules.json")
    try:
        types = [str(entry["type"]) for entry in entries]
        kinds = [name.rpartition(".")[2] for name in types]
        paths = [str(entry["path"]) for entry in entries]
    except (TypeError, KeyError):
        raise UsageError(f"{folder / 'modules.json'} is no list of modules.", _HINT) from None
    foreign = [name for name in types if not name.startswith("sentence_transformers.")]
    if foreign:
        raise UsageError(f"{folder} needs code of its own: {foreign[0]}.", _HINT)
    if kinds not in _MODULES:
        raise UsageError(
            f"The modules of {folder} are {', '.join(kinds)}; "
            f"known are {' or '.join(', '.join(known) for known in _MODULES)}.",
            _HINT,
        )
    return dict(zip(kinds, paths, strict=True))


def _require_known_network(network: Path, config: Mapping[str, Any]) -> None:
    if "auto_map" in config:
        raise UsageError(f"The network in {network} needs code of its own (auto_map).", _HINT)
    if config.get("is_encoder_decoder") or not isinstance(config.get("model_type"), str):
        raise UsageError(f"The network in {network} is no encoder of texts.", _HINT)


def _pooling(config: Mapping[str, Any], folder: Path) -> tuple[int, Pooling]:
    """Return the number of components and the pooling."""
    asked = {
        name.removeprefix("pooling_mode_")
        for name, value in config.items()
        if name.startswith("pooling_mode_") and value
    }
    if isinstance(mode := config.get("pooling_mode"), str):
        asked.add(mode)
    dims = config.get("word_embedding_dimension", config.get("embedding_dimension"))
    if not isinstance(dims, int):
        raise UsageError(f"The pooling of {folder} does not say how wide vectors are.", _HINT)
    if asked <= {"mean_tokens", "mean"} and asked:
        return dims, "mean"
    if asked <= {"cls_token", "cls"} and asked:
        return dims, "cls"
    raise UsageError(
        f"The pooling of {folder} is {', '.join(sorted(asked)) or 'none'}; "
        "known are mean_tokens and cls_token.",
        _HINT,
    )


def _require_no_prompts(folder: Path, *, is_normalised: bool) -> None:
    path = folder / "config_sentence_transformers.json"
    config = _json(path) if path.is_file() else {}
    prompts = config.get("prompts") or {}
    if not isinstance(prompts, dict) or any(prompts.values()):
        raise UsageError(f"The network in {folder} was trained with prompts ({path.name}).", _HINT)
    similarity = config.get("similarity_fn_name") or "cosine"
    if similarity != "cosine" and not (similarity == "dot" and is_normalised):
        raise UsageError(
            f"The network in {folder} is for the similarity {similarity!r}, not the cosine.", _HINT
        )
    if config.get("truncate_dim"):
        raise UsageError(f"The vectors of {folder} are to be cut ({path.name}).", _HINT)


def _lengths(network: Path, config: Mapping[str, Any]) -> tuple[int, bool]:
    """Return the most tokens of a text, and whether texts are lower-cased."""
    path = network / "sentence_bert_config.json"
    settings = _json(path) if path.is_file() else {}
    asked = [name for name in ("model_args", "tokenizer_args", "config_args") if settings.get(name)]
    if settings.get("transformer_task", "feature-extraction") != "feature-extraction":
        asked.append("transformer_task")
    if asked:
        raise UsageError(f"{path} has {asked[0]}, which this program does not know.", _HINT)
    places = config.get("max_position_embeddings")
    most = settings.get("max_seq_length")
    if most is None:
        most = _json(network / "tokenizer_config.json").get("model_max_length")
    most = min((number for number in (most, places) if isinstance(number, int)), default=0)
    if most < 3:
        raise UsageError(
            f"{network} does not say how many tokens a text may have.",
            "Write max_seq_length into sentence_bert_config.json.",
        )
    return most, bool(settings.get("do_lower_case"))


def _inside(folder: Path, path: str) -> Path:
    found = (folder / path).resolve()
    if not found.is_relative_to(folder.resolve()):
        raise UsageError(f"A module of {folder} is outside of it: {path}.", _HINT)
    return found


def _json(path: Path) -> Any:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read.", _HINT) from error
    if not isinstance(found, list if path.name == "modules.json" else dict):
        raise UsageError(f"{path} holds something else.", _HINT)
    return found
