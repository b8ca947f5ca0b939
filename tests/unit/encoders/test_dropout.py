"""Dropout of our own on a CPU, and the attention that uses it."""

import pytest
import torch
from torch.nn import functional

from gpt4rec_es.encoders.dropout import Dropout
from gpt4rec_es.encoders.sequence_network import AttentionBlock


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.5, 0.9])
def test_a_part_of_the_values_is_dropped_and_the_mean_stays(rate: float) -> None:
    torch.manual_seed(1)
    found = Dropout(rate)(torch.ones(300, 1001))
    kept = found != 0
    assert float(kept.float().mean()) == pytest.approx(1 - rate, abs=0.005)
    assert float(found.mean()) == pytest.approx(1, rel=0.01)
    assert len(found[kept].unique()) == 1
    # Eight neighbours share a random number: they are no more alike than others.
    apart = float((kept[:, :-1] == kept[:, 1:]).float().mean())
    assert apart == pytest.approx(rate**2 + (1 - rate) ** 2, abs=0.005)


def test_gradients_flow_through_the_kept_values_alone() -> None:
    values = torch.ones(3, 5, 7, requires_grad=True)
    found = Dropout(0.4)(values)
    found.sum().backward()
    assert torch.equal(values.grad, found.detach())


@pytest.mark.parametrize("shape", [(0,), (1,), (7,), (8,), (2, 3, 5)])
def test_any_shape(shape: tuple[int, ...]) -> None:
    torch.manual_seed(2)
    first = Dropout(0.5)(torch.ones(shape))
    torch.manual_seed(2)
    assert torch.equal(Dropout(0.5)(torch.ones(shape)), first)
    assert first.shape == shape


def test_nothing_is_dropped_outside_training_and_at_rate_0() -> None:
    values = torch.randn(100)
    assert Dropout(0.9).eval()(values) is values
    assert Dropout(0)(values) is values
    assert not Dropout(1)(values).any()


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("is_causal", [True, False])
def test_attention_is_that_of_torch(is_causal: bool, training: bool) -> None:
    torch.manual_seed(3)
    block = AttentionBlock(8, heads=2, dropout=0.0).train(training)
    hidden = torch.randn(3, 5, 8)
    real = torch.tensor([[True] * 5, [True] * 2 + [False] * 3, [True] + [False] * 4])
    joint = block.joint(block.before_attention(hidden)).view(3, 5, 3, 2, 4)
    query, key, value = joint.permute(2, 0, 3, 1, 4)
    read = functional.scaled_dot_product_attention(
        query, key, value, attn_mask=None if is_causal else real[:, None, None], is_causal=is_causal
    )
    expected = hidden + block.out(read.transpose(1, 2).reshape(3, 5, 8))
    expected = expected + block.layers(block.before_layers(expected))
    found = block(hidden, None if is_causal else real)
    assert torch.allclose(found, expected, atol=1e-6)
