"""Write RecTools' metrics of synthetic lists, the expected values in tests of our metrics.

RecTools needs an older NumPy, so ``make oracles`` runs this in a separate environment; it only
writes a file.
"""

import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from rectools import Columns, metrics

USERS, ITEMS, K = 40, 60, 5


class LabelDistance(metrics.PairwiseDistanceCalculator):  # type: ignore[misc] # not installed here
    """1 - Jaccard similarity of label sets."""

    def __init__(self, labels: Sequence[Sequence[str]]) -> None:
        self.labels = {item: set(several) for item, several in enumerate(labels)}

    def _get_distances_for_item_pairs(
        self, items_0: Sequence[int], items_1: Sequence[int]
    ) -> list[float]:
        pairs = zip(items_0, items_1, strict=True)
        return [1 - self._similarity(self.labels[one], self.labels[other]) for one, other in pairs]

    def _similarity(self, one: set[str], other: set[str]) -> float:
        return len(one & other) / len(one | other)


def main(path: str) -> None:
    """Write lists, targets, training and labels, and the value of each metric per user."""
    chance = random.Random(11)
    lists = [
        chance.sample(range(ITEMS), K if user % 5 else chance.randint(1, K))
        for user in range(USERS)
    ]
    targets = [chance.sample(range(ITEMS), chance.randint(1, 8)) for _ in range(USERS)]
    # The last items have no users.
    train = [chance.sample(range(ITEMS - 9), chance.randint(1, 12)) for _ in range(USERS)]
    labels = [chance.sample("abcdefg", chance.randint(1, 3)) for _ in range(ITEMS)]
    reco = frame(lists)
    reco[Columns.Rank] = reco.groupby(Columns.User).cumcount() + 1
    held, known = frame(targets), frame(train)
    full = reco[reco.groupby(Columns.User)[Columns.Item].transform("size") == K]
    values = {
        "recall": metrics.Recall(K).calc_per_user(reco, held),
        "hit_rate": metrics.HitRate(K).calc_per_user(reco, held),
        "ndcg": metrics.NDCG(K, divide_by_achievable=True).calc_per_user(reco, held),
        "mrr": metrics.MRR(K).calc_per_user(reco, held),
        "novelty": metrics.MeanInvUserFreq(K).calc_per_user(reco, known),
        "diversity_of_full_lists": metrics.IntraListDiversity(
            K, LabelDistance(labels)
        ).calc_per_user(full),
    }
    coverage = metrics.CatalogCoverage(K, normalize=True).calc(reco, range(ITEMS))
    Path(path).write_text(
        json.dumps(
            {
                "k": K,
                "lists": lists,
                "targets": targets,
                "train": train,
                "labels": labels,
                "catalog_coverage": float(coverage),
                "values": {
                    name: {int(u): float(v) for u, v in each.items()}
                    for name, each in values.items()
                },
            }
        )
        + "\n"
    )


def frame(rows: Sequence[Sequence[int]]) -> pd.DataFrame:
    """Return (user, item) rows."""
    pairs = [(user, item) for user, items in enumerate(rows) for item in items]
    return pd.DataFrame(pairs, columns=[Columns.User, Columns.Item])


if __name__ == "__main__":
    main(sys.argv[1])
