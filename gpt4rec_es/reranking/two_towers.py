"""Two towers: a vector for each user and item, whose product, with the item's bias, is the score.

One matrix product scores a whole catalog.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from gpt4rec_es.errors import DataError
from gpt4rec_es.reranking.history_sequence import HistorySequence, newest_mean, running_means
from gpt4rec_es.reranking.id_embeddings import IdEmbeddings
from gpt4rec_es.reranking.metadata import MISSING, Metadata, RecommenderData, pad_histories
from gpt4rec_es.reranking.text_table import TextTable
from gpt4rec_es.reranking.tower_options import TowerOptions

_CHUNK = 4096  # items or users of one pass when all are read


@dataclass(frozen=True, eq=False)
class Snapshot:
    """All item vectors (items, dim) and biases (items,), without gradients."""

    vectors: Any
    biases: Any


class TwoTowers(nn.Module):  # type: ignore[misc]
    """Base of recommenders; ``item_fusion`` and ``user_fusion`` join IDs and metadata.

    fields: of the data's items. item_table, user_table: texts of metadata and their vectors; the
    user's None: no metadata.
    """

    fields: tuple[str, ...]
    item_fusion: Any
    user_fusion: Any

    def __init__(
        self, dim: int, data: RecommenderData, items: TextTable, options: TowerOptions
    ) -> None:
        super().__init__()
        self.dim, self.options, self.table = dim, options, items
        self.items, self.users, self.train_histories = data.items, data.users, data.histories
        self.n_items, self.n_users = len(data.items), len(data.histories)
        self.item_ids = IdEmbeddings(data.item_counts > 0, dim, options.id_dropout)
        self.item_bias = nn.Parameter(torch.zeros(self.n_items))
        self.other_bias = nn.Parameter(torch.zeros(()))
        known = torch.tensor([len(history) > 0 for history in data.histories], dtype=torch.bool)
        if options.user_mode != "history":
            self.user_ids = IdEmbeddings(known, dim, options.id_dropout)
        if options.user_mode != "id":
            self.no_history = nn.Parameter(torch.zeros(dim))
            options.require_width(dim)
            if not options.blocks:
                self.recency = nn.Parameter(torch.zeros(options.history_length))
            else:
                self.sequence = HistorySequence(dim, options.history_length, options.blocks)
        self.register_buffer("item_places", data.items.places, persistent=False)
        if data.users is not None:
            # Texts of users follow those of items in the table.
            shifted = data.users.places + len(data.items.texts)
            places = torch.where(data.users.places < 0, MISSING, shifted)
            self.register_buffer("user_places", places, persistent=False)

    def item_vectors(self, items: Any, table: Any) -> tuple[Any, Any, Any]:
        """Return vectors (items, dim), biases (items,) and attention weights of item numbers.

        table: vectors of the texts of these items, see ``text_table.take``.
        """
        return self.join_items(items, self.item_places[items], table)

    def join_items(self, items: Any, places: Any, table: Any) -> tuple[Any, Any, Any]:
        """Return the same for items whose texts are at ``places``; MISSING: without a number."""
        usable = self.item_ids.usable(items)
        query = self.item_ids(items, usable)
        joined, weights = self.item_fusion(query, table, places)
        own = self.item_bias[items.clamp(min=0)]
        return joined, torch.where(usable, own, self.other_bias), weights

    def user_vectors(
        self, users: Any, histories: Any, items: Any, lookup: Any, table: Any, spots: Any = None
    ) -> Any:
        """Return (users, dim), scaled for the product with item vectors.

        users: numbers, MISSING: unknown ones. histories: (users, length) item numbers, or as
        ``spots`` say. items: (some, dim) item vectors, of which number i is row lookup[i].
        """
        parts = []
        if self.options.user_mode != "history":
            parts.append(self.user_ids(users, self.user_ids.usable(users)))
        if self.options.user_mode != "id":
            parts.append(self.history_vectors(histories, items, lookup, spots))
        query = sum(parts[1:], start=parts[0])
        if self.users is None:
            return self.join_users(query, None, table)
        if self.training and self.options.attribute_dropout:
            dropped = torch.rand(len(users), device=users.device) < self.options.attribute_dropout
            users = users.masked_fill(dropped, MISSING)
        return self.join_users(query, self.places_of_users(users), table)

    def join_users(self, query: Any, places: Any, table: Any) -> Any:
        """Return user vectors of IDs and histories, with the texts at ``places``; None: of none."""
        if places is not None:
            query = self.user_fusion(query, table, places)[0]
        return query / self.dim**0.5

    def as_read(self, metadata: Metadata) -> Metadata:
        """Return metadata as this network reads them."""
        return metadata

    def places_of_users(self, users: Any) -> Any:
        """Return (users, fields) numbers of texts; all are MISSING of a user without a number."""
        return torch.where((users >= 0).unsqueeze(1), self.user_places[users], MISSING)

    def history_vectors(self, histories: Any, items: Any, lookup: Any, spots: Any = None) -> Any:
        """Return (examples, dim): histories read in order by blocks, or means of item vectors.

        A mean is that of the newest items that an example reads, each place with a learned weight.
        spots: see ``HistorySequence``; here an example may read 0 items.
        """
        if self.options.blocks:
            read = self.sequence(histories, items, lookup, spots)
        elif spots is not None:
            read = running_means(histories, items, lookup, spots, self.recency)
        else:
            read = newest_mean(histories, items, lookup, self.recency)
        some = (histories >= 0).any(1) if spots is None else spots[1] > 0
        return torch.where(some.unsqueeze(1), read, self.no_history)

    def snapshot(self) -> Snapshot:
        """Return all item vectors and biases; each distinct text is encoded once."""
        with self._evaluating():
            table = self.table.whole()
            parts = [
                self.item_vectors(items, table)[:2]
                for items in torch.arange(self.n_items, device=table.device).split(_CHUNK)
            ]
        return Snapshot(torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts]))

    def score_catalog(
        self, users: Sequence[int], histories: Sequence[Sequence[int]], snapshot: Snapshot
    ) -> Any:
        """Return raw scores (users, items) of all items.

        users: numbers, MISSING: users that are not in the training data.

        Raises:
            DataError: a number is out of range.
        """
        self.require_known(users, histories)
        device = snapshot.vectors.device
        numbers = torch.tensor(users, dtype=torch.long, device=device)
        with self._evaluating():
            table = None
            if self.users is not None:
                table = self.table.read_for(self.places_of_users(numbers))
            vectors = self.user_vectors(
                numbers,
                pad_histories(histories, self.options.history_length).to(device),
                snapshot.vectors,
                torch.arange(self.n_items, device=device),
                table,
            )
            return vectors @ snapshot.vectors.T + snapshot.biases

    def read_new_items(self, metadata: Metadata) -> Snapshot:
        """Return vectors and biases of items that are not in the data, from metadata alone.

        Raises:
            DataError: the fields are not those of the data.
        """
        metadata.require_fields(self.fields)
        metadata = self.as_read(metadata)
        with self._evaluating():
            table = self.table.encoder.encode_text(metadata.texts)
            places = metadata.places.to(table.device)
            unknown = torch.full((len(metadata),), MISSING, device=table.device)
            return Snapshot(*self.join_items(unknown, places, table)[:2])

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        """Switch gradients and dropout of all kinds off, and back as they were."""
        was_training = self.training
        self.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            self.train(was_training)

    def require_known(self, users: Sequence[int], histories: Sequence[Sequence[int]]) -> None:
        """Check numbers of users, which may be MISSING, and of items.

        Raises:
            DataError: a number is out of range.
        """
        for name, numbers, end in (
            ("user", users, self.n_users),
            ("item", [item for history in histories for item in history], self.n_items),
        ):
            wrong = [n for n in numbers if n >= end or n < (MISSING if name == "user" else 0)]
            if wrong:
                raise DataError(
                    f"There is no {name} {wrong[0]}: the recommender knows {end}.",
                    "Train it again with the new data.",
                )
