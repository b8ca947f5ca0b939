"""Log-probabilities of texts for everybody: after the bare frame of a prompt, without titles.

A text that is likely without any history is not personal. The texts of a batch, beams above all,
begin alike, so they are read as a tree: each distinct beginning is one token of one sequence, and
the mask limits it to the frame and its own beginning.
"""

from array import array
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch

# Tokens per sequence: enough to fill a processor; the mask grows with its square.
_TOKENS = 512
# Sequences per pass; GPT-2's logits of one take 100 MB in fp32.
_SEQUENCES = {"cpu": 1, "cuda": 8}
# Memory-efficient attention needs mask rows that are aligned to this number of entries.
_ALIGNMENT = 16
# About 30 MB of texts of ten tokens.
_KNOWN = 200_000


class Priors:
    """Log-probabilities of token sequences after ``frame``, each computed once while it is kept.

    network: a decoder of the transformers library in evaluation mode. limit: number of sequences
    to keep, the newest ones.
    """

    def __init__(self, network: Any, frame: Sequence[int], limit: int = _KNOWN) -> None:
        """Set the network, and the tokens of the frame (at least one)."""
        self._network, self._frame, self._limit = network, list(frame), limit
        self._known: dict[bytes, float] = {}

    def __len__(self) -> int:
        """Return the number of sequences that are kept."""
        return len(self._known)

    def of(self, sequences: Sequence[Sequence[int]]) -> list[float]:
        """Return the natural-log probability of each sequence (not empty) after the frame.

        Values differ by rounding only, whatever other sequences are asked for.
        """
        keys = [array("I", ids).tobytes() for ids in sequences]
        new = sorted({tuple(array("I", key)) for key in keys if key not in self._known})
        found = {key: self._known[key] for key in keys if key in self._known}
        trees = _grow_trees(new)
        size = _SEQUENCES[self._network.device.type]
        for start in range(0, len(trees), size):
            for ids, logprob in self._read(trees[start : start + size]):
                key = array("I", ids).tobytes()
                found[key] = self._known[key] = logprob
        for key in list(islice(self._known, max(0, len(self._known) - self._limit))):
            del self._known[key]
        return [found[key] for key in keys]

    def _read(self, trees: "Sequence[_Tree]") -> list[tuple[tuple[int, ...], float]]:
        """Return the sequences of ``trees`` with their log-probabilities, by one pass."""
        width = max(tree.n_nodes for tree in trees) - 1 + len(self._frame)
        width = -(-width // _ALIGNMENT) * _ALIGNMENT
        device, dtype = self._network.device, self._network.dtype
        inputs = [tree.inputs(self._frame, width) for tree in trees]
        ids, places, visible = (np.stack(parts) for parts in zip(*inputs, strict=True))
        # Additive and finite, as in beam_search/mask.py.
        mask = torch.zeros(visible.shape, dtype=dtype).masked_fill(
            torch.from_numpy(~visible), torch.finfo(dtype).min
        )
        with torch.inference_mode():
            logits = self._network(
                input_ids=torch.from_numpy(ids).to(device),  # (trees, width)
                attention_mask=mask[:, None].to(device),  # (trees, 1, width, width)
                position_ids=torch.from_numpy(places).to(device),
                use_cache=False,
            ).logits  # (trees, width, vocabulary)
            return [
                pair
                for tree, own in zip(trees, logits, strict=True)
                for pair in tree.texts(own, len(self._frame) - 1)
            ]


class _Tree:
    """Token sequences as nodes: number 0 is the frame's end, each other one token after a parent.

    A sequence is a node and its last token, so that only its proper beginnings are nodes.
    """

    def __init__(self) -> None:
        self._parents, self._tokens, self._depths = [0], [0], [0]
        self._path: list[int] = [0]  # nodes of the newest sequence, from the root
        self._beginning: tuple[int, ...] = ()
        self._texts: list[tuple[tuple[int, ...], list[int]]] = []

    @property
    def n_nodes(self) -> int:
        """Number of nodes, the root included."""
        return len(self._parents)

    def add(self, ids: tuple[int, ...]) -> None:
        """Add a sequence; those that begin alike must come one after the other."""
        beginning = ids[:-1]
        common = 0
        for one, other in zip(beginning, self._beginning, strict=False):
            if one != other:
                break
            common += 1
        del self._path[common + 1 :]
        for token in beginning[common:]:
            self._parents.append(self._path[-1])
            self._tokens.append(token)
            self._depths.append(len(self._path))
            self._path.append(len(self._parents) - 1)
        self._beginning = beginning
        self._texts.append((ids, list(self._path)))

    def inputs(self, frame: Sequence[int], width: int) -> tuple[Any, Any, Any]:
        """Return ids and positions, both (width,), and what each place sees, (width, width)."""
        before = len(frame) - 1  # the place of node 0
        ids, places = np.zeros(width, np.int64), np.zeros(width, np.int64)
        end = before + self.n_nodes
        ids[: before + 1], ids[before + 1 : end] = frame, self._tokens[1:]
        places[:before], places[before:end] = np.arange(before), np.array(self._depths) + before
        visible = np.eye(width, dtype=np.bool_)  # a place of padding sees itself
        visible[: before + 1, : before + 1] = np.tri(before + 1, dtype=np.bool_)
        for node, parent in enumerate(self._parents[1:], start=before + 1):
            visible[node] |= visible[before + parent]
        return ids, places, visible

    def texts(self, logits: Any, before: int) -> Iterator[tuple[tuple[int, ...], float]]:
        """Yield each sequence with its log-probability; logits: (width, vocabulary)."""
        nodes = [node for _, path in self._texts for node in path]
        tokens = [token for ids, _ in self._texts for token in ids]
        own = logits[before : before + self.n_nodes].float()
        totals = own.logsumexp(dim=-1)
        at = torch.tensor(nodes, device=own.device)
        steps = own[at, torch.tensor(tokens, device=own.device)] - totals[at]
        values = steps.double().cpu().numpy()
        end = 0
        for ids, path in self._texts:
            end += len(path)
            yield ids, float(values[end - len(path) : end].sum())


def _grow_trees(sequences: Sequence[tuple[int, ...]]) -> list[_Tree]:
    """Return trees of at most about ``_TOKENS`` nodes with all of the sorted ``sequences``."""
    trees: list[_Tree] = []
    for ids in sequences:
        if not trees or trees[-1].n_nodes + len(ids) > _TOKENS:
            trees.append(_Tree())
        trees[-1].add(ids)
    return trees
