"""Train the reader of histories as a SASRec learns: each place predicts the next title.

The score of a title is the product of its vector and the state before it; the loss is cross-entropy
over sampled titles (item_softmax.py), or over all of a small catalog. A title's vector is that of
its text plus its own.
"""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from gpt4rec_es.encoders.history_reader import HistoryReader
from gpt4rec_es.lab.sequences.item_softmax import drawn_items, item_softmax, sampling_chances
from gpt4rec_es.lab.sequences.sorted_batches import sorted_batches, windows
from gpt4rec_es.lab.sequences.weights import copies, put_back
from gpt4rec_es.lab.training.dataset import Histories
from gpt4rec_es.lab.training.divergence import DivergedError
from gpt4rec_es.lab.training.fit_loop import StepLosses
from gpt4rec_es.metrics.accuracy import Targets
from gpt4rec_es.metrics.lists import as_lists

_K = 10
# Titles of a loss; of a catalog of few titles all, which learns more per second.
_SAMPLES, _FEW_TITLES = 256, 5_000
_STEP, _TITLES = 512, 10_000  # histories, and titles, read at a time
# Mean length of histories for which a batch has as many as its size; of longer ones it has fewer,
# so that shops with long histories have as many steps per purchase.
_LENGTH = 8
# Scores of users kept back for all titles that are held in memory, and users whatever the catalog.
_SCORES, _FEWEST_USERS = 100_000_000, 100
_TEMPERATURES = (1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0)


@dataclass(frozen=True, eq=False)
class NumberedTitles:
    """The titles of training histories by number, and validation users in these numbers.

    tokens: (titles, longest), padded with -1. histories: of the training, oldest first. read,
    targets: histories and next titles of validation users whose target is known.
    """

    tokens: Any
    histories: list[list[int]]
    read: list[list[int]]
    targets: list[int]


