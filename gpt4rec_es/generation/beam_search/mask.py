"""Which cache entries each beam may attend to, when all beams of a prompt share one cache.

An entry belongs to every beam that descends from it. When beams are selected, only this table is
gathered by parent; the cache itself stays where it is.
"""

from typing import Any

import torch

# Memory-efficient attention wants rows of a mask to begin at multiples of this many entries.
_ALIGNMENT = 16


class TreeMask:
    """An additive mask, 0 for "attend" and the lowest finite number for "never".

    It must be additive: eager attention adds what it is given, so a boolean mask would let every
    beam see every other, without an error. And finite: rows that attend to nothing must not
    become NaN.
    """

    def __init__(self, prompt_mask: Any, beams: int, dtype: Any) -> None:
        """prompt_mask: (rows, width), 1 for tokens and 0 for padding."""
        self._never = torch.finfo(dtype).min
        self._beams = beams
        self._width = prompt_mask.shape[1]
        prompt = (prompt_mask == 0).to(dtype) * self._never
        self._values = prompt[:, None, :].expand(-1, beams, -1)  # (rows, m, entries)

    @property
    def entries(self) -> int:
        """How many cache entries the mask covers, those of the prompt included."""
        return int(self._values.shape[-1])

    def visible(self) -> Any:
        """Return the mask as attention takes it: (rows, 1, m, entries)."""
        return self._values[:, None]

    def inherit(self, parents: Any) -> None:
        """Let each beam see what its parent sees. parents: (rows, m)."""
        line = torch.arange(parents.shape[0], device=parents.device)[:, None]
        self._values = self._values[line, parents]

    def grow(self, parents: Any) -> None:
        """Let each beam see what its parent sees, and the entry that it is about to add.

        parents: (rows, m).
        """
        rows, m, entries = self._values.shape
        aligned = -(-(entries + m) // _ALIGNMENT) * _ALIGNMENT
        values = self._values.new_empty(rows, m, aligned)[:, :, : entries + m]
        line = torch.arange(rows, device=parents.device)[:, None]
        values[:, :, :entries] = self._values[line, parents]
        own = torch.full((m, m), self._never, dtype=values.dtype, device=values.device)
        values[:, :, entries:] = own.fill_diagonal_(0.0)
        self._values = values

    def living(self) -> Any:
        """Return (rows, entries after the prompt) bool: some running beam descends from it."""
        return (self._values[:, :, self._width :] == 0).any(dim=1)

    def squeeze(self, kept: Any) -> None:
        """Keep of the entries after the prompts those at ``kept`` (rows, n), in that order."""
        index = kept[:, None, :].expand(-1, self._beams, -1)
        after = self._values[:, :, self._width :].gather(2, index)
        self._values = torch.cat((self._values[:, :, : self._width], after), dim=2)

    def take(self, order: Any) -> None:
        """Keep the rows ``order``, in that order."""
        self._values = self._values[order]
