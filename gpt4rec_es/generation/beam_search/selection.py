"""The best continuations of all beams of each prompt, without sorting the vocabulary.

Follows GenerationMixin._get_top_k_continuations of transformers 5.23: the same operations on the
same numbers, so equal logits give equal candidates to the last bit.
"""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch

# Number of tokens per block: the n best tokens lie in the n blocks with the highest maxima, so
# other blocks are read once, for their maximum, and never sorted.
_BLOCK = 64


class Candidates(NamedTuple):
    """Continuations, best first; each tensor is (rows, count)."""

    scores: Any  # float32, summed log-probability including the token
    parents: Any  # int64, the beam that is continued
    tokens: Any  # int64, the token that is appended


def best_candidates(logits: Any, scores: Any, count: int, banned: int | None = None) -> Candidates:
    """Return the ``count`` best continuations of each row's beams.

    logits: (rows, beams, vocabulary) of the next token. scores: (rows, beams) float32, summed
    log-probabilities so far. banned: a token that may not be chosen.
    """
    log_probs = logits.float().log_softmax(-1)  # (rows, beams, vocabulary)
    if banned is not None:
        log_probs[..., banned] = -torch.inf
    rows, beams, vocabulary = log_probs.shape
    parents, tokens = _highest_blocks(log_probs, scores, count)  # (rows, places)
    flat = log_probs.view(rows, beams * vocabulary)
    values = flat.gather(1, parents * vocabulary + tokens) + scores.gather(1, parents)
    best, order = values.topk(count)  # (rows, count)
    return Candidates(best, parents.gather(1, order), tokens.gather(1, order))


def _highest_blocks(log_probs: Any, scores: Any, count: int) -> tuple[Any, Any]:
    """Return beams and tokens, both (rows, places), that include the best ``count``."""
    rows, beams, vocabulary = log_probs.shape
    blocks = vocabulary // _BLOCK
    whole = blocks * _BLOCK if beams * blocks > count else 0
    device = log_probs.device
    # Every token after the last whole block of the vocabulary is a candidate.
    rest = torch.arange(whole, vocabulary, device=device)
    parents = torch.arange(beams, device=device).repeat_interleave(len(rest)).expand(rows, -1)
    tokens = rest.repeat(beams).expand(rows, -1)
    if not whole:
        return parents, tokens
    peaks = log_probs[..., :whole].unflatten(-1, (blocks, _BLOCK)).amax(-1)  # (rows, beams, blocks)
    peaks = (peaks + scores[:, :, None]).flatten(1)
    chosen = peaks.topk(count, sorted=False).indices  # (rows, count), of beams x blocks
    inside = torch.arange(_BLOCK, device=device)
    starts = (chosen % blocks * _BLOCK)[:, :, None]
    owners = (chosen // blocks)[:, :, None].expand(-1, -1, _BLOCK)
    return (
        torch.cat((parents, owners.flatten(1)), dim=1),
        torch.cat((tokens, (starts + inside).flatten(1)), dim=1),
    )


@dataclass(frozen=True, slots=True)
class Rules:
    """Search settings; names and meanings as in the generation_config of transformers.

    num_beams: m, also the number of hypotheses returned. min_new_tokens: earliest place of the end
    token. early_stopping: True stops at the m-th finished hypothesis; False when no running beam is
    better than the worst finished one at its current length; "never" when none could become better
    at any length.
    """

    num_beams: int
    max_new_tokens: int
    end_id: int
    min_new_tokens: int = 0
    length_penalty: float = 1.0
    early_stopping: bool | Literal["never"] = False

    def normaliser(self, length: int) -> float:
        """Return the divisor of the summed log-probability of ``length`` new tokens."""
        return float(length**self.length_penalty)

    def reach(self, length: int) -> int:
        """Return the length at which a running beam of ``length`` is compared to finished ones."""
        hopes = self.early_stopping == "never" and self.length_penalty > 0
        return self.max_new_tokens if hopes else length
