"""Timers and counters: interleaved timings, tokens, cache bytes, memory."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks import timing
from benchmarks.timing import Timing, resident_growth


def interleaved(
    contenders: Mapping[str, tuple[int, Callable[[], Any]]], device: str
) -> dict[str, Timing]:
    """Return timings of each contender (rounds, function); a GPU is synchronized."""
    return timing.interleaved(contenders, wait=lambda: wait_for(device))


def wait_for(device: str) -> None:
    """Synchronize with a GPU."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


@dataclass
class Traffic:
    """Counts of a network: tokens read, and maximum cache bytes per row of a batch."""

    tokens: int = 0
    cache_bytes_per_row: float = 0.0


@contextmanager
def watched(network: Any) -> Iterator[Traffic]:
    """Count the tokens and cache bytes of ``network``, a model of the transformers library."""
    traffic = Traffic()

    def count_tokens(_module: Any, inputs: Any, _output: Any) -> None:
        traffic.tokens += inputs[0].numel()

    def count_cache_bytes(_module: Any, _args: Any, kwargs: Any, _output: Any) -> None:
        layers = getattr(kwargs.get("past_key_values"), "layers", [])
        size = sum((layer.keys.nbytes + layer.values.nbytes) / len(layer.keys) for layer in layers)
        traffic.cache_bytes_per_row = max(traffic.cache_bytes_per_row, size)

    hooks = [
        network.get_input_embeddings().register_forward_hook(count_tokens),
        network.register_forward_hook(count_cache_bytes, with_kwargs=True),
    ]
    try:
        yield traffic
    finally:
        for hook in hooks:
            hook.remove()


def peak_memory(run: Callable[[], Any], device: str) -> int:
    """Return the maximum growth of memory in bytes during ``run``.

    On a CPU that is the process's resident memory, so call it in a fresh process.
    """
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        return int(torch.cuda.max_memory_allocated() - before)
    return resident_growth(run)


@contextmanager
def _no_messages() -> Iterator[None]:
    """Suppress messages that the profiler's native library writes to stderr."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


# Operators of torch by phase; others count as "the rest".
_PHASES = {
    "linear layers": ("linear_pointwise", "addmm", "aten::mm"),
    "attention": ("scaled_dot_product", "_efficient_attention", "_flash_attention"),
    "selection": ("log_softmax", "topk", "amax", "aten::gather"),
}


def phases(run: Callable[[], Any]) -> dict[str, float]:
    """Return the fraction of the CPU time of ``run`` by phase."""
    with (
        _no_messages(),
        torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler,
    ):
        run()
    fractions = dict.fromkeys([*_PHASES, "the rest"], 0.0)
    for event in profiler.key_averages():
        phase = next(
            (name for name, parts in _PHASES.items() if any(part in event.key for part in parts)),
            "the rest",
        )
        fractions[phase] += event.self_cpu_time_total
    total = sum(fractions.values())
    return {name: fraction / total for name, fraction in fractions.items()}
