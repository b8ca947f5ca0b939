"""Candidates of users with their features, computed by the night's code and kept in one array.

They depend on the sources' options only, so that coefficients can be fitted and compared without
searching again.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.db.rows.lists import UserInput
from gpt4rec_es.lab.bm25.hits import HitsAtPoint
from gpt4rec_es.lab.evaluation.data import EvaluationCatalog
from gpt4rec_es.lab.evaluation.merging import GridMerge
from gpt4rec_es.lab.evaluation.sources import ListSources
from gpt4rec_es.metrics.lists import NOTHING, Lists
from gpt4rec_es.night.stages.merge_inputs import MergeInputs
from gpt4rec_es.options.features import CONTEXTS, FEATURES
from gpt4rec_es.options.lists import ANY_TERM, SearchOptions
from gpt4rec_es.protocols import Progress, no_progress
from gpt4rec_es.ranking.features import Candidates


@dataclass(frozen=True, slots=True)
class CandidateSet:
    """Candidates of all users, user after user, in the order that decides ties.

    item_nos: [candidates]. features: [candidates, features], float32. contexts: [users, contexts].
    starts: index of each user's first candidate, and their number at the end.
    """

    item_nos: NDArray[np.int64]
    features: NDArray[np.float32]
    contexts: NDArray[np.float64]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of users."""
        return len(self.starts) - 1

    def of(self, users: Sequence[int] | NDArray[np.int64]) -> "CandidateSet":
        """Return the candidates of these users, in their order."""
        chosen = np.asarray(users, np.int64)
        counts = np.diff(self.starts)[chosen]
        starts = np.concatenate(([0], np.cumsum(counts)))
        rows = np.arange(starts[-1]) + np.repeat(self.starts[chosen] - starts[:-1], counts)
        return CandidateSet(self.item_nos[rows], self.features[rows], self.contexts[chosen], starts)

    def owners(self) -> NDArray[np.int64]:
        """Return the user's index of each candidate."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def column(self, name: str) -> NDArray[np.float64]:
        """Return the values that the coefficient ``name`` is multiplied with, [candidates]."""
        feature, _, context = name.partition("*")
        values = self.features[:, list(FEATURES).index(feature)].astype(np.float64)
        if context:
            values *= self.contexts[self.owners(), list(CONTEXTS).index(context)]
        return values

    def is_target(self, targets: Sequence[Collection[int]]) -> NDArray[np.bool_]:
        """Return whether each candidate is a target of its user."""
        found = np.zeros(len(self.item_nos), np.bool_)
        for user, wanted in enumerate(targets):
            own = slice(self.starts[user], self.starts[user + 1])
            found[own] = np.isin(self.item_nos[own], np.fromiter(wanted, np.int64, len(wanted)))
        return found

    def lists(self, scores: NDArray[np.float64], k: int) -> Lists:
        """Return each user's ``k`` candidates of the highest scores; ties keep their order."""
        order = np.lexsort((np.arange(len(scores)), -scores, self.owners()))
        ranks = np.arange(len(order)) - np.repeat(self.starts[:-1], np.diff(self.starts))
        found = np.full((len(self), k), NOTHING, np.int64)
        kept = ranks < k
        found[self.owners()[kept], ranks[kept]] = self.item_nos[order[kept]]
        return found


class CandidateCollector:
    """Collects the candidates of the same users by several fusions from the same searches.

    The hits of queries and titles stay in memory: 8 bytes each, ``fusion.candidates`` per title.
    """

    def __init__(
        self,
        catalog: EvaluationCatalog,
        queries: Sequence[Sequence[str]],
        histories: Sequence[Sequence[int]],
        sources: ListSources,
        progress: Progress = no_progress,
        *,
        options: SearchOptions = ANY_TERM,
        removed: Collection[str] = frozenset(),
    ) -> None:
        """Search for the fusion of ``sources``; ``progress`` counts users.

        queries: per user, best first; removed: those that filters remove. options: search options
        of queries.
        """
        grid = GridMerge(catalog.search(options), catalog.search(), [catalog.bm25], sources)
        most = max(sources.fusion.query_hits, sources.fusion.candidates)
        self._groups: list[tuple[list[UserInput], HitsAtPoint, MergeInputs]] = []
        for users, hits, inputs in grid.groups(queries, histories, most, removed=removed):
            at = hits.at(0)
            titles = {n for user in users for n in inputs.title_queries(user)}
            found = {n for user in users for n in user.used_queries}
            at.load_first({*map(at.title_key, titles), *map(at.query_key, found)})
            self._groups.append((users, at, inputs))
            progress(users[-1].user_no + 1, len(queries))

    def collect(self, sources: ListSources) -> CandidateSet:
        """Return the candidates of all users by a fusion that counts the same hits."""
        found: list[Candidates] = []
        for users, at, inputs in self._groups:
            now = replace(
                inputs,
                fusion=sources.fusion,
                neighbours=sources.neighbours,
                buyers=sources.buyers,
            )
            found += (now.candidates(user, at.of_query, at.of_title) for user in users)
        none = np.zeros((0, len(FEATURES)), np.float32)
        return CandidateSet(
            np.concatenate([np.zeros(0, np.int64), *(one.item_nos for one in found)]),
            np.concatenate([none, *(one.features.astype(np.float32) for one in found)]),
            np.array(
                [[one.contexts[name] for name in CONTEXTS] for one in found], np.float64
            ).reshape(-1, len(CONTEXTS)),
            np.cumsum([0, *(len(one.item_nos) for one in found)], dtype=np.int64),
        )
