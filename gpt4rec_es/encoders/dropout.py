"""Dropout whose random numbers are cheap on a CPU.

torch draws a random number of its own for each element there, which took 40 % of a training of a
small transformer. Here one number of 64 bits decides on eight elements, so the rate is a multiple
of 1/256. On other devices torch's own is used.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional

_LEVELS = 256  # values of a byte


class Dropout(nn.Module):  # type: ignore[misc]  # torch leaves it untyped
    """As torch's Dropout, its rate rounded to 1/256 on a CPU."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, values: Any) -> Any:
        """Return ``values`` with a part ``rate`` of them 0 and the others larger, in training."""
        dropped = round(self.rate * _LEVELS)
        if not self.training or not dropped:
            return values
        if values.device.type != "cpu" or dropped == _LEVELS:
            return functional.dropout(values, self.rate)
        count = values.numel()
        drawn = torch.empty((count + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
        kept = drawn.view(torch.uint8)[:count].view(values.shape) >= dropped
        return values * kept.to(values.dtype).mul_(_LEVELS / (_LEVELS - dropped))
