"""Weighted sums of scorers: titles know what is alike, buyers know what goes together."""

from collections.abc import Sequence

from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.baselines.scored import Scorer, Scores


class Hybrid:
    """Adds up the scores of several scorers over one catalog."""

    def __init__(self, parts: Sequence[tuple[float, Scorer]]) -> None:
        """Take ``parts`` as (weight, scorer).

        Raises:
            UsageError: there are no parts, or they number different catalogs.
        """
        sizes = {scorer.n_items for _, scorer in parts}
        if len(sizes) != 1:
            raise UsageError("A hybrid needs scorers that number the same items.")
        self.n_items = sizes.pop()
        self._parts = tuple(parts)

    def scores(self, histories: Sequence[Sequence[int]]) -> Scores:
        """Return the weighted sum of the parts' scores as [histories, items]."""
        (first_weight, first), *rest = self._parts
        scores = first.scores(histories)
        scores *= first_weight
        for weight, scorer in rest:
            scores += weight * scorer.scores(histories)
        return scores
