"""A recommender as a folder: its weights, adapters or GPT-2, cached vectors, and a card.

Only safetensors and JSON: opening executes no code. The folder is created complete or not at all.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from gpt4rec_es.encoders.adapters import open_adapters, save_adapters
from gpt4rec_es.encoders.network import require_finite, silence_transformers
from gpt4rec_es.encoders.text_encoder import TextEncoder, open_encoder
from gpt4rec_es.encoders.tokenizer import save_tokenizer
from gpt4rec_es.encoders.vectors import VectorCache, open_vectors
from gpt4rec_es.errors import UsageError, misfit
from gpt4rec_es.reranking.learning import LearningTowers, LossOptions
from gpt4rec_es.reranking.metadata import RecommenderData
from gpt4rec_es.reranking.reading import Serving
from gpt4rec_es.reranking.recommenders import GPT2Recommender, GPT2RecommenderEnhanced
from gpt4rec_es.reranking.tower_options import TowerOptions

DOCUMENT = "recommender.json"
ITEMS = "items.json"
_WEIGHTS, _VECTORS, _ADAPTERS, _ENCODER = (
    "model.safetensors",
    "vectors.safetensors",
    "adapters",
    "encoder",
)
_KINDS = {"GPT2Recommender": GPT2Recommender, "GPT2RecommenderEnhanced": GPT2RecommenderEnhanced}


def save_recommender(
    model: LearningTowers, folder: Path, card: dict[str, Any], serving: Serving | None = None
) -> str:
    """Write ``folder``, which must not exist, and return the hash of its content.

    serving: what serving.py needs to read another catalog; None: it cannot be served.

    In phase "dynamic" the encoder is frozen for it, so that its vectors can be saved; the model is
    as before afterwards. A GPT-2 that was changed itself is saved whole; otherwise the
    checkpoint names the one that it needs.

    Raises:
        UsageError: the folder exists.
        StaleCacheError: weights of the encoder were changed in phase "cached".
    """
    if folder.exists():
        raise UsageError(f"{folder} exists already.", "Choose another folder or remove it.")
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    table, encoder = model.table, model.table.encoder
    weights = {
        name: tensor.contiguous()
        for name, tensor in model.state_dict().items()
        if not name.startswith("table.")
    }
    save_file(weights, draft / _WEIGHTS)
    if table.phase == "cached":
        table.cache.save(encoder, draft / _VECTORS)
    else:
        encoder.freeze()
        vectors = VectorCache()
        vectors.fill(encoder, table.texts)
        vectors.save(encoder, draft / _VECTORS)
        model.set_phase("dynamic")
    if encoder.adapters:
        save_adapters(encoder, draft / _ADAPTERS)
    elif _was_trained(model):
        with silence_transformers():
            encoder.language_model.save_pretrained(draft / _ENCODER)
        save_tokenizer(encoder.checkpoint.tokenizer, draft / _ENCODER, encoder.checkpoint.context)
    document = {
        "kind": type(model).__name__,
        "settings": model.settings,
        "options": model.options.as_dict(),
        "loss": model.loss.as_dict(),
        "catalog": catalog_hash(model),
        "gpt2": encoder.checkpoint.content_hash,
        "max_tokens": encoder.max_tokens,
        "pooling": encoder.pooling,
        "reading": None if serving is None else serving.reading.as_dict(),
        "card": card,
    }
    if serving is not None:
        (draft / ITEMS).write_text(json.dumps(serving.item_ids), encoding="utf-8")
    (draft / DOCUMENT).write_text(json.dumps(document, indent=1), encoding="utf-8")
    content_hash = folder_hash(draft)
    for path in draft.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    draft.rename(folder)
    return content_hash


def open_recommender(
    folder: Path, data: RecommenderData, gpt2: Path | str, *, device: str = "cpu"
) -> LearningTowers:
    """Return the recommender in ``folder``, in evaluation mode and phase "cached".

    data: the catalog and the users that it was trained with. gpt2: folder or hub id of the GPT-2
    that it was trained with; the one in the folder is used where it was changed itself.

    Raises:
        UsageError: the folder has no recommender, or one of another catalog or GPT-2.
    """
    model = build_recommender(folder, read_document(folder), data, gpt2, device)
    if catalog_hash(model) != read_document(folder)["catalog"]:
        raise UsageError(
            f"The recommender in {folder} was trained with another catalog, or other users.",
            "Train it again, or open it with the data of its training.",
        )
    load_weights(model, folder)
    return model


def build_recommender(
    folder: Path, document: dict[str, Any], data: RecommenderData, gpt2: Path | str, device: str
) -> LearningTowers:
    """Return the network of a ``document`` in phase "cached", without its weights.

    Raises:
        UsageError: the GPT-2 is another one, or cannot be read.
    """
    encoder = open_own_encoder(folder, document, gpt2, device)
    settings: dict[str, Any] = dict(document["settings"])
    if document["kind"] == "GPT2RecommenderEnhanced":
        settings |= {"use_cache": True, "use_peft": bool(encoder.adapters)}
    model: LearningTowers = _KINDS[document["kind"]](
        len(data.histories),
        len(data.items),
        dataset=data,
        encoder=encoder,
        cache=open_vectors(folder / _VECTORS),
        options=TowerOptions(**document["options"]),
        loss=LossOptions(**document["loss"]),
        **settings,
    ).to(encoder.device)
    return model


def open_own_encoder(
    folder: Path, document: dict[str, Any], gpt2: Path | str, device: str
) -> TextEncoder:
    """Return the GPT-2 of a ``document`` with the adapters that it learned.

    Raises:
        UsageError: ``gpt2`` is another one, or cannot be read.
    """
    source = folder / _ENCODER if (folder / _ENCODER).is_dir() else gpt2
    encoder = open_encoder(
        source, max_tokens=document["max_tokens"], pooling=document["pooling"], device=device
    )
    if source == gpt2 and encoder.checkpoint.content_hash != document["gpt2"]:
        raise UsageError(
            f"The recommender in {folder} was trained with another GPT-2 than {gpt2}.",
            "Open it with the one that its card names.",
        )
    if (folder / _ADAPTERS).is_dir():
        open_adapters(encoder, folder / _ADAPTERS)
    return encoder


def load_weights(model: LearningTowers, folder: Path) -> None:
    """Give the network its saved weights, and set it to evaluation.

    Raises:
        UsageError: they are damaged, not finite, or those of another network.
    """
    try:
        found = model.load_state_dict(load_file(folder / _WEIGHTS), strict=False)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise UsageError(
            f"The weights of the recommender in {folder} do not fit: {misfit(error)}",
            "Copy the folder anew.",
        ) from error
    missing = [name for name in found.missing_keys if not name.startswith("table.")]
    if missing or found.unexpected_keys:
        raise UsageError(
            f"The weights of the recommender in {folder} are not those of its {DOCUMENT}.",
            "Copy the folder anew.",
        )
    require_finite(model, folder)
    model.eval()


def read_document(folder: Path) -> dict[str, Any]:
    """Return recommender.json: kind, settings, hashes, card.

    Raises:
        UsageError: there is none.
    """
    try:
        document = json.loads((folder / DOCUMENT).read_text(encoding="utf-8"))
        if document["kind"] in _KINDS:
            return dict(document)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise UsageError(
        f"{folder} holds no recommender: no readable {DOCUMENT}.",
        "Give a folder written by `gpt4rec train reranker`.",
    )


def catalog_hash(model: LearningTowers) -> str:
    """Return a hash of metadata, and of which items and users have training events."""
    digest = hashlib.sha256(model.items.content_hash().encode())
    if model.users is not None:
        digest.update(model.users.content_hash().encode())
    digest.update(f"{model.n_users} {model.n_items}".encode())
    digest.update(model.item_ids.known.cpu().numpy().tobytes())
    return digest.hexdigest()


def folder_hash(folder: Path) -> str:
    """Return the SHA-256 of all that decides scores: all files without the card and the vectors.

    The vectors follow from the others. Equal trainings have equal hashes, whatever their seconds.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name == _VECTORS:
            continue
        content = path.read_bytes()
        if path == folder / DOCUMENT:
            document = {**json.loads(content), "card": None}
            content = json.dumps(document, sort_keys=True).encode()
        digest.update(f"\0{path.relative_to(folder)}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _was_trained(model: LearningTowers) -> bool:
    """Return whether the GPT-2 itself has other weights than in its folder."""
    encoder = model.table.encoder
    original = open_encoder(
        encoder.checkpoint.folder, max_tokens=encoder.max_tokens, pooling=encoder.pooling
    )
    return original.content_hash() != encoder.content_hash(recompute=True)
