"""Weights in training: copies of them, and their mean over about the last epoch.

The weights after a step depend much on its examples; their exponential mean does not, and ranks
better than any single ones (Izmailov et al., arXiv 1803.05407, of means over epochs).
"""

import math
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

_STEPS = 10  # of the optimiser between two updates: a pass over all weights each time is slow


def copies(network: Any, fixed: Container[str] = ()) -> dict[str, Any]:
    """Return copies of the weights of a module by name, but for those in ``fixed``."""
    return {
        name: weights.detach().clone()
        for name, weights in network.named_parameters()
        if name not in fixed
    }


def put_back(network: Any, weights: Mapping[str, Any], fixed: Container[str] = ()) -> None:
    """Copy ``weights`` into those of a module, but for those in ``fixed``."""
    with torch.no_grad():
        for name, own in network.named_parameters():
            if name not in fixed:
                own.copy_(weights[name])


class MeanWeights:
    """The mean, updated every 10 steps and at the end of an epoch.

    It takes the memory of one copy of the weights, and of another while it is in use.
    """

    def __init__(self, weights: Sequence[Any]) -> None:
        """weights: those that learn; the mean begins as they are."""
        self._weights = [one.detach() for one in weights]
        self._means = [one.clone() for one in self._weights]
        self._steps = self._updates = 0
        self._window = math.inf  # updates of an epoch
        self._epochs = 0

    def step(self) -> None:
        """Take in the weights after a step, unless the next update is some steps away."""
        self._steps += 1
        if self._steps == _STEPS:
            self._update()

    def end_epoch(self) -> None:
        """Take in the weights after the last step of an epoch; then it is known how many it has."""
        if self._steps:
            self._update()
        self._epochs += 1
        self._window = max(self._updates / self._epochs, 1.0)

    def _update(self) -> None:
        self._steps, self._updates = 0, self._updates + 1
        # At first nothing is kept of the start, and later about the last ninth of all updates.
        kept = (self._updates - 1) / (9 + self._updates)
        kept = min(kept, 1 - 1 / self._window)
        torch._foreach_lerp_(self._means, self._weights, 1 - kept)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Put the mean in the place of the weights for a while."""
        kept = [one.clone() for one in self._weights]
        torch._foreach_copy_(self._weights, self._means)
        try:
            yield
        finally:
            torch._foreach_copy_(self._weights, kept)

    def state(self) -> dict[str, Any]:
        """Return what ``resume`` needs, between epochs."""
        return {"means": self._means, "updates": self._updates, "epochs": self._epochs}

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from what ``state`` returned."""
        torch._foreach_copy_(self._means, state["means"])
        self._updates, self._epochs = state["updates"], state["epochs"]
        self._window = max(self._updates / self._epochs, 1.0)
