"""Metrics of lists: means with intervals, over all users and over segments."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gpt4rec_es.lab.evaluation.data import EvaluationCatalog
from gpt4rec_es.lab.splits.histories import count_buyers
from gpt4rec_es.lab.splits.segments import segments
from gpt4rec_es.lab.splits.split import EvalUser
from gpt4rec_es.metrics.accuracy import accuracy
from gpt4rec_es.metrics.labels import LabelSets
from gpt4rec_es.metrics.lists import Lists, PerUser, is_empty, list_length
from gpt4rec_es.metrics.significance import bootstrap_intervals
from gpt4rec_es.metrics.variety import catalog_coverage, coverage, diversity, novelty
from gpt4rec_es.protocols import Progress, no_progress


def measure(
    lists: Lists,
    targets: Sequence[Collection[int]],
    histories: Sequence[Sequence[int]],
    *,
    labels: Mapping[str, LabelSets],
    buyers: Mapping[int, int],
    n_users: int,
) -> dict[str, PerUser]:
    """Return every metric per user, by name.

    labels: by name (category, brand); each yields ``diversity_NAME`` and ``coverage_NAME``. buyers:
    number of users per item in training, of ``n_users``, for novelty.

    Raises:
        UsageError: there are no users, or a user has no target.
    """
    values = accuracy(lists, targets)
    for name, sets in labels.items():
        values[f"diversity_{name}"] = diversity(lists, sets)
        values[f"coverage_{name}"] = coverage(lists, histories, sets)
    values["novelty"] = novelty(lists, buyers, n_users)
    values["list_length"] = list_length(lists)
    values["empty_fraction"] = is_empty(lists)
    return values


ALL = "all"
# Bootstrap seed; fixed, so that equal lists have equal intervals.
_SEED = 1


@dataclass(frozen=True, slots=True)
class MetricRow:
    """The mean of a metric over the ``users`` of a segment that have a value.

    low, high: 95 % interval over users; None: the metric is no mean over users.
    """

    k: int
    segment: str
    metric: str
    mean: float
    low: float | None
    high: float | None
    users: int


class Measurer:
    """Measures lists of the same users; parts independent of the lists are prepared once."""

    def __init__(
        self,
        catalog: EvaluationCatalog,
        eval_users: Sequence[EvalUser],
        train: Mapping[int, Sequence[int]],
        before: Mapping[int, Sequence[int]],
    ) -> None:
        """Set the users, the training data for novelty, and the purchases for segments."""
        self._catalog, self._eval_users = catalog, eval_users
        self._buyers = count_buyers(train.values())
        self._n_users = len(train)
        masks = segments(eval_users, catalog.item_ids, before)
        self._masks = {ALL: np.ones(len(eval_users), np.bool_), **masks}

    def per_user(self, lists: Lists) -> dict[str, PerUser]:
        """Return every metric per user."""
        return measure(
            lists,
            [eval_user.targets for eval_user in self._eval_users],
            [eval_user.history for eval_user in self._eval_users],
            labels=self._catalog.labels,
            buyers=self._buyers,
            n_users=self._n_users,
        )

    def rows(self, lists: Mapping[int, Lists], progress: Progress = no_progress) -> list[MetricRow]:
        """Return the metric rows of ``lists``, by length; progress counts steps."""
        total = len(lists) + len(self._masks)
        values: dict[tuple[int, str], PerUser] = {}
        for done, (k, made) in enumerate(lists.items(), start=1):
            values |= {(k, name): each for name, each in self.per_user(made).items()}
            progress(done, total)
        rows: list[MetricRow] = []
        for done, (segment, mask) in enumerate(self._masks.items(), start=len(lists) + 1):
            found = bootstrap_intervals([each[mask] for each in values.values()], seed=_SEED)
            rows += [
                MetricRow(k, segment, name, each.mean, each.low, each.high, each.n)
                for (k, name), each in zip(values, found, strict=True)
                if each is not None
            ]
            for k, made in lists.items():
                fraction = catalog_coverage(made[mask], len(self._catalog.active))
                rows.append(
                    MetricRow(k, segment, "catalog_coverage", fraction, None, None, int(mask.sum()))
                )
            progress(done, total)
        return rows
