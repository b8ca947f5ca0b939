"""Beam search over a trie for a batch of prompts: one step per branch, not per token.

A beam is a node. Its edges are scored by their first tokens, renormalised; the other tokens of an
edge are certain, so the network reads them only to reach the next node, all beams' edges of a
prompt as one packed sequence in which each token sees its own ancestors. The tokens behind the last
branch are never read.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache

from gpt4rec_es.generation.beam import Hypothesis, search_halved
from gpt4rec_es.generation.title_search.choices import edge_logprobs
from gpt4rec_es.generation.title_search.trie import TitleTrie

# Memory-efficient attention needs mask rows that are aligned to this number of entries.
_ALIGNMENT = 16


def search_titles(
    network: Any,
    prompts: Sequence[Sequence[int]],
    trie: TitleTrie,
    num_beams: int,
    barred: Sequence[Sequence[int]] | None = None,
) -> list[list[Hypothesis]]:
    """Return the ``num_beams`` likeliest titles that a beam search finds for each prompt.

    network: a decoder of the transformers library in evaluation mode. prompts: token ids, none
    empty. barred: for each prompt leaves that are not chosen; None: all are. A hypothesis has all
    tokens of its title; its log-probability is renormalised. The ``num_beams`` best nodes are kept
    after each branch; a prompt ends when none of them can lead to a title as likely as those found.
    A batch that does not fit into memory is split into halves.
    """
    pairs = list(zip(prompts, barred or [()] * len(prompts), strict=True))
    with torch.inference_mode():
        return search_halved(lambda some: _Batch(network, some, trie, num_beams).search(), pairs)


class _Prompt:
    """The search of one prompt: its beams (nodes with scores), and the best titles found."""

    def __init__(self, place: int, length: int, barred: Sequence[int], num_beams: int) -> None:
        self.place, self._length, self._m = place, length, num_beams
        self._barred = sorted(set(barred))
        self.nodes = np.zeros(1, np.int64)
        self.scores = np.zeros(1)  # (beams,)
        self.seen = np.zeros((1, 0), np.bool_)  # (beams, entries): the ancestors of each beam
        self._edges, self._parents = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self.found: list[tuple[float, int]] = []  # (score, leaf), best first

    def choose(self, trie: TitleTrie, edges: Any, parents: Any, scores: Any) -> None:
        """Collect titles among the continuations of all beams, and keep the best nodes."""
        targets = trie.targets[edges]
        is_title = targets < 0
        titles = zip(scores[is_title].tolist(), (-1 - targets[is_title]).tolist(), strict=True)
        allowed = (pair for pair in titles if pair[1] not in self._barred)
        best_first = sorted([*self.found, *allowed], key=lambda pair: (-pair[0], pair[1]))
        self.found = best_first[: self._m]
        worst = self.found[-1][0] if len(self.found) == self._m else -np.inf
        # A title is never likelier than the nodes before it.
        places = np.flatnonzero(~is_title & (scores > worst))
        if self._barred:  # nodes of barred titles alone would take the places of others
            dead = [trie.leads_only_to(node, self._barred) for node in targets[places].tolist()]
            places = places[~np.array(dead, np.bool_)]
        places = places[np.argsort(-scores[places], kind="stable")[: self._m]]
        self.nodes, self.scores = targets[places], scores[places]
        self._edges, self._parents = edges[places], parents[places]

    def read(self, trie: TitleTrie) -> tuple[list[Any], list[Any], Any]:
        """Return the tokens of each beam's new edge, their positions, and (beams, entries) seen."""
        tokens = [trie.edge_tokens(edge) for edge in self._edges.tolist()]
        ends = self._length + trie.depths[self.nodes]
        places = [np.arange(end - len(own), end) for own, end in zip(tokens, ends, strict=True)]
        return tokens, places, self.seen[self._parents]


