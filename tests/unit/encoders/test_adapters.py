import json
from pathlib import Path
from typing import Any

import pytest
import torch

from gpt4rec_es.encoders.adapters import (
    LoraOptions,
    add_adapters,
    merge_adapters,
    open_adapters,
    save_adapters,
)
from gpt4rec_es.encoders.text_encoder import TextEncoder, open_encoder
from gpt4rec_es.errors import UsageError
from tests.encoders import save_tiny_gpt2

TEXTS = ["bag", "garden tea pot"]


def learn(encoder: TextEncoder) -> dict[str, Any]:
    """Train some steps and return the weights from before."""
    before = {name: weights.detach().clone() for name, weights in encoder.named_parameters()}
    encoder.unfreeze()
    learning = [weights for weights in encoder.parameters() if weights.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=0.02)
    for _ in range(3):
        optimizer.zero_grad()
        encoder.encode_text_train(TEXTS).square().sum().backward()
        optimizer.step()
    encoder.freeze()
    return before


def test_new_adapters_change_nothing_and_alone_learn(encoder: TextEncoder) -> None:
    plain, plain_hash = encoder.encode_text(TEXTS), encoder.content_hash()
    add_adapters(encoder, LoraOptions())
    assert encoder.is_frozen
    assert encoder.content_hash() != plain_hash
    torch.testing.assert_close(encoder.encode_text(TEXTS), plain)
    before = learn(encoder)
    changed = {name for name, w in encoder.named_parameters() if not torch.equal(w, before[name])}
    assert changed == {name for name in before if "lora_" in name}
    # c_attn, and c_proj of attention and feed-forward, in two layers, two matrices each
    assert len(changed) == 2 * 3 * 2
    assert not torch.allclose(encoder.encode_text(TEXTS), plain, atol=1e-2)


def test_rank_and_alpha_are_those_asked_for(encoder: TextEncoder) -> None:
    add_adapters(encoder, LoraOptions(rank=2, alpha=6, targets=("c_attn",)))
    layer = encoder.language_model.transformer.h[0].attn.c_attn
    assert layer.lora_A["default"].weight.shape == (2, encoder.width)
    assert layer.scaling["default"] == 3
    assert not hasattr(encoder.language_model.transformer.h[0].attn.c_proj, "lora_A")


def test_saved_adapters_give_equal_vectors(
    encoder: TextEncoder, gpt2_folder: Path, tmp_path: Path
) -> None:
    add_adapters(encoder, LoraOptions())
    learn(encoder)
    save_adapters(encoder, tmp_path / "lora")
    names = {path.name for path in (tmp_path / "lora").iterdir()}
    assert names == {"adapter_config.json", "adapter_model.safetensors"}
    config = (tmp_path / "lora" / "adapter_config.json").read_text()
    assert str(gpt2_folder) not in config
    assert json.loads(config)["target_modules"] == ["c_attn", "c_proj"]  # in every process
    again = open_encoder(gpt2_folder)
    open_adapters(again, tmp_path / "lora")
    assert again.is_frozen
    assert again.content_hash() == encoder.content_hash()
    torch.testing.assert_close(again.encode_text(TEXTS), encoder.encode_text(TEXTS))


def test_merging_keeps_vectors_and_logits(encoder: TextEncoder) -> None:
    add_adapters(encoder, LoraOptions())
    learn(encoder)
    ids = torch.tensor([encoder.checkpoint.tokenizer.encode("garden tea pot")])
    vectors, logits = encoder.encode_text(TEXTS), encoder.language_model(input_ids=ids).logits
    before = encoder.content_hash()
    merge_adapters(encoder)
    assert not any("lora_" in name for name, _ in encoder.named_parameters())
    torch.testing.assert_close(encoder.encode_text(TEXTS), vectors, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(
        encoder.language_model(input_ids=ids).logits, logits, rtol=1e-4, atol=1e-4
    )
    assert encoder.content_hash() != before
    assert encoder.is_frozen
    encoder.unfreeze()  # without adapters everything learns
    assert all(weights.requires_grad for weights in encoder.parameters())


def test_bad_adapters_are_refused(encoder: TextEncoder, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="hold no weight"):
        LoraOptions(rank=0)
    with pytest.raises(UsageError, match="no layers q_proj"):
        add_adapters(encoder, LoraOptions(targets=("q_proj",)))
    with pytest.raises(UsageError, match="holds no adapters"):
        open_adapters(encoder, tmp_path)
    add_adapters(encoder, LoraOptions())
    with pytest.raises(UsageError, match="has adapters"):
        add_adapters(encoder, LoraOptions())
    save_adapters(encoder, tmp_path / "lora")
    wider = open_encoder(save_tiny_gpt2(tmp_path / "wider", width=64))
    with pytest.raises(UsageError, match="do not fit the GPT-2"):
        open_adapters(wider, tmp_path / "lora")
