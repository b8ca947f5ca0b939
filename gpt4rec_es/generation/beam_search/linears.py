"""Faster kernels for the linear layers and the activation of a network.

On some processors torch's default matrix product is half as fast as oneDNN's in fp32, so both are
timed once per machine (see verdicts.py). The choice of kernel changes rounding only.
"""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from torch import nn
from transformers.activations import NewGELUActivation
from transformers.models.gpt2.modeling_gpt2 import GPT2MLP
from transformers.pytorch_utils import Conv1D

from gpt4rec_es.generation.beam_search.verdicts import Verdicts, verdict_file

# Rows of the trial product: about the number of beams of a batch.
_ROWS = 160
_TRIALS = 5
# oneDNN must be faster by this factor to be used; smaller differences are timing noise.
_MARGIN = 1.1
# Private operators of torch, which its compiler emits for linear layers.
_REORDER, _LINEAR = "_reorder_linear_weight", "_linear_pointwise"


def tune(network: Any) -> Any:
    """Return ``network`` with slow layers replaced in place; use it for generation only."""
    with torch.inference_mode():
        if network.device.type == "cpu" and network.dtype == torch.float32:
            chooser = _KernelChooser(network, Verdicts(verdict_file()))
            _replace(network, (nn.Linear, Conv1D), chooser)
            _fuse_activations(network)
        _replace(network, NewGELUActivation, lambda _: nn.GELU(approximate="tanh"))
    return network


class OneDnnLinear(nn.Module):  # type: ignore[misc] # the library is not typed
    """A linear layer computed by oneDNN, its weight reordered in advance if ``is_packed``."""

    def __init__(self, weight: Any, bias: Any, *, is_packed: bool) -> None:
        """weight: (out, in); bias: (out,) or None."""
        super().__init__()
        plain = weight.detach().contiguous()
        self._weight = getattr(torch.ops.mkldnn, _REORDER)(plain) if is_packed else plain
        self._multiply = getattr(torch.ops.mkldnn, _LINEAR)
        self._bias = None if bias is None else bias.detach()
        self._after: tuple[str, list[Any], str] = ("none", [], "")

    def append_gelu(self) -> None:
        """Apply GELU (tanh approximation, as in GPT-2) to the result from now on."""
        self._after = ("gelu", [], "tanh")

    def forward(self, inputs: Any) -> Any:
        """Return (..., out) for ``inputs`` (..., in)."""
        return self._multiply(inputs, self._weight, self._bias, *self._after)


class _KernelChooser:
    """Chooses the kernel by the verdict for the weight's shape."""

    def __init__(self, network: Any, verdicts: Verdicts) -> None:
        # An output layer that shares its weights with the embeddings must not get a copy of them.
        self._shared = network.get_input_embeddings().weight
        self._verdicts = verdicts

    def __call__(self, module: Any) -> Any:
        """Return ``module``, or the oneDNN layer that replaces it."""
        weight = module.weight.T if isinstance(module, Conv1D) else module.weight  # (out, in)
        if not self._verdicts.wins(weight, _onednn_wins):
            return module
        return OneDnnLinear(weight, module.bias, is_packed=module.weight is not self._shared)


def _fuse_activations(network: Any) -> None:
    """Fuse the activation into GPT-2's first feed-forward layer."""
    for module in network.modules():
        if (
            isinstance(module, GPT2MLP)
            and isinstance(module.c_fc, OneDnnLinear)
            and isinstance(module.act, NewGELUActivation)
        ):
            module.c_fc.append_gelu()
            module.act = nn.Identity()


def _onednn_wins(weight: Any) -> bool:
    """Return whether oneDNN multiplies by ``weight`` faster, in a trial of some milliseconds.

    False if torch lacks these operators, or if they take other arguments.
    """
    inputs = torch.ones(_ROWS, weight.shape[1])
    try:
        other = OneDnnLinear(weight, None, is_packed=False)
        other(inputs)
    except (AttributeError, RuntimeError, TypeError):
        return False
    contenders: tuple[Callable[[], Any], ...] = (
        lambda: nn.functional.linear(inputs, weight),
        lambda: other(inputs),
    )
    times: tuple[list[float], ...] = ([], [])
    for _ in range(_TRIALS):
        for contender, taken in zip(contenders, times, strict=True):
            start = time.perf_counter()
            contender()
            taken.append(time.perf_counter() - start)
    usual, onednn = (median(taken) for taken in times)
    return usual > _MARGIN * onednn


def _replace(module: Any, kinds: Any, new: Callable[[Any], Any]) -> None:
    """Replace every descendant of one of ``kinds`` by ``new(child)``."""
    for name, child in list(module.named_children()):
        if isinstance(child, kinds):
            setattr(module, name, new(child))
        else:
            _replace(child, kinds, new)
