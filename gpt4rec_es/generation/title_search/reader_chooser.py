"""A reader of histories that chooses among titles by itself: it knows how likely each is.

The score of a title is the product of its vector and the state of a history (history_reader.py), so
the best of a whole catalog are found exactly, and the decoder behind the reader need not spell
them.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from gpt4rec_es.generation.beam import Hypothesis
from gpt4rec_es.generation.finite import require_finite
from gpt4rec_es.generation.inputs import HistoryInputs
from gpt4rec_es.generation.title_search.chooser import leaves_of

_SCORES = 10_000_000  # held in memory at a time


class ReaderChooser:
    """The titles of a catalog and their vectors; offers what ``TitleChooser`` does.

    leaves: of each display title the number of its tokens; titles cut to equal tokens share one.
    """

    def __init__(
        self, inputs: HistoryInputs, titles: Sequence[str], ids: Sequence[Sequence[int]]
    ) -> None:
        """Set them; ids: of each title, see ``title_ids``. ``inputs`` has opened its reader."""
        self._inputs = inputs
        self._tokens = sorted({tuple(one) for one in ids})
        self._numbers = {tokens: number for number, tokens in enumerate(self._tokens)}
        self.leaves = {
            title: self._numbers[tuple(one)] for title, one in zip(titles, ids, strict=True)
        }
        by_leaf = sorted(self.leaves, key=lambda title: (self.leaves[title], title))
        # 64 bits: the order of titles that say nearly the same must not depend on the batch.
        self._vectors = inputs.title_vectors(by_leaf).double()
        self._shared = len(by_leaf) > len(self._tokens)
        places = [self.leaves[title] for title in by_leaf]
        self._places = torch.tensor(places, device=self._vectors.device)
        self._priors: Any = None

    def search(
        self,
        prompts: Sequence[Sequence[int]],
        num_beams: int,
        bought: Sequence[Sequence[str]],
    ) -> list[list[Hypothesis]]:
        """Return the likeliest titles of each prompt, best first, without those of ``bought``."""
        found: list[list[Hypothesis]] = []
        for part in self._parts(len(prompts)):
            logprobs = self._logprobs(prompts[part])
            barred = [
                (row, self.leaves[title]) for row, own in enumerate(bought[part]) for title in own
            ]
            if barred:
                rows, leaves = zip(*barred, strict=True)
                logprobs[list(rows), list(leaves)] = -torch.inf
            values, leaves = logprobs.topk(min(num_beams, logprobs.shape[1]), dim=1)
            for own_values, own in zip(values.tolist(), leaves.tolist(), strict=True):
                best = sorted(zip(own_values, own, strict=True), key=lambda one: (-one[0], one[1]))
                found.append(
                    [
                        Hypothesis(self._tokens[leaf], value)
                        for value, leaf in best
                        if value > -np.inf
                    ]
                )
        return found

    def logprobs(self, prompts: Sequence[Sequence[int]], titles: Sequence[str]) -> list[float]:
        """Return the natural-log probability of each display title after its prompt.

        Those of all titles after one prompt add up to 1.

        Raises:
            ValueError: a title is not in the catalog.
        """
        leaves = leaves_of(titles, self.leaves)
        found: list[float] = []
        for part in self._parts(len(prompts)):
            own = torch.tensor(leaves[part], device=self._vectors.device)
            found += self._logprobs(prompts[part]).gather(1, own[:, None])[:, 0].tolist()
        return found

    def priors(self, titles: Sequence[Sequence[int]]) -> list[float]:
        """Return the natural-log probability of each title (token ids) after an empty history."""
        if self._priors is None:
            self._priors = self._logprobs([self._inputs.frame])[0]
        leaves = [self._numbers[tuple(ids)] for ids in titles]
        found: list[float] = self._priors[leaves].tolist()
        return found

    def _parts(self, rows: int) -> list[slice]:
        step = max(1, _SCORES // len(self._tokens))
        return [slice(start, start + step) for start in range(0, rows, step)]

    def _logprobs(self, prompts: Sequence[Sequence[int]]) -> Any:
        """Return (prompts, leaves)."""
        with torch.no_grad():
            states = self._inputs.states(prompts).double()
            found = (states @ self._vectors.T).log_softmax(1)
            # A sum has a value that is not finite if one of its row is; only sums leave the device.
            require_finite(found.sum(1).cpu().numpy())
            if self._shared:
                sums = found.new_zeros(len(found), len(self._tokens))
                found = sums.index_add_(1, self._places, found.exp()).log()
            return found
