"""Train the decoder behind a reader of histories: it learns to write what the reader expects.

The reader does not change. From each state of each history the decoder writes one title: the next
one that was bought, or one that is drawn from the reader's own probabilities, so that the data
never end. At each branch of the titles' trie it learns these probabilities themselves
(title_targets.py).
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from gpt4rec_es.encoders.history_network import HistoryNetwork
from gpt4rec_es.encoders.sequence_network import padded
from gpt4rec_es.generation.title_search.likelihood import title_logprobs
from gpt4rec_es.generation.title_search.trie import TitleTrie
from gpt4rec_es.lab.sequences.sorted_batches import windows
from gpt4rec_es.lab.sequences.weights import copies, put_back
from gpt4rec_es.lab.training.divergence import DivergedError
from gpt4rec_es.lab.training.fit_loop import StepLosses
from gpt4rec_es.lab.training.history_reading import NumberedTitles, all_vectors
from gpt4rec_es.lab.training.loss import choice_loss, linear_cross_entropy
from gpt4rec_es.lab.training.title_targets import Choices, TargetBatch, TitleTargets

# Part of the states that learn the title that was bought, and part that learn a title to its end.
_BOUGHT, _WHOLE = 0.3, 0.05


@dataclass(frozen=True, slots=True)
class WritingOptions:
    """Options of the decoder's training.

    states: of histories per step, about. seconds: limit, at which the learning rate has come to 0.
    mixed: products in 16 bits.
    """

    epochs: float
    lr: float
    weight_decay: float
    warmup_steps: int
    states: int
    seed: int
    seconds: float | None = None
    mixed: bool = False


class WriterLearner:
    """The decoder and the projection of states to prefixes; see fit_loop.Learner."""

    def __init__(
        self,
        network: HistoryNetwork,
        data: NumberedTitles,
        targets: TitleTargets,
        options: WritingOptions,
    ) -> None:
        self._reader, self._decoder = network
        self._reader.eval()
        # Most rows have fewer than ten tokens, where the kernels for long ones are slower.
        self._decoder.set_attn_implementation("eager")
        self._data, self._targets, self._options = data, targets, options
        # The reader's other layers stay in evaluation mode.
        self.network = torch.nn.ModuleList([self._decoder, self._reader.prefix])
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=options.lr, weight_decay=options.weight_decay
        )
        self._vectors = all_vectors(self._reader, data)
        self._leaves = torch.from_numpy(targets.leaves)
        self._titles = torch.zeros(len(targets.trie), dtype=torch.int64)  # one of each leaf
        self._titles[self._leaves] = torch.arange(len(self._leaves))
        self.tokens = self.steps = 0
        self._started = time.monotonic()

    @property
    def planned_steps(self) -> int:
        """Number of steps of all epochs."""
        return int(np.ceil(self._options.epochs * self._per_epoch))

    @property
    def _per_epoch(self) -> int:
        states = sum(map(len, self._data.histories))
        return int(np.ceil(states / self._options.states))

    def enter(self, stage: int) -> None:
        """Do nothing: there is one stage."""

    def batches(self, seed: int) -> Iterator["_Step"]:
        """Return the steps of an epoch, whose number is ``seed``: fewer at the end of the training.

        Every state of every history is in one of them.
        """
        random = np.random.default_rng((self._options.seed, seed))
        most = self._reader.shape.length + 1
        cut = windows(self._data.histories, most, 1, random, whole=True)
        number, chosen, states = seed * self._per_epoch, [], 0
        order = random.permutation(len(cut))
        for place, row in enumerate(order):
            chosen.append(list(cut[row]))
            states += len(chosen[-1])
            if states >= self._options.states or place == len(order) - 1:
                if self._progress(number) >= 1:
                    return
                yield self._step(number, chosen, random)
                number, chosen, states = number + 1, [], 0

    def losses(self, batch: "_Step") -> StepLosses:
        """Return the mean cross-entropy of all tokens that are learnt in a step."""
        options = self._options
        warm = min(1.0, (batch.number + 1) / max(options.warmup_steps, 1))
        for group in self.optimizer.param_groups:
            group["lr"] = options.lr * warm * (1 - self._progress(batch.number))
        reader, decoder, learnt = self._reader, self._decoder, batch.learnt
        device = reader.start.device
        embeddings = decoder.get_input_embeddings()
        with torch.autocast(device.type, torch.bfloat16, enabled=options.mixed):
            embeddings.vectors = reader.prefixes(batch.states).flatten(0, 1)
            # Causal attention ignores padding, which comes last; a mask would slow it down.
            hidden = torch.cat(
                [
                    decoder.base_model(ids.to(device), use_cache=False).last_hidden_state.flatten(
                        0, 1
                    )
                    for ids in learnt.ids
                ]
            )  # (states, width)
            loss = self._loss(hidden, embeddings.weight, learnt, device)
        self.steps, self.tokens = self.steps + 1, self.tokens + learnt.tokens
        return StepLosses(loss, {"loss": float(loss.detach())}, len(batch.states))

    def _loss(self, hidden: Any, weight: Any, learnt: TargetBatch, device: Any) -> Any:
        """Return the mean cross-entropy of all states that decide something."""
        first_words = self._targets.first_words.to(device)
        first = hidden[learnt.firsts.to(device)] @ weight[first_words].T
        total = functional.cross_entropy(first.float(), learnt.start.to(device), reduction="sum")
        choices = Choices(*(part.to(device) for part in learnt.choices))
        total = total + choice_loss(hidden[choices.states], weight, choices)
        states, words = (part.to(device) for part in learnt.spelled)
        spelled = linear_cross_entropy(hidden[states], weight, words)
        return (total + len(words) * spelled) / (len(first) + len(choices.states) + len(words))

    def measure(self) -> None:
        """Return None: the rate ends at 0, so that the last epoch counts."""

    def weights(self) -> dict[str, Any]:
        """Return copies of all weights, and what was read so far."""
        return copies(self.network) | {"read": torch.tensor([self.steps, self.tokens])}

    def set_weights(self, weights: dict[str, Any]) -> None:
        """Go back to ``weights``."""
        self.steps, self.tokens = weights["read"].tolist()
        put_back(self.network, weights)

    def _progress(self, number: int) -> float:
        """Return the part of the training that is over before a step, 1 at the end."""
        done = number / max(self.planned_steps, 1)
        if self._options.seconds is not None:
            done = max(done, (time.monotonic() - self._started) / self._options.seconds)
        return min(done, 1.0)

    def _step(self, number: int, rows: list[list[int]], random: np.random.Generator) -> "_Step":
        reader, most = self._reader, self._reader.shape.length
        read = [row[:most] for row in rows]
        padding = len(self._vectors)
        with torch.no_grad():
            every = torch.cat((self._vectors, self._vectors.new_zeros(1, reader.shape.dim)))
            found = reader.states(every[padded(read, padding).long().to(every.device)])
            at = [(row, place) for row, own in enumerate(read) for place in range(len(own) + 1)]
            states = found[tuple(torch.tensor(at).T)]
            chances = self._chances(states)
            sums = torch.zeros(len(states), len(self._targets.trie) + 1, dtype=torch.float64)
            torch.cumsum(self._by_leaf(chances), 1, dtype=torch.float64, out=sums[:, 1:])
        # A title is drawn by its place among the sums.
        drawn = torch.from_numpy(random.random((len(states), 1))) * sums[:, -1:]
        leaves = torch.searchsorted(sums[:, 1:].contiguous(), drawn, right=True)[:, 0]
        titles = self._titles[leaves.clamp(max=len(self._titles) - 1)].numpy()
        bought = np.array([rows[row][place] if place < len(rows[row]) else -1 for row, place in at])
        shows = (random.random(len(at)) < _BOUGHT) & (bought >= 0)
        whole = random.random(len(at)) < _WHOLE
        words = len(self._decoder.get_input_embeddings().weight)
        ids = prefix_ids(words, len(states), reader.shape.prefix)
        learnt = self._targets.batch(np.where(shows, bought, titles), sums.numpy(), whole, ids)
        return _Step(number, states, learnt)

    def _chances(self, states: Any) -> Any:
        """Return the reader's probabilities, (states, titles)."""
        return (states @ self._vectors.T).softmax(1).cpu()

    def _by_leaf(self, chances: Any) -> Any:
        """Return (states, leaves); titles of one leaf are added up."""
        if len(self._titles) == len(self._leaves):
            return chances[:, self._titles]
        found = torch.zeros(len(chances), len(self._titles))
        return found.index_add_(1, self._leaves, chances)


