"""Titles of a catalog as a compressed trie of tokens: a node is a place where titles branch."""

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

_Sequence = tuple[int, ...]


class TitleTrie:
    """Token sequences, none the beginning of another; a leaf is the number of a sequence.

    Node 0 is the root. The edges of node n are ``first_edges[n]`` to ``first_edges[n + 1]``; an
    edge has one or more tokens and leads to ``targets[edge]``, a node, or -1 - leaf. depths: tokens
    from the root to each node.
    """

    def __init__(self, sequences: Iterable[Sequence[int]]) -> None:
        """Build the trie; equal sequences are one leaf. There must be at least one sequence."""
        self._leaves: list[_Sequence] = sorted({tuple(ids) for ids in sequences})
        if not self._leaves:
            raise ValueError("A trie needs a sequence.")
        first_edges, tokens, offsets = array("q", [0]), array("q"), array("q", [0])
        targets, depths = array("q"), array("q", [0])
        self._into_node = array("q", [-1])  # the edge that leads to each node
        self._into_leaf = array("q", [-1]) * len(self._leaves)
        self._sources = array("q")  # the node of each edge
        # Ranges of leaves below each node, breadth first, so that a node's edges are adjacent.
        self._ranges = ranges = [(0, len(self._leaves))]
        for node, (low, high) in enumerate(ranges):
            depth = depths[node]
            start = low
            # Sequences are sorted, so those with one next token are adjacent.
            for count in Counter(ids[depth] for ids in self._leaves[low:high]).values():
                end, own = start + count, self._leaves[start]
                edge = len(targets)
                if count == 1:
                    reach = len(own)
                    targets.append(-1 - start)
                    self._into_leaf[start] = edge
                else:
                    reach = _common(own, self._leaves[end - 1], depth)
                    targets.append(len(ranges))
                    ranges.append((start, end))
                    depths.append(reach)
                    self._into_node.append(edge)
                start = end
                self._sources.append(node)
                tokens.extend(own[depth:reach])
                offsets.append(len(tokens))
            first_edges.append(len(targets))
        self.first_edges, self.targets, self.depths, self._tokens, self._offsets = (
            np.frombuffer(values, np.int64)
            for values in (first_edges, targets, depths, tokens, offsets)
        )
        self.first_tokens: Any = self._tokens[self._offsets[:-1]]  # (edges,)

    def __len__(self) -> int:
        """Return the number of leaves."""
        return len(self._leaves)

    @property
    def n_nodes(self) -> int:
        """Number of places where sequences branch."""
        return len(self.depths)

    def tokens(self, leaf: int) -> _Sequence:
        """Return the sequence of a leaf."""
        return self._leaves[leaf]

    def edge_tokens(self, edge: int) -> Any:
        """Return the tokens of an edge, int64."""
        return self._tokens[self._offsets[edge] : self._offsets[edge + 1]]

    def leaf(self, sequence: Sequence[int]) -> int:
        """Return the leaf of a whole sequence.

        Raises:
            ValueError: it is not there.
        """
        place = bisect_left(self._leaves, tuple(sequence))
        if place == len(self._leaves) or self._leaves[place] != tuple(sequence):
            raise ValueError("A title is not in the catalog.")
        return place

    def leads_only_to(self, node: int, leaves: Sequence[int]) -> bool:
        """Return whether all leaves below a node are among ``leaves``, which are ascending."""
        low, high = self._ranges[node]
        return bisect_left(leaves, high) - bisect_left(leaves, low) == high - low

    def path(self, leaf: int) -> list[tuple[int, int]]:
        """Return the (node, edge) at which a leaf's sequence is decided, from the root."""
        steps = []
        edge = self._into_leaf[leaf]
        while edge >= 0:
            steps.append((self._sources[edge], edge))
            edge = self._into_node[self._sources[edge]]
        return steps[::-1]

    def branches(self, nodes: Any) -> tuple[Any, Any, Any]:
        """Return the edges of all ``nodes``, the place in ``nodes`` of each, and first places.

        nodes: (n,) int64. The edges of one node are adjacent and in order of their first tokens;
        the last result, (n,), has the place of each node's first edge.
        """
        counts = self.first_edges[nodes + 1] - self.first_edges[nodes]
        ends = counts.cumsum()
        owners = np.arange(len(nodes)).repeat(counts)
        starts = ends - counts
        edges = np.arange(ends[-1]) - (starts - self.first_edges[nodes]).repeat(counts)
        return edges, owners, starts


def _common(one: _Sequence, other: _Sequence, start: int) -> int:
    """Return the length of the common beginning, which has at least ``start`` tokens."""
    length = start
    while one[length] == other[length]:
        length += 1
    return length
