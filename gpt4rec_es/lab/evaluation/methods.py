"""Methods that can be evaluated, by name: baselines, and lists from queries.

Each makes the lists of every user at every length, from the given training part only, of active
items with a title alone: what one method may list, all may.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.baselines.baseline_options import BASELINE_NAMES
from gpt4rec_es.lab.baselines.history_bm25 import HistoryBm25
from gpt4rec_es.lab.baselines.popularity import Popularity
from gpt4rec_es.lab.baselines.scored import CoPurchases, Hybrid, Scored, Scorer
from gpt4rec_es.lab.evaluation.data import EvaluationCatalog
from gpt4rec_es.lab.evaluation.merging import merge_lists
from gpt4rec_es.lab.splits.split import EvalUser
from gpt4rec_es.metrics.lists import Lists, as_lists
from gpt4rec_es.protocols import Progress, Recommender, no_progress

# Number of newest titles that become queries.
_TITLES = {"last-title": 1, "last-3-titles": 3, "last-5-titles": 5}
BASELINES = ("popularity", *_TITLES, "history-bm25", "co_purchases", "hybrid")
# Others than the baselines have their lists made in made_lists.py.
METHODS = (*BASELINES, "queries", "product", *BASELINE_NAMES)


@dataclass(frozen=True, slots=True)
class MethodOptions:
    """Options of baselines.

    history_decay: weight factor per older purchase. title_weight: weight of titles in the hybrid;
    co_purchases have weight 1 - title_weight. Chosen on the validation part of Amazon Beauty,
    leave-one-out.
    """

    history_decay: float = 0.7
    title_weight: float = 0.3

    def __post_init__(self) -> None:
        """Refuse a weight outside of 0 to 1."""
        if not 0 <= self.title_weight <= 1:
            raise UsageError(f"The title weight is {self.title_weight}.", "It is between 0 and 1.")


class Baselines:
    """Makes the lists of baselines for the same users; shared parts are made once."""

    def __init__(
        self,
        catalog: EvaluationCatalog,
        train: Mapping[int, Sequence[int]],
        options: MethodOptions,
    ) -> None:
        """Set the catalog and the training data by user."""
        self._catalog, self._train, self._options = catalog, train, options
        self._made: dict[str, Scorer] = {}

    def lists(
        self,
        name: str,
        eval_users: Sequence[EvalUser],
        ks: Sequence[int],
        progress: Progress = no_progress,
    ) -> dict[int, Lists]:
        """Return the lists of the baseline ``name`` by length; progress counts users.

        Raises:
            UsageError: there is no such baseline.
        """
        histories = [eval_user.history for eval_user in eval_users]
        if name in _TITLES:
            catalog, count = self._catalog, _TITLES[name]
            titles = [newest_titles(history, catalog.titles, count) for history in histories]
            cells = [(k, count) for k in ks]
            found = merge_lists(catalog, titles, histories, cells, progress)
            return {k: found[k, count] for k in ks}
        active = self._catalog.active
        recommender: Recommender = (
            Popularity(self._train.values(), active)
            if name == "popularity"
            else Scored(self._scorer(name), active)
        )
        return prefix_lists(recommender, histories, ks, progress)

    def _scorer(self, name: str) -> Scorer:
        makers: dict[str, Callable[[], Scorer]] = {
            "co_purchases": self._co_purchases,
            "history-bm25": self._history_bm25,
            "hybrid": self._hybrid,
        }
        if name not in makers:
            raise UsageError(f"There is no method {name!r}.", f"There are: {', '.join(METHODS)}.")
        if name not in self._made:
            self._made[name] = makers[name]()
        return self._made[name]

    def _co_purchases(self) -> Scorer:
        return CoPurchases(
            list(self._train.values()), self._catalog.n_items, self._options.history_decay
        )

    def _history_bm25(self) -> Scorer:
        catalog = self._catalog
        titles = list(catalog.titles.values())
        tokens = dict(zip(catalog.titles, catalog.tokens(titles), strict=True))
        return HistoryBm25(
            catalog.index, tokens, catalog.bm25, catalog.n_items, self._options.history_decay
        )

    def _hybrid(self) -> Scorer:
        weight = self._options.title_weight
        return Hybrid(
            [(weight, self._scorer("history-bm25")), (1 - weight, self._scorer("co_purchases"))]
        )


# Users per call of a recommender; progress is reported after each call.
_STEP = 1024


def prefix_lists(
    recommender: Recommender,
    histories: Sequence[Sequence[int]],
    ks: Sequence[int],
    progress: Progress = no_progress,
) -> dict[int, Lists]:
    """Return the lists of a recommender whose short lists are prefixes of its long ones."""
    longest = max(ks)
    found: list[list[int]] = []
    for first in range(0, len(histories), _STEP):
        found += recommender.recommend(histories[first : first + _STEP], longest)
        progress(len(found), len(histories))
    lists = as_lists(found, longest)
    return {k: lists[:, :k] for k in ks}


def newest_titles(history: Sequence[int], titles: Mapping[int, str], count: int) -> list[str]:
    """Return at most ``count`` of the newest titles, newest first, each once."""
    found = [titles[item] for item in reversed(history) if titles.get(item)]
    return list(dict.fromkeys(found))[:count]
