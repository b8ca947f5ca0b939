"""Defects of the public origin in its networks; each test shows the defective form, too."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from gpt4rec_es.encoders.text_encoder import TextEncoder, open_encoder
from gpt4rec_es.encoders.vectors import StaleCacheError
from gpt4rec_es.reranking.checkpoint import open_recommender, save_recommender
from gpt4rec_es.reranking.fusion import FieldAttention
from gpt4rec_es.reranking.metadata import MISSING, RecommenderData
from gpt4rec_es.reranking.objectives import bpr
from tests.encoders import save_tiny_gpt2
from tests.unit.reranking.shop import first_batch, make


def attention_gradients(attend: Any, query: Any, key: Any) -> tuple[float, float]:
    """Return the largest gradients of the projections of queries and keys."""
    attend()
    return float(query.weight.grad.abs().max()), float(key.weight.grad.abs().max())


def test_1_attention_has_several_keys() -> None:
    torch.manual_seed(1)
    ids, fields = torch.randn(6, 8), torch.randn(6, 3, 12)

    # Defective: the metadata as one key. Its weight is always 1, so no query matters.
    q, k, v = nn.Linear(8, 8), nn.Linear(12, 8), nn.Linear(12, 8)

    def single(scale: float = 1) -> Any:
        logits = (q(ids) * scale * k(fields[:, 0])).sum(1, keepdim=True)
        return logits.softmax(1) * v(fields[:, 0])

    single().square().sum().backward()
    assert q.weight.grad.abs().max() == k.weight.grad.abs().max() == 0
    torch.testing.assert_close(single(1), single(9))

    fusion = FieldAttention(12, 8, 3, 8, heads=2).eval()
    texts, places = fields.flatten(0, 1), torch.arange(18).view(6, 3)
    places[3:, 1:] = MISSING
    out, weights = fusion(ids, texts, places)
    out.square().sum().backward()
    for layer in (fusion.to_query, fusion.to_key, fusion.to_value, fusion.out):
        assert layer.weight.grad.abs().max() > 0
    torch.testing.assert_close(weights.sum(1), torch.ones(6))
    assert (weights[:, 0].max() - weights[:, 0].min()) > 0.01  # they vary
    assert weights[3:, 1:3].abs().max() == 0  # missing fields have none
    fusion.to_query.weight.data *= 9
    assert not torch.allclose(fusion(ids, texts, places)[0], out)
    # With the one field of an entity the query still matters.
    assert (weights[3:, 0].max() - weights[3:, 0].min()) > 0.001


def test_2_padding_is_not_pooled(encoder: TextEncoder) -> None:
    short, long = "bag", "set of four napkins with candle holder"
    tokens = [encoder.checkpoint.tokenizer.encode(text) for text in (short, long)]
    end = encoder.checkpoint.tokenizer.end_id
    ids = torch.tensor([tokens[0] + [end] * (len(tokens[1]) - len(tokens[0])), tokens[1]])

    def defective(rows: Any) -> Any:
        return encoder.language_model.transformer(rows).last_hidden_state.mean(1)[0]

    alone = defective(torch.tensor([tokens[0]]))
    assert functional.cosine_similarity(alone, defective(ids), dim=0) < 0.99
    together = encoder.encode_text([short, long])[0]
    torch.testing.assert_close(together, encoder.encode_text([short])[0], rtol=1e-4, atol=1e-5)


def test_3_cached_vectors_belong_to_weights_and_checkpoint(
    data: RecommenderData, gpt2_folder: Path, encoder: TextEncoder, tmp_path: Path
) -> None:
    # Defective: a plain attribute. It is in no state, moves nowhere, and knows no weights.
    class Plain(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.gpt2, self.cached = nn.Linear(2, 2), torch.zeros(3, 2)

    plain = Plain()
    plain.to(torch.float64)
    assert not any("cached" in name for name in plain.state_dict())
    assert plain.cached.dtype == torch.float32

    model = make(data, encoder, use_cache=True)
    model.double()
    assert model.table.vectors.dtype == torch.float64  # moves with the module
    model.float()
    model.set_phase("cached")
    expected = model.eval().score_catalog([0], [[1]], model.snapshot())
    save_recommender(model, tmp_path / "saved", {})
    again = open_recommender(tmp_path / "saved", data, gpt2_folder)
    torch.testing.assert_close(again.score_catalog([0], [[1]], again.snapshot()), expected)

    # Other weights of the encoder, as after loading another checkpoint.
    state = {name: tensor + 0.1 for name, tensor in encoder.state_dict().items()}
    encoder.load_state_dict(state)
    with pytest.raises(StaleCacheError, match="other weights"):
        model.calculate_loss(first_batch(data))
    with pytest.raises(StaleCacheError, match="other weights"):
        model.snapshot()
    model.set_phase("cached")  # filled anew
    # Weights that are written where torch counts no change.
    next(encoder.parameters()).data.mul_(1.01)
    with pytest.raises(StaleCacheError, match="other weights"):
        model.calculate_loss(first_batch(data))
    model.set_phase("cached")
    assert not torch.allclose(model.score_catalog([0], [[1]], model.snapshot()), expected)

    # Made without a cache, switched on later.
    late = make(data, open_encoder(gpt2_folder), use_cache=False)
    late.set_phase("cached")
    assert torch.isfinite(late.calculate_loss(first_batch(data)).total)


def test_4_one_function_switches_all_that_a_phase_consists_of(
    data: RecommenderData, encoder: TextEncoder
) -> None:
    batch = first_batch(data)
    model = make(data, encoder, use_cache=True)
    # Defective: the cache is switched off, and the GPT-2 stays frozen: nothing of it learns.
    model.table.phase = "dynamic"
    model.calculate_loss(batch).total.backward()
    assert all(weights.grad is None for weights in encoder.parameters())
    # Defective: everything is unfrozen, also what the adapters are to leave alone, and the cache
    # stays on: here it raises.
    model.table.phase = "cached"
    for weights in encoder.parameters():
        weights.requires_grad_(True)
    with pytest.raises(StaleCacheError, match="learns"):
        model.calculate_loss(batch)

    model.set_phase("cached")
    optimizer = torch.optim.AdamW(model.parameter_groups(1e-3, 1e-5))
    assert [group["name"] for group in optimizer.param_groups] == ["network"]
    step(model, batch, optimizer)
    moments = optimizer.state[model.item_bias]["step"].item()
    model.set_phase("dynamic", optimizer, encoder_lr=1e-2)
    assert {group["name"]: group["lr"] for group in optimizer.param_groups} == {
        "network": 1e-3,
        "encoder": 1e-2,
    }
    before = {name: weights.detach().clone() for name, weights in encoder.named_parameters()}
    step(model, batch, optimizer)
    step(model, batch, optimizer)  # adapters begin with zeros in one of their matrices
    assert optimizer.state[model.item_bias]["step"].item() == moments + 2  # kept
    changed = {n for n, w in encoder.named_parameters() if not torch.equal(w, before[n])}
    assert changed == {name for name in before if "lora_" in name}
    learned = [w for group in optimizer.param_groups[1:] for w in group["params"]]
    assert all(weights in optimizer.state for weights in learned)

    model.set_phase("cached", optimizer)
    assert [group["name"] for group in optimizer.param_groups] == ["network"]
    assert not any(weights in optimizer.state for weights in learned)
    after = {name: weights.detach().clone() for name, weights in encoder.named_parameters()}
    step(model, batch, optimizer)
    assert all(torch.equal(w, after[n]) for n, w in encoder.named_parameters())


def step(model: Any, batch: Any, optimizer: Any) -> None:
    model.train()
    optimizer.zero_grad()
    model.calculate_loss(batch).total.backward()
    optimizer.step()


def test_5_a_frozen_encoder_has_no_dropout(data: RecommenderData, tmp_path: Path) -> None:
    encoder = open_encoder(save_tiny_gpt2(tmp_path / "wet", dropout=0.5))
    text = ["garden tea pot"]

    # Defective: training mode of the model is training mode of the frozen GPT-2.
    nn.Module.train(encoder, True)
    assert not torch.equal(encoder.encode_text_train(text), encoder.encode_text_train(text))

    model = make(data, encoder, use_cache=True)
    model.train()
    assert not encoder.training
    assert not encoder.language_model.training
    assert torch.equal(encoder.encode_text_train(text), encoder.encode_text_train(text))
    model.set_phase("dynamic")
    model.train()
    assert encoder.training
    model.snapshot()
    assert encoder.training  # as before


def test_7_scores_are_raw() -> None:
    best = torch.tensor([50.0]), torch.tensor([[-50.0]])
    none = torch.tensor([[False]])
    # Defective: a sigmoid before BPR. The difference is at most 1, so the loss never falls below
    # -log sigmoid(1).
    squashed = bpr(best[0].sigmoid(), best[1].sigmoid(), none)
    assert squashed == pytest.approx(0.3133, abs=1e-4)
    assert bpr(*best, none) == pytest.approx(0)


def test_7_towers_give_scores_beyond_0_and_1(data: RecommenderData, encoder: TextEncoder) -> None:
    model = make(data, encoder, use_cache=True)
    with torch.no_grad():
        model.item_bias += 7
    scores = model.score_catalog([0], [[]], model.snapshot())
    assert scores.max() > 1


def test_11_the_output_layer_is_not_computed(data: RecommenderData, encoder: TextEncoder) -> None:
    calls = []
    encoder.language_model.lm_head.register_forward_hook(lambda *_: calls.append(1))
    encoder.language_model(input_ids=torch.tensor([[1, 2]]), output_hidden_states=True)
    assert calls  # defective: logits of all words, thrown away
    calls.clear()
    model = make(data, encoder)
    model.calculate_loss(first_batch(data)).total.backward()
    model.snapshot()
    assert calls == []
