"""Key-value cache of the prompts and of all beams, written once and never copied per beam.

One row per prompt: first its tokens, then m entries for every step. Buffers are allocated ahead.
When one is full, entries without a running descendant are removed; it grows only if that does not
free enough entries. The mask decides which entries of a row each beam attends to.
"""

from typing import Any

import torch
from transformers.cache_utils import Cache, CacheLayerMixin


class _Layer(CacheLayerMixin):  # type: ignore[misc] # the library is not typed
    """Buffers of one layer: (allocated rows, heads, capacity, head size), used up to ``length``."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.keys: Any = None
        self.values: Any = None
        self._room = room
        self._rows = 0
        self.length = 0

    def update(self, keys: Any, values: Any, *_: Any, **__: Any) -> tuple[Any, Any]:
        """Append (rows, heads, new, head size); return all entries of the rows in use."""
        if self.keys is None:
            self._rows = keys.shape[0]
            capacity = keys.shape[2] + self._room
            self.keys = keys.new_empty(*keys.shape[:2], capacity, keys.shape[3])
            self.values = values.new_empty(*values.shape[:2], capacity, values.shape[3])
        start, self.length = self.length, self.length + keys.shape[2]
        self.keys[: self._rows, :, start : self.length] = keys
        self.values[: self._rows, :, start : self.length] = values
        return self._used(self.keys), self._used(self.values)

    def _used(self, buffer: Any) -> Any:
        return buffer[: self._rows, :, : self.length]

    @property
    def free(self) -> int:
        """Number of entries that can be appended to each row."""
        return int(self.keys.shape[2]) - self.length

    def compact(self, kept: Any, width: int, room: int) -> None:
        """Keep ``width`` entries and, behind them, those at ``kept``; have room for ``room`` more.

        kept: (rows, n), indices relative to ``width``.
        """
        length = width + kept.shape[1]
        for name in ("keys", "values"):
            buffer = getattr(self, name)
            live_entries = _rows_at(buffer, width + kept)  # (rows, heads, n, head size)
            if buffer.shape[2] < length + room:
                shape = (self._rows, buffer.shape[1], length + room, buffer.shape[3])
                grown = buffer.new_empty(shape)
                grown[:, :, :width] = buffer[: self._rows, :, :width]
                setattr(self, name, grown)
            getattr(self, name)[: self._rows, :, width:length] = live_entries
        self.length = length

    def take(self, rows: int, targets: Any, sources: Any) -> None:
        """Move the rows ``sources`` to ``targets``, then use only the first ``rows``."""
        for buffer in (self.keys, self.values):
            buffer[targets, :, : self.length] = buffer[sources, :, : self.length]
        self._rows = rows

    def lazy_initialization(self, key_states: Any, value_states: Any) -> None:
        """Do nothing: buffers are allocated by the first update."""

    def get_seq_length(self) -> int:
        """Return the number of entries of each row."""
        return self.length

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Return the number of entries that the next query attends to, and the offset 0."""
        return self.length + query_length, 0

    def get_max_length(self) -> int:
        """Return -1: no maximum length."""
        return -1


def _rows_at(buffer: Any, places: Any) -> Any:
    """Return (rows, heads, n, size): entries ``places`` (rows, n) of each row and head."""
    rows, n = places.shape
    _, heads, capacity, size = buffer.shape
    lines = torch.arange(rows * heads, device=places.device).view(rows, heads, 1)
    index = lines * capacity + places[:, None, :]  # (rows, heads, n)
    return buffer.view(-1, size).index_select(0, index.flatten()).view(rows, heads, n, size)


class BeamCache(Cache):  # type: ignore[misc] # the library is not typed
    """The cache of one batch, with the interface of the transformers library's Cache."""

    def __init__(self, layers: int, room: int) -> None:
        """room: entries allocated for each row beyond those of its prompt."""
        super().__init__(layers=[_Layer(room) for _ in range(layers)])

    @property
    def length(self) -> int:
        """Number of entries of each row."""
        return int(self.layers[0].length)

    @property
    def free(self) -> int:
        """Number of entries that can be appended to each row."""
        return int(self.layers[0].free)

    @property
    def nbytes(self) -> int:
        """Bytes allocated."""
        return sum(layer.keys.nbytes + layer.values.nbytes for layer in self.layers)

    def compact(self, kept: Any, width: int, room: int) -> None:
        """Keep ``width`` entries and those at ``kept`` (rows, n) behind; have ``room`` for more."""
        for layer in self.layers:
            layer.compact(kept, width, room)

    def take(self, order: list[int]) -> None:
        """Keep the rows ``order``, in that order; a row that keeps its place is not copied."""
        moves = [(target, source) for target, source in enumerate(order) if target != source]
        device = self.layers[0].keys.device
        targets, sources = torch.tensor(moves, dtype=torch.int64, device=device).view(-1, 2).T
        for layer in self.layers:
            layer.take(len(order), targets, sources)
