"""Comparison of two beam searches: missing hypotheses, and margins of swapped ones."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gpt4rec_es.generation.beam import Hypothesis

# Hypotheses with a smaller score difference may swap, because of the order of fp32 sums.
NEAR = 1e-5


@dataclass
class Comparison:
    """Counts over all prompts compared so far. worst: largest difference of scores by rank."""

    prompts: int = 0
    hypotheses: int = 0
    ended: int = 0
    swaps: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    worst: float = 0.0
    lengths: set[int] = field(default_factory=set)

    def add(
        self,
        expected: Sequence[Hypothesis],
        found: Sequence[Hypothesis],
        length_penalty: float,
        end_id: int,
    ) -> None:
        """Compare the hypotheses of one prompt, rank by rank."""
        self.prompts += 1
        if len(expected) != len(found):
            self.differences.append(f"{len(found)} hypotheses instead of {len(expected)}")
        for rank, (one, other) in enumerate(zip(expected, found, strict=False), start=1):
            self.hypotheses += 1
            self.ended += one.token_ids[-1] == end_id
            self.lengths.add(len(one.token_ids))
            gap = abs(_score(one, length_penalty) - _score(other, length_penalty))
            self.worst = max(self.worst, gap)
            if one.token_ids != other.token_ids:
                place = f"prompt {self.prompts} rank {rank}: scores {gap:.1e} apart"
                (self.swaps if gap < NEAR else self.differences).append(place)

    def __str__(self) -> str:
        """Return the counts as one line."""
        return (
            f"{self.prompts} prompts, {self.hypotheses} hypotheses ({self.ended} ended, "
            f"{len(self.lengths)} lengths): {len(self.differences)} different, "
            f"{len(self.swaps)} swapped within {NEAR:g}, scores at most {self.worst:.1e} apart"
        )


def _score(hypothesis: Hypothesis, length_penalty: float) -> float:
    """Return the ranking score of a hypothesis."""
    return hypothesis.sum_logprob / float(len(hypothesis.token_ids) ** length_penalty)
