"""Attention mask of beams that share one cache per prompt.

A beam attends to the entries of its ancestors. When beams are selected, only this table is gathered
by parent; the cache itself is not copied.
"""

from typing import Any

import torch

# Memory-efficient attention needs mask rows that are aligned to this number of entries.
_ALIGNMENT = 16


class TreeMask:
    """An additive mask: 0 for "attend" and the lowest finite number for "mask out".

    It must be additive, because eager attention adds the mask: with a boolean one every beam would
    attend to all others, without an error. It must be finite, so that fully masked rows do not
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
        """Number of cache entries that the mask covers, including those of the prompt."""
        return int(self._values.shape[-1])

    def visible(self) -> Any:
        """Return the mask for attention: (rows, 1, m, entries)."""
        return self._values[:, None]

    def inherit(self, parents: Any) -> None:
        """Give each beam the mask of its parent. parents: (rows, m)."""
        line = torch.arange(parents.shape[0], device=parents.device)[:, None]
        self._values = self._values[line, parents]

    def grow(self, parents: Any) -> None:
        """Give each beam the mask of its parent plus the entry that it will append.

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

    def live_entries(self) -> Any:
        """Return (rows, entries after the prompt) bool: whether a running beam descends from it."""
        return (self._values[:, :, self._width :] == 0).any(dim=1)

    def compact(self, kept: Any) -> None:
        """Keep only the entries at ``kept`` (rows, n) after the prompts, in that order."""
        index = kept[:, None, :].expand(-1, self._beams, -1)
        after = self._values[:, :, self._width :].gather(2, index)
        self._values = torch.cat((self._values[:, :, : self._width], after), dim=2)

    def take(self, order: Any) -> None:
        """Keep the rows ``order``, in that order."""
        self._values = self._values[order]
