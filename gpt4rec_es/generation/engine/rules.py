"""What a beam search is asked for, in the terms of the search it must equal."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Rules:
    """How to search; names and meanings as in the generation_config of transformers.

    num_beams: m, also the number of hypotheses returned. min_new_tokens: the end token may be
    this one at the earliest. early_stopping: True ends with the m-th finished hypothesis, False
    when no running beam is better than the worst finished one at its present length, "never" when
    none could become better at any length.
    """

    num_beams: int
    max_new_tokens: int
    end_id: int
    min_new_tokens: int = 0
    length_penalty: float = 1.0
    early_stopping: bool | Literal["never"] = False

    def normaliser(self, length: int) -> float:
        """Return what the summed log-probability of ``length`` new tokens is divided by."""
        return float(length**self.length_penalty)

    def reach(self, length: int) -> int:
        """Return the length by which a running beam of ``length`` is compared with finished."""
        hopes = self.early_stopping == "never" and self.length_penalty > 0
        return self.max_new_tokens if hopes else length
