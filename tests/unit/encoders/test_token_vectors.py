from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_bfloat16

from gpt4rec_es.encoders import token_vectors
from gpt4rec_es.encoders.token_vectors import open_token_vectors
from gpt4rec_es.errors import UsageError
from tests.vectors import save_token_vectors, word_tokenizer

WORDS = {"red": (2.0, 0.0), "cup": (0.0, 2.0), "blue": (-1.0, 0.0), "sky": (1.0, 0.0)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_token_vectors(tmp_path / "words", WORDS)


def test_a_vector_is_the_mean_of_the_known_tokens_with_length_1(folder: Path) -> None:
    encoder = open_token_vectors(folder)
    half = 0.5**0.5
    rows = encoder.encode(["red", "Red cup", "red nobody-knows cup", "cup blue blue blue blue"])
    assert rows.dtype == np.float32
    expected = [(1, 0), (half, half), (half, half), (-4 / 20**0.5, 2 / 20**0.5)]
    np.testing.assert_allclose(rows, expected, atol=1e-7)
    assert encoder.dims == 2


@pytest.mark.parametrize("text", ["", "   ", "zebra", "[CLS] [UNK]", "blue sky"])
def test_a_text_without_a_known_token_or_direction_is_zero(folder: Path, text: str) -> None:
    assert not open_token_vectors(folder).encode(["red", text])[1].any()


def test_a_row_is_bit_equal_in_every_batch(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = open_token_vectors(folder)
    texts = ["red cup", "", "cup", "blue red cup cup", "zebra", "red"]
    together = encoder.encode(texts)
    for text, row in zip(texts, together, strict=True):
        assert encoder.encode([text])[0].tobytes() == row.tobytes()
    monkeypatch.setattr(token_vectors, "_TOKENS_AT_ONCE", 2)
    assert encoder.encode(texts).tobytes() == together.tobytes()
    assert encoder.encode([]).shape == (0, 2)


def test_the_file_and_its_folder_are_the_same_encoder(folder: Path) -> None:
    by_file = open_token_vectors(folder / "model.safetensors")
    assert by_file.content_hash == open_token_vectors(folder).content_hash


def test_other_vectors_or_another_tokenizer_have_another_hash(folder: Path, tmp_path: Path) -> None:
    first = open_token_vectors(folder).content_hash
    assert open_token_vectors(save_token_vectors(tmp_path / "a", WORDS)).content_hash == first
    other = {**WORDS, "sky": (1.0, 0.5)}
    assert open_token_vectors(save_token_vectors(tmp_path / "b", other)).content_hash != first
    word_tokenizer(["red", "cup", "sky", "blue"]).save(str(folder / "tokenizer.json"))
    assert open_token_vectors(folder).content_hash != first


def test_folders_that_cannot_be_read_are_refused(folder: Path, tmp_path: Path) -> None:
    def refused(reason: str, source: Path = folder) -> None:
        with pytest.raises(UsageError, match=reason):
            open_token_vectors(source)

    (tmp_path / "empty").mkdir()
    refused("found: none", tmp_path / "empty")
    refused("tokenizer.json", folder / "tokenizer.json")
    weights = folder / "model.safetensors"
    save_file({"a": np.ones((7, 2), np.float32), "b": np.ones(7, np.float32)}, weights)
    refused("other tensors than one table: a, b")
    save_file({"a": np.ones((6, 2), np.float32)}, weights)
    refused("7 tokens, model.safetensors only 6")
    save_file({"a": np.full((7, 2), np.nan, np.float32)}, weights)
    refused("not all finite")
    save_file({"a": np.full((7, 2), 1e300)}, weights)
    refused("not all finite in single precision")
    save_file({"a": np.zeros((7, 2), np.float32)}, weights)
    refused("empty, or all zero")
    save_file({"a": np.zeros((7, 0), np.float32)}, weights)
    refused("empty, or all zero")
    save_bfloat16({"a": torch.ones(7, 2, dtype=torch.bfloat16)}, weights)
    refused("a type of numbers that cannot be read")
    weights.write_bytes(b"no tensors")
    refused("cannot be read")
    save_token_vectors(folder, WORDS)
    save_file({"a": np.ones((7, 2), np.float32)}, folder / "more.safetensors")
    refused("found: model.safetensors, more.safetensors")
    (folder / "more.safetensors").unlink()
    (folder / "tokenizer.json").write_text("{")
    refused("tokenizer .* cannot be read")
    (folder / "tokenizer.json").unlink()
    refused("There is no .*tokenizer.json")
