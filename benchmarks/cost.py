"""Lower bound of the cost of generation: computed operations and bytes, measured peaks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from benchmarks.measure import interleaved
from benchmarks.timing import Timing


@dataclass(frozen=True)
class Work:
    """Minimum floating-point operations and bytes for one user."""

    flop: float
    bytes_moved: float


def minimum_work(config: Any, prompt: float, beams: int, new_tokens: int, itemsize: int) -> Work:
    """Return the minimum work of one user: the prompt once, then ``beams`` tokens per step.

    config: of a GPT-2. prompt: number of tokens. No beam ends early. Bytes: keys and values are
    read once per step and written once, logits (fp32) written once and read one and a half times.
    """
    width, layers, vocabulary = config.hidden_size, config.num_hidden_layers, config.vocab_size
    steps = new_tokens - 1
    in_blocks = 2 * 12 * layers * width**2 * (prompt + beams * steps)
    contexts = prompt**2 / 2 + beams * steps * (prompt + new_tokens / 2)
    attention = 4 * layers * width * contexts
    head = 2 * width * vocabulary * (1 + beams * steps)
    entry = 2 * layers * width * itemsize
    # All beams share one cache, which is read once for all of them.
    read = steps * (prompt + beams * new_tokens / 2) * entry
    logits = 2.5 * 4 * vocabulary * (1 + beams * steps)
    return Work(in_blocks + attention + head, read + (prompt + beams * steps) * entry + logits)


def matrix_peak(device: str, dtype: Any) -> dict[str, float]:
    """Return GFLOP per CPU-second (GPU: per second) of one large product, for each kernel."""
    rows, inner, outer = (1024, 768, 3072) if device == "cpu" else (16_384, 4096, 4096)
    inputs = torch.randn(rows, inner, device=device, dtype=dtype)
    weight = torch.randn(outer, inner, device=device, dtype=dtype)
    kernels: dict[str, Callable[[], Any]] = {"torch": lambda: functional.linear(inputs, weight)}
    if device == "cpu":
        multiply = torch.ops.mkldnn._linear_pointwise  # noqa: SLF001 - see beam_search/linears.py
        kernels["oneDNN"] = lambda: multiply(inputs, weight, None, "none", [], "")
    with torch.inference_mode():
        timings = interleaved({name: (20, kernel) for name, kernel in kernels.items()}, device)
    return {
        name: 2e-9 * rows * inner * outer / seconds(timing, device)
        for name, timing in timings.items()
    }


def seconds(timing: Timing, device: str) -> float:
    """Return CPU-seconds of a timing, or on a GPU wall-clock seconds."""
    return timing.cpu_seconds if device == "cpu" else timing.wall_seconds


def bandwidth(device: str) -> float:
    """Return the GB per second at which memory is copied (read and written)."""
    source = torch.empty(1 << 26, device=device)
    target = torch.empty_like(source)
    timing = interleaved({"copy": (10, lambda: target.copy_(source))}, device)["copy"]
    return float(2 * source.nbytes / 1e9 / timing.wall_seconds)
