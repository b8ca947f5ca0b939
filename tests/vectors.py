"""Encoders for tests: token vectors whose results are known, and tiny sentence networks."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from gpt4rec_es.encoders.token_vectors import TokenVectors, open_token_vectors


def word_tokenizer(words: Sequence[str]) -> Tokenizer:
    """Return a tokenizer of lower-cased words; other words are [UNK]."""
    vocabulary = {word: number for number, word in enumerate(["[UNK]", "[CLS]", "[SEP]", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


def save_token_vectors(folder: Path, vectors: Mapping[str, Sequence[float]]) -> Path:
    """Write one vector per word; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    width = len(next(iter(vectors.values())))
    table = np.array([[9.0] * width] * 3 + [list(row) for row in vectors.values()], np.float32)
    save_file({"embedding.weight": table}, folder / "model.safetensors")
    word_tokenizer(list(vectors)).save(str(folder / "tokenizer.json"))
    return folder


def word_axes(folder: Path, words: Sequence[str]) -> TokenVectors:
    """Return an encoder with one axis per word, so that cosines count common words."""
    axes = np.eye(len(words))
    return open_token_vectors(
        save_token_vectors(folder, dict(zip(words, axes.tolist(), strict=True)))
    )


def save_sentence_folder(
    folder: Path, words: Sequence[str], *, pooling: str = "mean_tokens", seed: int = 1
) -> Path:
    """Write a tiny BERT with random weights in the layout of sentence-transformers."""
    import torch  # noqa: PLC0415 - slow
    from transformers import BertConfig, BertModel  # noqa: PLC0415 - slow

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = word_tokenizer(words)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=40,
    )
    network = BertModel(config)
    for weights in network.parameters():
        if weights.ndim > 1:  # so large that texts differ
            torch.nn.init.normal_(weights, std=0.5)
    network.save_pretrained(folder)
    kinds = ["Transformer", "Pooling", "Normalize"]
    write_json(
        folder / "modules.json",
        [
            {"idx": n, "name": str(n), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for n, (kind, path) in enumerate(zip(kinds, ["", "1_Pooling", "2_N"], strict=True))
        ],
    )
    (folder / "1_Pooling").mkdir(exist_ok=True)
    modes = {f"pooling_mode_{mode}": mode == pooling for mode in ("cls_token", "mean_tokens")}
    write_json(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": 16, **modes})
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": 8, "do_lower_case": False})
    return folder


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value))


def change_json(path: Path, **entries: Any) -> None:
    """Set entries of a JSON file, which need not exist."""
    before = json.loads(path.read_text()) if path.exists() else {}
    write_json(path, {**before, **entries})