@dataclass(frozen=True, eq=False)
class _Step:
    """One step: its number, states (rows, dim), and what the decoder learns from them."""

    number: int
    states: Any
    learnt: TargetBatch


def prefix_nats(
    network: HistoryNetwork,
    data: NumberedTitles,
    titles: Sequence[Sequence[int]],
    catalog: Sequence[Sequence[int]],
) -> float | None:
    """Return the mean -log p of next titles of validation users; None: there are none.

    titles: tokens of the known ones; the probability is among these and those of the ``catalog``.

    Raises:
        DivergedError: a probability is no number, because the training diverged in its last steps.
    """
    if not data.targets:
        return None
    reader, decoder = network
    decoder.eval()
    trie = TitleTrie([*catalog, *titles])
    embeddings = decoder.get_input_embeddings()
    with torch.inference_mode():
        vectors = all_vectors(reader, data)
        embeddings.vectors = reader.prefixes(reader.last_states(vectors, data.read)).flatten(0, 1)
    ids = prefix_ids(len(embeddings.weight), len(data.targets), reader.shape.prefix)
    leaves = [trie.leaf(titles[title]) for title in data.targets]
    try:
        logprobs = title_logprobs(decoder, ids.tolist(), leaves, trie)
    except FloatingPointError as error:
        raise DivergedError("The training of the decoder diverged.", "Lower --lr.") from error
    return -sum(logprobs) / len(logprobs)


def prefix_ids(vocabulary: int, rows: int, prefix: int) -> Any:
    """Return the ids of the prefixes of ``rows`` histories, (rows, prefix)."""
    return vocabulary + np.arange(rows * prefix).reshape(rows, prefix)
