"""The loss in pieces equals torch's over whole logits, value and gradients."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from gpt4rec_es.lab.training import loss


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss, "_ELEMENTS", 7 * 50)  # seven tokens at a time


def tensors() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    hidden, weight = torch.randn(30, 16), torch.randn(50, 16)
    return hidden.requires_grad_(), weight.requires_grad_(), torch.randint(50, (30,))


def test_value_and_gradients_are_those_of_torch() -> None:
    hidden, weight, labels = tensors()
    (3 * cross_entropy(hidden @ weight.T, labels)).backward()
    wanted = (hidden.grad, weight.grad)
    hidden.grad = weight.grad = None
    ours = loss.linear_cross_entropy(hidden, weight, labels)
    (3 * ours).backward()
    torch.testing.assert_close(ours, cross_entropy(hidden @ weight.T, labels))
    for got, expected in zip((hidden.grad, weight.grad), wanted, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-6)


def test_mixed_precision_stays_close() -> None:
    hidden, weight, labels = tensors()
    exact = loss.linear_cross_entropy(hidden, weight, labels)
    exact.backward()
    wanted = weight.grad
    weight.grad = None
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = loss.linear_cross_entropy(hidden, weight, labels)
    mixed.backward()
    assert mixed.dtype == torch.float32
    assert mixed != exact, "it was computed in fp32"
    assert mixed.item() == pytest.approx(exact.item(), rel=0.01)
    torch.testing.assert_close(weight.grad, wanted, rtol=0.05, atol=0.01)


def test_without_gradients_and_without_tokens() -> None:
    hidden, weight, labels = tensors()
    with torch.inference_mode():
        plain = loss.linear_cross_entropy(hidden, weight, labels)
        assert loss.linear_cross_entropy(hidden[:0], weight, labels[:0]) == 0
    torch.testing.assert_close(plain, cross_entropy(hidden @ weight.T, labels).detach())
