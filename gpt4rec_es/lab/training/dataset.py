"""Training data as flat arrays: titles once, histories as title numbers, examples as positions.

Histories contain the same titles millions of times, so tokens are stored per title and a prompt is
assembled from its pieces when needed. The tokens equal those that the night encodes.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.encoders.tokenizer import PromptTokenizer
from gpt4rec_es.prompts.examples import Pairs, target_positions, windows
from gpt4rec_es.prompts.template import CLOSING, OPENING, display_title, target_text, title_piece
from gpt4rec_es.prompts.truncate import first_that_fits, longest_fitting_start
from gpt4rec_es.records import PromptForm

Ints = NDArray[np.int32]
IGNORED = -100  # the label that torch's cross entropy skips


@dataclass(frozen=True)
class Histories:
    """Histories of users: ``titles`` are distinct display titles, ``flat`` numbers of these.

    History u is ``flat[offsets[u]:offsets[u + 1]]``, oldest first.
    """

    titles: list[str]
    flat: Ints
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of users."""
        return len(self.offsets) - 1

    def __iter__(self) -> Iterator[tuple[int, Ints]]:
        """Yield the start in ``flat`` and the title numbers of each history."""
        for start, end in zip(self.offsets[:-1], self.offsets[1:], strict=True):
            yield int(start), self.flat[start:end]


def collect_histories(histories: Iterable[Sequence[str]]) -> Histories:
    """Return ``histories`` (titles of one user each, oldest first) as arrays."""
    numbers: dict[str, int] = {}
    known: dict[str, int] = {}
    flat: list[Ints] = []
    lengths = [0]
    for titles in histories:
        for title in titles:
            if title not in known:
                display = display_title(title)
                known[title] = numbers.setdefault(display, len(numbers))
        flat.append(np.fromiter((known[title] for title in titles), np.int32, len(titles)))
        lengths.append(len(titles))
    joined = np.concatenate(flat) if flat else np.empty(0, np.int32)
    return Histories(list(numbers), joined, np.cumsum(np.array(lengths, np.int64)))


@dataclass(frozen=True)
class TrainingData:
    """Training data: catalog titles (for the tokenizer), histories, and validation users.

    facts: counts and versions for the model card.
    """

    catalog_titles: list[str]
    histories: Histories
    validation: Histories
    facts: dict[str, Any]


class Pieces:
    """Tokens of every title as context and as target, and of the fixed words of prompts.

    context: context length of the network. reserve: tokens reserved for the target and its end
    token. form: form of the assembled prompts.
    """

    def __init__(
        self,
        titles: Sequence[str],
        tokenizer: PromptTokenizer,
        context: int,
        reserve: int,
        form: PromptForm | None = None,
    ) -> None:
        self.form = form or PromptForm()
        self.opening = np.array(tokenizer.encode(OPENING), np.int32)
        self.closing = np.array(tokenizer.encode(CLOSING), np.int32)
        self.end = np.array([tokenizer.end_id], np.int32)
        self.frame = len(self.opening) + len(self.closing)
        self.room = context - reserve - self.frame
        self.counts = [len(ids) for ids in tokenizer.encode_all([title_piece(t) for t in titles])]
        self._context = _encode(titles, tokenizer, self.room, title_piece)
        self._target = _encode(titles, tokenizer, reserve - 1, target_text)
        self.target_counts = np.array([len(ids) for ids in self._target], np.int64)

    def prompt(self, titles: Ints) -> list[Ints]:
        """Return the token arrays of the prompt for these title numbers, oldest first."""
        shown = titles[::-1] if self.form.newest_first else titles
        return [self.opening, *(self._context[number] for number in shown), self.closing]

    def target(self, title: int) -> list[Ints]:
        """Return the token arrays of a target: the title and the end token."""
        return [self._target[title], self.end]


def _encode(
    titles: Sequence[str], tokenizer: PromptTokenizer, most: int, write: Callable[[str], str]
) -> list[Ints]:
    """Return the tokens of ``write(title)`` per title, cut between words to ``most`` tokens."""
    encoded = tokenizer.encode_all([write(title) for title in titles])
    for number, ids in enumerate(encoded):
        if len(ids) > most:
            fitting = longest_fitting_start(
                titles[number], lambda text: tokenizer.count(write(text)) <= most
            )
            encoded[number] = tokenizer.encode(write(fitting))
    return [np.array(ids, np.int32) for ids in encoded]


