"""What a decoder learns of a title: at branches of the titles' trie, what a teacher expects there.

A teacher gives a probability to every title, so also to everything that may follow at a branch: the
sum over the titles that go on with it. Learning that sum takes far fewer examples than learning
from one title at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

from gpt4rec_es.generation.title_search.trie import TitleTrie

# Parts of a batch, by length: with one, a few long titles would make most places padding.
_PARTS = 10


class Choices(NamedTuple):
    """Choices between words at places, flat: words of one place are adjacent and add up to 1.

    states: (places,), those that choose. places, words, chances: (entries,).
    """

    states: Any
    places: Any
    words: Any
    chances: Any


@dataclass(frozen=True, eq=False)
class TargetBatch:
    """What a decoder reads, and what it learns from that.

    ids: parts (rows, width) of rows of like length, prefix ids and then tokens of a title, padded
    with 0; tokens: without padding. States are numbered through all parts, row by row. firsts:
    (rows,), the state behind each prefix; start: its probabilities (rows, words) of
    ``first_words``. choices: at later branches. spelled: states, and what follows of all words,
    where a title is learnt to its end.
    """

    ids: list[Any]
    tokens: int
    firsts: Any
    start: Any
    choices: Choices
    spelled: tuple[Any, Any]


class TitleTargets:
    """The trie of ``titles`` (token ids with the end token), numbered as they are given.

    leaves: (titles,), the leaf of each. first_words: those that titles begin with.
    """

    def __init__(self, titles: Sequence[Sequence[int]]) -> None:
        """Build the trie; equal sequences are one leaf."""
        self.trie = TitleTrie(titles)
        self.leaves = np.array([self.trie.leaf(ids) for ids in titles], np.int64)
        self._low, self._high = _leaf_ranges(self.trie)
        self._root = slice(0, int(self.trie.first_edges[1]))
        self.first_words = torch.from_numpy(self.trie.first_tokens[self._root])

    def batch(self, titles: Any, cumulated: Any, whole: Any, prefix_ids: Any) -> TargetBatch:
        """Return what is read and learnt for the ``titles`` (rows,), numbers.

        cumulated: (rows, leaves + 1), sums of the teacher's probabilities of the leaves before each
        leaf. whole: (rows,) bool, rows that also learn to spell. prefix_ids: (rows, prefix).
        """
        trie, before = self.trie, prefix_ids.shape[1] - 1
        read: list[list[int]] = []
        decided: list[tuple[int, int, int]] = []  # row, spot, node
        spelled: list[tuple[int, int, int]] = []  # row, spot, word
        for row, leaf in enumerate(self.leaves[titles].tolist()):
            tokens, path = trie.tokens(leaf), trie.path(leaf)
            last = int(trie.depths[path[-1][0]])
            if whole[row]:
                spelled += [(row, before + at, token) for at, token in enumerate(tokens)]
                last = len(tokens) - 1
            decided += [(row, before + int(trie.depths[node]), node) for node, _ in path[1:]]
            read.append([*prefix_ids[row].tolist(), *tokens[:last]])
        parts, firsts = _parts(read)
        start = self._chances(slice(None), self._root, cumulated)
        start /= start.sum(1, keepdims=True)
        spelled_at, words = _states(spelled, firsts)
        return TargetBatch(
            parts,
            sum(map(len, read)),
            torch.from_numpy(firsts + before),
            torch.from_numpy(start.astype(np.float32)),
            self._choices(np.array(decided, np.int64).reshape(-1, 3), firsts, cumulated),
            (torch.from_numpy(spelled_at), torch.from_numpy(words)),
        )

    def _choices(self, decided: Any, firsts: Any, cumulated: Any) -> Choices:
        rows = decided[:, 0]
        states, nodes = _states(decided, firsts)
        if not len(nodes):
            empty = torch.zeros(0, dtype=torch.int64)
            return Choices(empty, empty, empty, torch.zeros(0))
        edges, places, starts = self.trie.branches(nodes)
        chances = self._chances(rows[places], edges, cumulated)
        chances /= np.add.reduceat(chances, starts)[places]
        return Choices(
            torch.from_numpy(states),
            torch.from_numpy(places),
            torch.from_numpy(self.trie.first_tokens[edges]),
            torch.from_numpy(chances.astype(np.float32)),
        )

    def _chances(self, rows: Any, edges: Any, cumulated: Any) -> Any:
        """Return the teacher's probability of the titles below ``edges``, not yet normalised."""
        sums = cumulated[rows, self._high[edges]] - cumulated[rows, self._low[edges]]
        # Where a teacher excludes all titles of a node, it knows nothing of them: all are alike.
        return np.maximum(sums, 1e-9)


def _parts(rows: Sequence[Sequence[int]]) -> tuple[list[Any], Any]:
    """Return padded parts of rows of like length, and the number of each row's first place."""
    order = np.argsort([len(row) for row in rows], kind="stable")
    parts, firsts, before = [], np.zeros(len(rows), np.int64), 0
    for chosen in np.array_split(order, _PARTS):
        if not len(chosen):
            continue
        width = len(rows[chosen[-1]])
        ids = np.zeros((len(chosen), width), np.int64)
        for place, row in enumerate(chosen):
            ids[place, : len(rows[row])] = rows[row]
        firsts[chosen] = before + width * np.arange(len(chosen))
        before += ids.size
        parts.append(torch.from_numpy(ids))
    return parts, firsts


def _states(spots: Any, firsts: Any) -> tuple[Any, Any]:
    """Return the numbers of the states of (row, spot, value), and the values."""
    table = np.array(spots, np.int64).reshape(-1, 3)
    return firsts[table[:, 0]] + table[:, 1], table[:, 2].copy()


def _leaf_ranges(trie: TitleTrie) -> tuple[Any, Any]:
    """Return the first leaf and the one after the last below each edge; leaves are in order."""
    low, high = np.zeros(len(trie.targets), np.int64), np.zeros(len(trie.targets), np.int64)
    # Nodes are numbered breadth first, so that those below a node come after it.
    for node in range(trie.n_nodes - 1, -1, -1):
        for edge in range(trie.first_edges[node], trie.first_edges[node + 1]):
            target = trie.targets[edge]
            if target < 0:
                low[edge], high[edge] = -1 - target, -target
            else:
                below = slice(trie.first_edges[target], trie.first_edges[target + 1])
                low[edge], high[edge] = low[below].min(), high[below].max()
    return low, high
