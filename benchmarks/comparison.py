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
    near_ties: list[str] = field(default_factory=list)
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
    ) -> bool:
        """Compare the hypotheses of one prompt, rank by rank; return whether any differs."""
        self.prompts += 1
        before = len(self.differences)
        if len(expected) != len(found):
            self.differences.append(
                f"prompt {self.prompts} {len(found)} hypotheses instead of {len(expected)}"
            )
        for rank, (one, other) in enumerate(zip(expected, found, strict=False), start=1):
            self.hypotheses += 1
            self.ended += one.token_ids[-1] == end_id
            self.lengths.add(len(one.token_ids))
            gap = abs(_score(one, length_penalty) - _score(other, length_penalty))
            self.worst = max(self.worst, gap)
            if one.token_ids != other.token_ids:
                place = f"prompt {self.prompts} rank {rank}: scores {gap:.1e} apart"
                (self.swaps if gap < NEAR else self.differences).append(place)
        return len(self.differences) > before

    def explain(self, step: int, margin: float) -> None:
        """Turn the differences of the last prompt into a near-tie, if that is what they are.

        step: length at which the kept hypotheses first differ; margin: their difference of scores
        there. After a near-tie at the cut, either search may go on with either hypothesis.
        """
        if margin >= NEAR:
            return
        prompt = f"prompt {self.prompts} "
        self.differences = [line for line in self.differences if not line.startswith(prompt)]
        self.near_ties.append(f"{prompt}step {step}: near-tie at the cut, {margin:.1e} apart")

    def __str__(self) -> str:
        """Return the counts as one line."""
        return (
            f"{self.prompts} prompts, {self.hypotheses} hypotheses ({self.ended} ended, "
            f"{len(self.lengths)} lengths): {len(self.differences)} different, "
            f"{len(self.near_ties)} prompts with a near-tie at a cut, "
            f"{len(self.swaps)} swapped within {NEAR:g}, scores at most {self.worst:.1e} apart"
        )


def _score(hypothesis: Hypothesis, length_penalty: float) -> float:
    """Return the ranking score of a hypothesis."""
    return hypothesis.sum_logprob / float(len(hypothesis.token_ids) ** length_penalty)
