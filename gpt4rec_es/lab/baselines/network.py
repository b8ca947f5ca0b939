"""Base of trained baselines: what each of them offers, and the lists that its scores make.

A baseline is one module beside this one. It knows users and items by index, learns from training
histories alone, and scores the whole catalog at once.
"""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from gpt4rec_es.db.rows.metadata import ItemFields
from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.baselines.baseline_options import DEFAULTS, BaselineOptions

# Users scored at a time, and scores: 80 MB, and as much again for what is made of them.
_USERS, _SCORES = 512, 20_000_000


@dataclass(frozen=True, eq=False)
class BaselineData:
    """Training data. histories: item indices of each user, oldest first, each once.

    fields: metadata of each item, of which a method uses what it ``reads``.
    """

    histories: Sequence[Sequence[int]]
    n_items: int
    fields: Sequence[ItemFields] = ()


class BaselineNetwork(nn.Module):  # type: ignore[misc]  # torch leaves it untyped
    """A baseline with its examples and loss; equal seeds of torch give equal networks.

    reads: metadata of items that it learns from. is_served: nights can use it.
    """

    name: ClassVar[str]
    reads: ClassVar[tuple[str, ...]] = ()
    is_served: ClassVar[bool] = False

    def __init__(self, data: BaselineData, options: BaselineOptions) -> None:
        super().__init__()
        self.n_items, self.options = data.n_items, options
        flat = [item for history in data.histories for item in history]
        events = torch.bincount(torch.tensor(flat, dtype=torch.long), minlength=data.n_items)
        self.register_buffer("events", events.float(), persistent=False)

    @abstractmethod
    def batches(self, data: BaselineData, epoch: int) -> Iterator[Any]:
        """Return the batches of an epoch, tuples of tensors with a row per example.

        Order and negatives follow from the seed of the options and ``epoch``.
        """

    @abstractmethod
    def loss(self, *batch: Any) -> Any:
        """Return the mean loss of a batch."""

    @abstractmethod
    def scores(self, users: Any, histories: Sequence[Sequence[int]]) -> Any:
        """Return scores as (users, items), without gradients.

        users: indices, -1: not in the training data. histories: not empty, oldest first.
        """

    @property
    def unlisted(self) -> Any:
        """Items for no list and not to read, as (items,): those whose vectors never learned."""
        return self.events == 0

    def lists(
        self,
        users: Sequence[int],
        histories: Sequence[Sequence[int]],
        k: int,
        left_out: Sequence[int] = (),
    ) -> list[list[int]]:
        """Return at most ``k`` items for each user, best first, none of their history.

        users: indices, -1: not in the training data. left_out: items for no list. As in nights,
        the newest items of a history are read, and of those none that is ``unlisted``; users with
        nothing to read get popular items. Equal scores are ordered by item.

        Raises:
            UsageError: ``k`` is below 1.
        """
        if k < 1:
            raise UsageError(f"k is {k}.", "Ask for at least 1 item.")
        hidden = torch.zeros(self.n_items, dtype=torch.bool)
        hidden[list(left_out)] = True
        unlisted = self.unlisted.cpu()
        hidden |= unlisted
        newest = self.options.length if "length" in DEFAULTS[self.name] else 0
        known = [not one for one in unlisted.tolist()]
        read = [[item for item in history[-newest:] if known[item]] for history in histories]
        found: list[list[int]] = []
        step = max(1, min(_USERS, _SCORES // self.n_items))
        for first in range(0, len(users), step):
            part = slice(first, first + step)
            scores = self._scores(users[part], read[part])
            rows = [row for row, history in enumerate(histories[part]) for _ in history]
            scores[rows, [item for history in histories[part] for item in history]] = -torch.inf
            scores[:, hidden] = -torch.inf
            found += best_of_rows(scores, k)
        return found

    def _scores(self, users: Sequence[int], histories: Sequence[Sequence[int]]) -> Any:
        """Return (users, items) on the CPU: scores, or numbers of events without a history."""
        scores = torch.empty(len(users), self.n_items)
        served = [row for row, history in enumerate(histories) if history]
        if len(served) < len(users):
            scores[:] = self.events.cpu()
        if served:
            numbers = torch.tensor([users[row] for row in served])
            with torch.no_grad():
                own = self.scores(numbers, [histories[row] for row in served])
            scores[served] = own.float().cpu()
        return scores


def best_of_rows(scores: Any, k: int) -> list[list[int]]:
    """Return the columns of the ``k`` highest values of each row, without those of -inf.

    Equal values are ordered by column.
    """
    # One more tells whether several columns share the last value: then some are left to chance.
    values, columns = scores.topk(min(k + 1, scores.shape[1]), dim=1)
    if values.shape[1] > k:
        tied = values[:, k - 1] == values[:, k]
        columns[tied] = scores[tied].sort(dim=1, descending=True, stable=True).indices[:, : k + 1]
    columns = columns[:, :k].sort(dim=1).values
    values = scores.gather(1, columns)
    order = values.sort(dim=1, descending=True, stable=True).indices
    columns, values = columns.gather(1, order), values.gather(1, order)
    lengths = (values > -torch.inf).sum(1).tolist()
    return [row[:n] for row, n in zip(columns.tolist(), lengths, strict=True)]
