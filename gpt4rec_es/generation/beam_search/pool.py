"""Running and finished hypotheses of each prompt, and the stopping criterion.

Follows GenerationMixin of transformers 5.23: _get_running_beams_for_next_iteration,
_update_finished_beams, _check_early_stop_heuristic. A finished prompt never changes again, so its
row may be dropped from the batch at any later step.
"""

from typing import Any

import torch

from gpt4rec_es.generation.beam_search.selection import Candidates, Rules

# "No hypothesis": lower than any score, yet finite, so that sums and quotients stay ordered.
_NONE = -1.0e9


class Beams:
    """The m running beams of each row."""

    def __init__(self, rows: int, rules: Rules, device: Any) -> None:
        self._m = rules.num_beams
        shape = (rows, self._m, rules.max_new_tokens)
        self.sequences = torch.full(shape, rules.end_id, device=device)  # (rows, m, T)
        # All beams are equal at the start: only one has a score, so the first step continues that
        # one.
        self.scores = torch.full((rows, self._m), _NONE, device=device)  # (rows, m)
        self.scores[:, 0] = 0.0

    def extend(self, candidates: Candidates, step: int) -> Any:
        """Return (rows, count, T): sequences of ``candidates``; ``step``: place of their token."""
        width = self.sequences.shape[-1]
        index = candidates.parents[:, :, None].expand(-1, -1, width)
        sequences = self.sequences.gather(1, index)
        sequences[:, :, step - 1] = candidates.tokens
        return sequences

    def advance(self, candidates: Candidates, sequences: Any, ends: Any) -> tuple[Any, Any]:
        """Continue with the best m candidates that did not end; return their parents and tokens.

        sequences: (rows, count, T), ends: (rows, count) bool. Both results are (rows, m).
        """
        scores = candidates.scores + ends * _NONE
        self.scores, order = scores.topk(self._m)
        index = order[:, :, None].expand(-1, -1, sequences.shape[-1])
        self.sequences = sequences.gather(1, index)
        return candidates.parents.gather(1, order), candidates.tokens.gather(1, order)

    def take(self, order: Any) -> None:
        """Keep the rows ``order``, in that order."""
        self.sequences, self.scores = self.sequences[order], self.scores[order]


class Pool:
    """The best m finished hypotheses of each row so far, best first."""

    def __init__(self, rows: int, rules: Rules, device: Any) -> None:
        self._rules = rules
        shape = (rows, rules.num_beams)
        self.sequences = torch.full((*shape, rules.max_new_tokens), rules.end_id, device=device)
        self.scores = torch.full(shape, _NONE, device=device)  # (rows, m), length-normalised
        self.lengths = torch.zeros(shape, dtype=torch.int64, device=device)  # (rows, m)
        self._finished = torch.zeros(shape, dtype=torch.bool, device=device)  # (rows, m)
        self._open = torch.ones(rows, dtype=torch.bool, device=device)  # (rows,)

    def add(self, scores: Any, sequences: Any, ends: Any, length: int) -> None:
        """Add those of each row's best m candidates that ended, if they are good enough.

        scores: (rows, m), sequences: (rows, m, T), ends: (rows, m) bool; ``length`` new tokens.
        """
        may_end = ends & ~self.done()[:, None]
        normalised = scores / self._rules.normaliser(length) + ~may_end * _NONE
        merged = torch.cat((self.scores, normalised), dim=1)  # (rows, 2m)
        self.scores, order = merged.topk(self._rules.num_beams)
        self._finished = torch.cat((self._finished, may_end), dim=1).gather(1, order)
        new_lengths = torch.full_like(self.lengths, length)
        self.lengths = torch.cat((self.lengths, new_lengths), dim=1).gather(1, order)
        index = order[:, :, None].expand(-1, -1, sequences.shape[-1])
        self.sequences = torch.cat((self.sequences, sequences), dim=1).gather(1, index)

    def close(self, best_running: Any, length: int) -> None:
        """Close the rows whose running beams cannot improve the result; they stay closed.

        best_running: (rows,), the summed log-probability of the best beam of ``length`` tokens.
        """
        hope = best_running / self._rules.normaliser(self._rules.reach(length))
        self._open &= hope > torch.where(self._full(), self.scores[:, -1], _NONE)

    def done(self) -> Any:
        """Return (rows,) bool: whether the search of the row is finished."""
        if self._rules.early_stopping is True:
            return ~self._open | self._full()
        return ~self._open

    def take(self, order: Any) -> None:
        """Keep the rows ``order``, in that order."""
        self.sequences, self.scores = self.sequences[order], self.scores[order]
        self.lengths, self._open = self.lengths[order], self._open[order]
        self._finished = self._finished[order]

    def _full(self) -> Any:
        return self._finished.all(dim=1)
