"""Beam search over a batch of prompts: each prompt is processed once, then only its beams.

The m beams of a prompt are m query tokens of one sequence: all have the same position, all write
into one cache, and the mask limits each beam to its ancestors. The network processes the tokens of
the prompts plus m tokens per step and prompt whose search is not finished.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import torch

from gpt4rec_es.generation.beam import Hypothesis, search_halved
from gpt4rec_es.generation.beam_search.cache import BeamCache
from gpt4rec_es.generation.beam_search.mask import TreeMask
from gpt4rec_es.generation.beam_search.pool import Beams, Pool
from gpt4rec_es.generation.beam_search.selection import Candidates, Rules, best_candidates
from gpt4rec_es.records import Decoding

# Number of steps for which entries are allocated at once.
_STEPS_AHEAD = 6
# Reading which searches are finished synchronizes with a GPU, so it is done every few steps there.
_CHECK_EVERY = {"cpu": 1, "cuda": 8}
# Attention implementations that use a four-dimensional mask as it is.
_ATTENTION = {"eager", "sdpa"}


def search_beams(
    network: Any, prompts: Sequence[Sequence[int]], decoding: Decoding, end_id: int
) -> list[list[Hypothesis]]:
    """Return ``num_beams`` hypotheses for each prompt, best score first, as beam.search_beams does.

    network: a decoder of the transformers library in evaluation mode, preferably after
    linears.tune(). All prompts form one padded batch, so they should be of similar length.
    """
    rules = Rules(
        num_beams=decoding.num_beams,
        max_new_tokens=decoding.max_new_tokens,
        end_id=end_id,
        length_penalty=decoding.length_penalty,
        early_stopping=decoding.early_stopping,
    )
    return search(network, prompts, rules)


def search(network: Any, prompts: Sequence[Sequence[int]], rules: Rules) -> list[list[Hypothesis]]:
    """Return the m best hypotheses of each prompt (token ids, not empty), in order.

    A batch that does not fit into memory is split into halves.

    Raises:
        ValueError: the network's attention implementation does not take the beams' mask.
    """
    if network.config._attn_implementation not in _ATTENTION:  # noqa: SLF001 - there is no other
        raise ValueError(f"Attention must be one of {sorted(_ATTENTION)}.")
    return search_halved(lambda some: _search_together(network, some, rules), prompts)


def _search_together(
    network: Any, prompts: Sequence[Sequence[int]], rules: Rules
) -> list[list[Hypothesis]]:
    with torch.inference_mode():
        batch = _Batch(network, prompts, rules)
        logits = batch.read_prompts(prompts)
        for step in range(1, rules.max_new_tokens + 1):
            parents, tokens = batch.select(logits, step)
            if step == rules.max_new_tokens:
                break
            if step % _CHECK_EVERY[batch.device.type] == 0:
                parents, tokens = batch.drop_finished(parents, tokens)
                if not batch.users:
                    break
            logits = batch.read_beams(parents, tokens, step)
        batch.collect(range(len(batch.users)))
    return batch.found


class _Batch:
    """The prompts whose search is not finished, one row each, and the hypotheses found."""

    def __init__(self, network: Any, prompts: Sequence[Sequence[int]], rules: Rules) -> None:
        self.device = network.device
        self.users = list(range(len(prompts)))  # row -> place in prompts
        self.found: list[list[Hypothesis]] = [[] for _ in prompts]
        self._network = network
        self._rules = rules
        self._beams = Beams(len(prompts), rules, self.device)
        self._pool = Pool(len(prompts), rules, self.device)
        room = rules.num_beams * min(_STEPS_AHEAD, rules.max_new_tokens - 1)
        self._cache = BeamCache(network.config.num_hidden_layers, room)

    def read_prompts(self, prompts: Sequence[Sequence[int]]) -> Any:
        """Return (rows, 1, vocabulary): the logits of the token after each prompt."""
        self._width = max(map(len, prompts))
        blank = [[self._rules.end_id] * (self._width - len(ids)) for ids in prompts]
        padded = [left + list(ids) for left, ids in zip(blank, prompts, strict=True)]
        self._next = torch.tensor([[len(ids)] for ids in prompts], device=self.device)  # (rows, 1)
        places = torch.arange(self._width, device=self.device) - self._width + self._next
        is_token = (places >= 0).to(torch.int64)  # (rows, width)
        self._mask = TreeMask(is_token, self._rules.num_beams, self._network.dtype)
        return self._network(
            input_ids=torch.tensor(padded, device=self.device),  # (rows, width)
            attention_mask=is_token,
            position_ids=places.clamp(min=0),
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits

    def select(self, logits: Any, step: int) -> tuple[Any, Any]:
        """Return parents and tokens of the running beams, both (rows, m).

        logits: (rows, m, vocabulary), or (rows, 1, vocabulary) of the prompts at step 1.
        """
        rules = self._rules
        banned = rules.end_id if step <= rules.min_new_tokens else None
        candidates = self._candidates(logits, banned)
        sequences = self._beams.extend(candidates, step)  # (rows, 2m, T)
        ends = (candidates.tokens == rules.end_id) | (step == rules.max_new_tokens)
        parents, tokens = self._beams.advance(candidates, sequences, ends)
        m = rules.num_beams
        self._pool.add(candidates.scores[:, :m], sequences[:, :m], ends[:, :m], step)
        self._pool.close(self._beams.scores[:, 0], step)
        return parents, tokens

    def _candidates(self, logits: Any, banned: int | None) -> Candidates:
        """Return the best 2m candidates: at most m of them end, so at least m continue."""
        m = self._rules.num_beams
        beams = logits.shape[1]
        if beams * logits.shape[2] < 2 * m:  # a vocabulary smaller than 2m: fill up with repeats
            logits, beams = logits.expand(-1, m, -1), m
        return best_candidates(logits, self._beams.scores[:, :beams], 2 * m, banned)

    def drop_finished(self, parents: Any, tokens: Any) -> tuple[Any, Any]:
        """Collect finished prompts and drop their rows from the batch, ``parents`` and ``tokens``.

        Rows from the end replace dropped rows, so that only that number of rows is copied.
        """
        done = self._pool.done().tolist()
        if not any(done):
            return parents, tokens
        self.collect(row for row, is_done in enumerate(done) if is_done)
        left = done.count(False)
        late = [row for row in range(left, len(done)) if not done[row]]
        order = [late.pop() if done[row] else row for row in range(left)]
        self.users = [self.users[row] for row in order]
        self._cache.take(order)
        rows = torch.tensor(order, dtype=torch.int64, device=self.device)
        for part in (self._beams, self._pool, self._mask):
            part.take(rows)
        self._next = self._next[rows]
        return parents[rows], tokens[rows]

    def read_beams(self, parents: Any, tokens: Any, step: int) -> Any:
        """Return (rows, m, vocabulary): the logits after ``tokens`` (rows, m), the step-th new."""
        if self._cache.free < self._rules.num_beams:
            parents = self._make_room(parents, step)
        self._mask.grow(parents)
        return self._network(
            input_ids=tokens,
            attention_mask=self._mask.visible(),
            position_ids=(self._next + step - 1).expand(-1, tokens.shape[1]),
            past_key_values=self._cache,
            use_cache=True,
        ).logits

    def _make_room(self, parents: Any, step: int) -> Any:
        """Remove entries without descendants; return the parents of the beams, now in order."""
        self._mask.inherit(parents)
        live_entries = self._mask.live_entries()  # (rows, entries after the prompt)
        most = int(live_entries.sum(dim=1).max())
        kept = live_entries.int().argsort(dim=1, descending=True, stable=True)[:, :most]
        steps = min(_STEPS_AHEAD, self._rules.max_new_tokens - step)
        self._mask.compact(kept)
        self._cache.compact(kept, self._width, steps * self._rules.num_beams)
        beams = torch.arange(self._rules.num_beams, device=self.device)
        return beams.expand(parents.shape[0], -1)

    def collect(self, rows: Iterable[int]) -> None:
        """Store the hypotheses of ``rows`` in ``found``, by place of the prompt."""
        chosen = list(rows)
        pool = self._pool
        parts = (pool.sequences[chosen], pool.lengths[chosen], pool.scores[chosen])
        for row, sequences, lengths, scores in zip(
            chosen, *(part.tolist() for part in parts), strict=True
        ):
            self.found[self.users[row]] = [
                Hypothesis(tuple(ids[:length]), score * self._rules.normaliser(length))
                for ids, length, score in zip(sequences, lengths, scores, strict=True)
            ]
