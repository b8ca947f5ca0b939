import pickle
from pathlib import Path

import pytest
import torch

from gpt4rec_es.encoders.text_encoder import TextEncoder, open_encoder
from gpt4rec_es.encoders.vectors import StaleCacheError, VectorCache, open_vectors
from gpt4rec_es.errors import UsageError

TEXTS = ["bag", "garden tea pot", "bag"]


@pytest.fixture
def cache(encoder: TextEncoder) -> VectorCache:
    cache = VectorCache()
    assert cache.fill(encoder, TEXTS) == 2
    return cache


def test_each_text_is_encoded_once(
    encoder: TextEncoder, cache: VectorCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.testing.assert_close(cache.read(encoder, TEXTS), encoder.encode_text(TEXTS))
    assert cache.fill(encoder, ["clock", "bag"]) == 1
    assert len(cache) == 3
    monkeypatch.setattr(encoder, "encode_text", lambda texts: pytest.fail("encoded again"))
    assert cache.fill(encoder, TEXTS) == 0
    assert cache.read(encoder, ["clock", "bag"]).shape == (2, encoder.width)


def test_changed_weights_make_it_stale(encoder: TextEncoder, cache: VectorCache) -> None:
    encoder.unfreeze()
    for weights in encoder.parameters():
        weights.grad = torch.ones_like(weights)
    torch.optim.SGD(encoder.parameters(), lr=0.1).step()
    encoder.freeze()
    with pytest.raises(StaleCacheError, match="other weights"):
        cache.read(encoder, TEXTS)
    assert cache.fill(encoder, TEXTS) == 2  # anew
    torch.testing.assert_close(cache.read(encoder, TEXTS), encoder.encode_text(TEXTS))


def test_an_encoder_that_learns_makes_it_stale(encoder: TextEncoder, cache: VectorCache) -> None:
    encoder.unfreeze()
    with pytest.raises(StaleCacheError, match="learns"):
        cache.read(encoder, TEXTS)
    with pytest.raises(StaleCacheError, match="learns"):
        cache.fill(encoder, TEXTS)


def test_writes_that_torch_does_not_count_are_found_at_the_next_read(
    encoder: TextEncoder, cache: VectorCache, tmp_path: Path
) -> None:
    weights = encoder.language_model.transformer.wpe.weight
    before = (weights.data_ptr(), weights._version)
    weights.data[0, 0] += 1
    # Defective: a check by torch's counts alone takes the old vectors for right.
    assert (weights.data_ptr(), weights._version) == before
    with pytest.raises(StaleCacheError, match="other weights"):
        cache.read(encoder, TEXTS)
    with pytest.raises(StaleCacheError, match="other weights"):
        cache.save(encoder, tmp_path / "stale.safetensors")
    weights.data[0, 0] -= 1
    weights.data.copy_(weights.data.flip(0))
    with pytest.raises(StaleCacheError, match="other weights"):
        cache.save(encoder, tmp_path / "stale.safetensors")


def test_unknown_texts_and_an_empty_cache(encoder: TextEncoder, cache: VectorCache) -> None:
    with pytest.raises(StaleCacheError, match="none of 'clock'"):
        cache.read(encoder, ["bag", "clock"])
    with pytest.raises(StaleCacheError, match="there are none") as caught:
        VectorCache().read(encoder, ["bag"])
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301


def test_saved_vectors_are_those_of_one_encoder(
    gpt2_folder: Path, encoder: TextEncoder, cache: VectorCache, tmp_path: Path
) -> None:
    cache.save(encoder, tmp_path / "vectors.safetensors")
    opened = open_vectors(tmp_path / "vectors.safetensors")
    again = open_encoder(gpt2_folder)
    torch.testing.assert_close(opened.read(again, TEXTS), cache.read(encoder, TEXTS))
    with pytest.raises(StaleCacheError):
        opened.read(open_encoder(gpt2_folder, pooling="last"), TEXTS)


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vectors.safetensors"
    with pytest.raises(UsageError, match="cannot be read"):
        open_vectors(path)
    path.write_bytes(b"no tensors")
    with pytest.raises(UsageError, match="cannot be read"):
        open_vectors(path)