class _Batch:
    """The prompts whose search is not finished, one row of the cache each."""

    def __init__(
        self,
        network: Any,
        pairs: Sequence[tuple[Sequence[int], Sequence[int]]],
        trie: TitleTrie,
        num_beams: int,
    ) -> None:
        """pairs: of a prompt and its barred leaves."""
        self._network, self._trie, self._prompts = network, trie, [ids for ids, _ in pairs]
        self._cache = DynamicCache(config=network.config)
        self._rows = [
            _Prompt(place, len(ids), barred, num_beams) for place, (ids, barred) in enumerate(pairs)
        ]
        self._head = network.get_output_embeddings()

    def search(self) -> list[list[Hypothesis]]:
        """Return the hypotheses of each prompt."""
        found: list[list[Hypothesis]] = [[] for _ in self._prompts]
        logits = self._read_prompts()
        while True:
            self._choose(logits)
            for row in self._rows:
                found[row.place] = [
                    Hypothesis(self._trie.tokens(leaf), score) for score, leaf in row.found
                ]
            kept = [place for place, row in enumerate(self._rows) if len(row.nodes)]
            if not kept:
                return found
            if len(kept) < len(self._rows):
                self._drop(kept)
            logits = self._read_edges()

    def _read_prompts(self) -> Any:
        """Return (rows, vocabulary), of the token after each prompt."""
        width = max(map(len, self._prompts))
        ids = np.zeros((len(self._prompts), width), np.int64)
        is_token = np.zeros((len(self._prompts), width), np.int64)
        for row, prompt in enumerate(self._prompts):
            ids[row, width - len(prompt) :] = prompt
            is_token[row, width - len(prompt) :] = 1
        self._is_prompt = is_token.astype(np.bool_)
        places = (is_token.cumsum(1) - 1).clip(min=0)
        return self._logits(ids, places, torch.from_numpy(is_token), slice(-1, None))[:, 0]

    def _choose(self, logits: Any) -> None:
        """Continue all beams; logits: (beams of all rows, vocabulary)."""
        nodes = np.concatenate([row.nodes for row in self._rows])
        edges, owners, logprobs = edge_logprobs(self._trie, nodes, logits)
        scores = np.concatenate([row.scores for row in self._rows])[owners] + logprobs
        first = 0
        for row in self._rows:
            start, end = np.searchsorted(owners, (first, first + len(row.nodes)))
            own = slice(start, end)
            end_of_row = first + len(row.nodes)
            row.choose(self._trie, edges[own], owners[own] - first, scores[own])
            first = end_of_row

    def _drop(self, kept: list[int]) -> None:
        self._rows = [self._rows[place] for place in kept]
        self._is_prompt = self._is_prompt[kept]
        self._cache.batch_select_indices(torch.tensor(kept, device=self._network.device))

    def _read_edges(self) -> Any:
        """Read the edges of all beams; return (beams of all rows, vocabulary), after each edge."""
        parts = [row.read(self._trie) for row in self._rows]
        width = max(sum(map(len, tokens)) for tokens, _, _ in parts)
        rows, prompt = self._is_prompt.shape
        before = parts[0][2].shape[1]
        ids, places = np.zeros((rows, width), np.int64), np.zeros((rows, width), np.int64)
        sees = np.zeros((rows, width, prompt + before + width), np.bool_)
        sees[:, :, :prompt] = self._is_prompt[:, None]
        ends: list[tuple[int, int]] = []  # the row and place of the last token of each edge
        for place, (row, (tokens, positions, seen)) in enumerate(
            zip(self._rows, parts, strict=True)
        ):
            grown = np.zeros((len(tokens), before + width), np.bool_)
            grown[:, :before] = seen
            start = 0
            for beam, (own, own_places) in enumerate(zip(tokens, positions, strict=True)):
                end = start + len(own)
                ids[place, start:end], places[place, start:end] = own, own_places
                sees[place, start:end, prompt : prompt + before] = seen[beam]
                inner = slice(prompt + before + start, prompt + before + end)
                sees[place, start:end, inner] = np.tri(len(own), dtype=np.bool_)
                grown[beam, before + start : before + end] = True
                ends.append((place, end - 1))
                start = end
            row.seen = grown
        at = torch.tensor(ends, device=self._network.device).T
        return self._logits(ids, places, self._additive(sees), tuple(at))

    def _additive(self, sees: Any) -> Any:
        """Return the mask (rows, 1, width, entries), 0 for "see"; finite, as in beam_search."""
        rows, width, entries = sees.shape
        dtype = self._network.dtype
        aligned = -(-entries // _ALIGNMENT) * _ALIGNMENT
        mask = torch.zeros(rows, 1, width, aligned, dtype=dtype)[..., :entries]
        return mask.masked_fill_(torch.from_numpy(~sees)[:, None], torch.finfo(dtype).min)

    def _logits(self, ids: Any, places: Any, mask: Any, at: Any) -> Any:
        """Return the logits of the states ``at`` (an index of rows and places)."""
        device = self._network.device
        states = self._network.base_model(
            input_ids=torch.from_numpy(ids).to(device),
            position_ids=torch.from_numpy(places).to(device),
            attention_mask=mask.to(device),
            past_key_values=self._cache,
            use_cache=True,
        ).last_hidden_state  # (rows, width, size)
        return self._head(states[:, at] if isinstance(at, slice) else states[at])