def number_titles(histories: Histories, validation: Histories, tokens: Any) -> NumberedTitles:
    """Return the titles of ``histories`` as numbered there; unknown ones of ``validation`` go.

    Of a large catalog only the first users of ``validation`` stay, so that scores fit into memory.
    """
    most = max(_FEWEST_USERS, _SCORES // max(len(histories.titles), 1))
    numbers = {title: number for number, title in enumerate(histories.titles)}
    known = [numbers.get(title, -1) for title in validation.titles]
    read: list[list[int]] = []
    targets: list[int] = []
    for _, own in validation:
        if len(own) > 1 and known[own[-1]] >= 0 and len(read) < most:
            read.append([known[title] for title in own[:-1] if known[title] >= 0])
            targets.append(known[own[-1]])
    return NumberedTitles(tokens, [own.tolist() for _, own in histories], read, targets)


class ReaderLearner:
    """The reader with its examples, losses and optimiser; see fit_loop.Learner."""

    def __init__(
        self,
        reader: HistoryReader,
        data: NumberedTitles,
        lr: float,
        batch_size: int,
        seed: int,
        deadline: float | None = None,
    ) -> None:
        """deadline: of the monotonic clock, after which epochs are empty."""
        self._deadline = deadline
        self.network, self._data, self._size, self._seed = reader, data, batch_size, seed
        learning = [w for name, w in reader.named_parameters() if not name.startswith("prefix.")]
        self.optimizer = torch.optim.Adam(learning, lr=lr)
        flat = torch.tensor([title for own in data.histories for title in own])
        self._chances = sampling_chances(
            torch.bincount(flat, minlength=reader.shape.titles).float()
        )
        self._targets = Targets([[one] for one in data.targets]) if data.targets else None

    def enter(self, stage: int) -> None:
        """Do nothing: there is one stage."""

    def batches(self, seed: int) -> Iterator[tuple[list[list[int]], Any]]:
        """Return histories with their next titles, in windows of whole ones, and negatives."""
        random = np.random.default_rng((self._seed, seed))
        rows = self._windows(random)
        samples = _SAMPLES if self.network.shape.titles > _FEW_TITLES else 0
        for chosen in sorted_batches(list(map(len, rows)), self._windows_per_step(rows), random):
            if self._deadline is not None and time.monotonic() > self._deadline:
                return
            own = [list(rows[row]) for row in chosen]
            yield own, drawn_items(self._chances, samples, random)

    @property
    def steps(self) -> int:
        """Number of steps of an epoch, about: windows are cut at other places in each."""
        rows = self._windows(np.random.default_rng(self._seed))
        return math.ceil(len(rows) / self._windows_per_step(rows))

    def _windows_per_step(self, windows: Sequence[Sequence[int]]) -> int:
        mean = sum(map(len, windows)) / len(windows)
        return max(1, min(self._size, round(self._size * _LENGTH / mean)))

    def _windows(self, random: np.random.Generator) -> list[Sequence[int]]:
        most = self.network.shape.length + 1
        return windows(self._data.histories, most, 1, random, whole=True)

    def losses(self, batch: tuple[list[list[int]], Any]) -> StepLosses:
        """Return the mean cross-entropy of all titles of a batch."""
        rows, negatives = batch
        reader = self.network
        device = reader.start.device
        joined = np.concatenate([*rows, negatives.numpy()])
        titles, places = np.arange(reader.shape.titles), joined
        if len(negatives):  # only titles of the batch are needed
            titles, places = np.unique(joined, return_inverse=True)
        numbers = torch.from_numpy(titles)
        vectors = reader.title_vectors(numbers.to(device), self._data.tokens[numbers].to(device))
        ends = np.cumsum([0, *map(len, rows)])
        width = int(np.diff(ends).max())
        items = np.full((len(rows), width), len(titles))
        for row, (start, end) in enumerate(pairwise(ends)):
            items[row, : end - start] = places[start:end]
        following = torch.from_numpy(items).to(device)
        states = reader.states(_with_padding(vectors)[following[:, :-1]])
        real = following < len(titles)
        loss = item_softmax(
            states[real],
            following[real],
            vectors,
            vectors.new_zeros(len(titles)),
            torch.from_numpy(places[ends[-1] :]).to(device),
            self._chances[numbers].to(device),
        )
        return StepLosses(loss, {"loss": float(loss.detach())}, len(rows))

    def measure(self) -> float | None:
        """Return NDCG@10 of validation users among all known titles, without those they bought."""
        if self._targets is None:
            return None
        scores = known_scores(self.network, self._data)
        best = scores.topk(min(_K, scores.shape[1]), dim=1)
        found = as_lists(best.indices.tolist(), _K)
        return float(self._targets.measure(found)["ndcg"].mean())

    def weights(self) -> dict[str, Any]:
        """Return copies of all weights."""
        return copies(self.network)

    def set_weights(self, weights: dict[str, Any]) -> None:
        """Go back to ``weights``."""
        put_back(self.network, weights)


def all_vectors(reader: HistoryReader, data: NumberedTitles) -> Any:
    """Return the vectors of all known titles, (titles, dim), without gradients."""
    return _vectors(reader, torch.arange(reader.shape.titles), data.tokens)


def _vectors(reader: HistoryReader, numbers: Any, tokens: Any) -> Any:
    """Return (titles, dim), without gradients; read in parts, as catalogs may be large."""
    device = reader.start.device
    with torch.no_grad():
        parts = zip(numbers.split(_TITLES), tokens.split(_TITLES), strict=True)
        return torch.cat([reader.title_vectors(a.to(device), b.to(device)) for a, b in parts])


def known_scores(reader: HistoryReader, data: NumberedTitles) -> Any:
    """Return (validation users, titles): scores of known titles, -inf for those bought."""
    vectors = all_vectors(reader, data)
    with torch.no_grad():
        states = torch.cat(
            [
                reader.last_states(vectors, data.read[start : start + _STEP])
                for start in range(0, len(data.read), _STEP)
            ]
        )
    scores = (states @ vectors.T).cpu()
    rows = [row for row, own in enumerate(data.read) for _ in own]
    scores[rows, [title for own in data.read for title in own]] = -torch.inf
    return scores


def reader_nats(reader: HistoryReader, data: NumberedTitles, others: Any) -> float | None:
    """Return the mean -log p of next titles of validation users; None: there are none.

    others: tokens of titles that may be chosen, too, and that no history has, (titles, longest).

    Raises:
        DivergedError: a probability is no number, because the training diverged in its last steps.
    """
    if not data.targets:
        return None
    unknown = torch.full((len(others),), reader.shape.titles)
    found: list[float] = []
    with torch.no_grad():
        vectors = all_vectors(reader, data)
        every = torch.cat((vectors, _vectors(reader, unknown, others)))
        for start in range(0, len(data.read), _FEWEST_USERS):
            part = slice(start, start + _FEWEST_USERS)
            states = reader.last_states(vectors, data.read[part])
            logprobs = (states @ every.T).log_softmax(1).cpu()
            found += logprobs.gather(1, torch.tensor(data.targets[part])[:, None])[:, 0].tolist()
    if not np.isfinite(found).all():
        raise DivergedError("The training of the reader diverged.", "Lower --pretrain-lr.")
    return -sum(found) / len(found)


def fitted_temperature(reader: HistoryReader, data: NumberedTitles) -> float:
    """Return the divisor of scores that makes targets of validation users likeliest; 1 without any.

    A reader of a small shop learns its users by heart, and is too sure of other ones.
    """
    if not data.targets:
        return 1.0
    scores = known_scores(reader, data)
    bought = [own.count(target) for own, target in zip(data.read, data.targets, strict=True)]
    rows = [row for row, count in enumerate(bought) if not count]
    targets = torch.tensor(data.targets)[rows]

    def nats(temperature: float) -> float:
        return float(torch.nn.functional.cross_entropy(scores[rows] / temperature, targets))

    return min(_TEMPERATURES, key=nats) if rows else 1.0


def _with_padding(vectors: Any) -> Any:
    """Return ``vectors`` and, behind them, one of zeros for places without a title."""
    return torch.cat((vectors, vectors.new_zeros(1, vectors.shape[1])))