class Examples:
    """Training sequences by number: prompt, target, end token.

    spans: (first, target) positions in ``Histories.flat``. The loss covers the target and the end
    token, and with ``learns_prompts`` also the titles before it. It never covers the fixed words of
    prompts: they are easy to predict, and queries are ranked by mean log-probability, so a network
    trained on them would generate them.
    """

    def __init__(
        self,
        histories: Histories,
        pieces: Pieces,
        spans: Iterable[tuple[int, int]],
        *,
        learns_prompts: bool,
    ) -> None:
        self._histories = histories
        self._pieces = pieces
        self._learns_prompts = learns_prompts
        self._spans = np.array(list(spans), np.int64).reshape(-1, 2)
        counts = np.array(pieces.counts, np.int64)[histories.flat]
        before = np.concatenate(([0], np.cumsum(counts)))
        targets = pieces.target_counts[histories.flat[self._spans[:, 1]]]
        prompts = before[self._spans[:, 1]] - before[self._spans[:, 0]]
        self.lengths = prompts + targets + pieces.frame + 1

    def __len__(self) -> int:
        """Return the number of sequences."""
        return len(self._spans)

    def sequence(self, number: int) -> tuple[Ints, Ints]:
        """Return the tokens of a sequence and their labels: the token, or IGNORED."""
        first, target = self._spans[number]
        flat = self._histories.flat
        prompt = self._pieces.prompt(flat[first:target])
        ids = np.concatenate([*prompt, *self._pieces.target(int(flat[target]))])
        labels = ids.copy()
        if self._learns_prompts:
            end = sum(map(len, prompt))
            labels[: len(prompt[0])] = IGNORED
            labels[end - len(prompt[-1]) : end] = IGNORED
        else:
            labels[: sum(map(len, prompt))] = IGNORED
        return ids, labels


def pair_examples(
    histories: Histories, pieces: Pieces, pairs: Pairs, newest: int | None = None
) -> Examples:
    """Return prompt-target pairs with prompts truncated as in the night; see examples.py."""

    def spans() -> Iterator[tuple[int, int]]:
        for start, titles in histories:
            counts = [pieces.counts[number] for number in titles]
            for target in target_positions(len(titles), pairs, newest):
                oldest = max(0, target - pieces.form.titles)
                first = oldest + first_that_fits(counts[oldest:target], pieces.room)
                yield start + min(first, target - 1), start + target

    return Examples(histories, pieces, spans(), learns_prompts=False)


def window_examples(histories: Histories, pieces: Pieces) -> Examples:
    """Return whole histories cut into consecutive windows; the loss covers every title."""

    def spans() -> Iterator[tuple[int, int]]:
        for start, titles in histories:
            counts = [pieces.counts[number] for number in titles]
            for first, target in windows(counts, pieces.room, pieces.form.titles):
                yield start + first, start + target

    return Examples(histories, pieces, spans(), learns_prompts=True)


def epoch_order(lengths: NDArray[np.int64], batch_size: int, seed: int, epoch: int) -> Ints:
    """Return one epoch's order: shuffled, but batches hold sequences of similar length.

    Groups of 50 batches are sorted by length; then whole batches are shuffled. Equal arguments give
    equal orders, so that a killed training can be resumed.
    """
    random = np.random.default_rng((seed, epoch))
    order = random.permutation(len(lengths)).astype(np.int32)
    run = 50 * batch_size
    sorted_runs = [
        part[np.argsort(-lengths[part], kind="stable")]
        for part in np.split(order, range(run, len(order), run))
    ]
    joined = np.concatenate(sorted_runs)
    batches = np.split(joined, range(batch_size, len(joined), batch_size))
    # The last batch may be short: it stays last, so that batches keep their members.
    places = [*random.permutation(len(batches) - 1), len(batches) - 1]
    return np.concatenate([batches[place] for place in places])
