from pathlib import Path
from typing import Any

import pytest
import torch

from gpt4rec_es.encoders import text_encoder
from gpt4rec_es.encoders.text_encoder import TextEncoder, open_encoder, pool
from gpt4rec_es.errors import UsageError
from tests.encoders import save_tiny_gpt2

LONG = "set of four napkins with candle holder and a vintage kitchen clock"
TEXTS = ["bag", LONG, "garden tea pot", "bag", ""]


def test_pooling_by_hand() -> None:
    hidden = torch.tensor([[[1.0], [3.0], [torch.nan]], [[torch.nan], [5.0], [7.0]]])
    mask = torch.tensor([[1, 1, 0], [0, 1, 1]])
    assert pool(hidden, mask, "mean").tolist() == [[2.0], [6.0]]
    assert pool(hidden, mask, "last").tolist() == [[3.0], [7.0]]


@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_a_vector_does_not_depend_on_batch_mates(gpt2_folder: Path, pooling: Any) -> None:
    encoder = open_encoder(gpt2_folder, pooling=pooling)
    together = encoder.encode_text(TEXTS)
    alone = torch.cat([encoder.encode_text([text]) for text in TEXTS])
    assert together.shape == (5, encoder.width)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(together[0], together[1], atol=0.1)
    torch.testing.assert_close(together[0], together[3], rtol=0, atol=0)


@pytest.mark.parametrize("pooling", ["mean", "last"])
@pytest.mark.parametrize("left", [0, 5])
def test_padding_on_either_side_changes_nothing(gpt2_folder: Path, pooling: Any, left: int) -> None:
    encoder = open_encoder(gpt2_folder, pooling=pooling)
    ids = encoder.checkpoint.tokenizer.encode("garden tea pot")
    end = encoder.checkpoint.tokenizer.end_id
    padded = torch.tensor([[end] * left + ids + [end] * (5 - left)])
    mask = torch.tensor([[0] * left + [1] * len(ids) + [0] * (5 - left)])
    with torch.no_grad():
        found = encoder(padded, mask)
    torch.testing.assert_close(found, encoder.encode_text(["garden tea pot"]), rtol=1e-4, atol=1e-5)


def test_batches_within_the_budget_keep_the_order(
    encoder: TextEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = encoder.encode_text(TEXTS)
    monkeypatch.setattr("gpt4rec_es.encoders.text_encoder._TOKEN_BUDGET", 8)
    torch.testing.assert_close(encoder.encode_text(TEXTS), whole, rtol=1e-4, atol=1e-5)
    assert encoder.encode_text([]).shape == (0, encoder.width)


def test_long_texts_are_cut_to_the_context(gpt2_folder: Path) -> None:
    encoder = open_encoder(gpt2_folder, max_tokens=500)
    assert encoder.max_tokens == 64
    short = open_encoder(gpt2_folder, max_tokens=3)
    start = short.checkpoint.tokenizer.decode_all([short.checkpoint.tokenizer.encode(LONG)[:3]])
    torch.testing.assert_close(short.encode_text([LONG]), short.encode_text(start))
    assert torch.isfinite(encoder.encode_text([LONG * 20])).all()


def test_the_output_layer_is_never_computed(encoder: TextEncoder) -> None:
    encoder.language_model.lm_head.register_forward_hook(lambda *_: pytest.fail("computed"))
    encoder.encode_text(["bag"])


def test_gradients_reach_the_weights_in_training_only(encoder: TextEncoder) -> None:
    assert not encoder.encode_text_train(["bag"]).requires_grad  # frozen
    encoder.unfreeze()
    assert not encoder.encode_text(["bag"]).requires_grad
    encoder.encode_text_train(["bag", LONG]).square().sum().backward()
    gradient = encoder.language_model.transformer.h[0].attn.c_attn.weight.grad
    assert gradient is not None
    assert gradient.abs().sum() > 0
    encoder.freeze()
    assert encoder.language_model.transformer.h[0].attn.c_attn.weight.grad is None


def test_memory_of_learning_does_not_grow_with_the_texts(
    encoder: TextEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"bag number {n} with {'ribbon ' * (n % 7)}" for n in range(60)]
    encoder.unfreeze()
    gradients, kept = [], []
    for budget in (100_000, 64):
        monkeypatch.setattr(text_encoder, "_LEARNING_BUDGET", budget)
        encoder.zero_grad()
        saved = []

        def keep(tensor: Any, saved: list[int] = saved) -> Any:
            saved.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            read = encoder.encode_text_train(texts)
        read.square().sum().backward()
        gradients.append(encoder.language_model.transformer.wte.weight.grad.clone())
        kept.append(sum(saved))
    torch.testing.assert_close(*gradients)
    assert gradients[0].abs().sum() > 0
    # Inputs and results of passes; activations of all layers are many times as large.
    assert max(kept) < 4 * read.numel()


def test_dropout_works_in_an_encoder_that_learns_only(tmp_path: Path) -> None:
    encoder = open_encoder(save_tiny_gpt2(tmp_path / "wet", dropout=0.5))
    encoder.train()
    torch.testing.assert_close(
        encoder.encode_text_train([LONG]), encoder.encode_text_train([LONG]), rtol=0, atol=0
    )
    encoder.unfreeze()
    assert not torch.equal(encoder.encode_text_train([LONG]), encoder.encode_text_train([LONG]))
    assert torch.equal(encoder.encode_text([LONG]), encoder.encode_text([LONG]))
    assert encoder.training  # as before
    dry = open_encoder(tmp_path / "wet", dropout=0.0)
    assert dry.language_model.config.resid_pdrop == 0


def test_the_hash_follows_the_weights_and_the_settings(gpt2_folder: Path, tmp_path: Path) -> None:
    encoder = open_encoder(gpt2_folder)
    before = encoder.content_hash()
    assert open_encoder(gpt2_folder).content_hash() == before
    assert open_encoder(gpt2_folder, pooling="last").content_hash() != before
    assert open_encoder(gpt2_folder, max_tokens=9).content_hash() != before
    assert open_encoder(save_tiny_gpt2(tmp_path / "b", seed=4)).content_hash() != before
    encoder.unfreeze()
    assert encoder.content_hash() == before
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=1e-3)
    encoder.encode_text_train(["bag"]).square().sum().backward()
    optimizer.step()
    after = encoder.content_hash()
    assert after != before
    positions = encoder.language_model.transformer.wpe.weight.data
    positions[3, 2] += 1e-4  # torch counts no change
    changed = encoder.content_hash()
    assert changed != after
    positions.copy_(positions.flip(0))
    assert encoder.content_hash(recompute=True) != changed


def test_a_folder_without_a_gpt2_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no readable config"):
        open_encoder(tmp_path)
