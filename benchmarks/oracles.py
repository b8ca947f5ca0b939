"""Write what other libraries' recommenders reach on a synthetic shop, as marks for ours.

RecTools' SASRec and BERT4Rec, implicit's BPR and LightFM with category and brand need another
NumPy, so ``make oracles`` runs this in an environment of its own; it imports nothing of the
project and only writes a file, with the shop itself. Each library gets a small grid, and the
setting with the highest NDCG@10 on the targets counts, in favour of the library.
"""

import itertools
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from implicit.cpu.bpr import BayesianPersonalizedRanking
from lightfm import LightFM
from rectools import Columns, metrics
from rectools.dataset import Dataset
from rectools.models import (
    BERT4RecModel,
    ImplicitBPRWrapperModel,
    LightFMWrapperModel,
    PopularModel,
    SASRecModel,
)

K = 10
USERS, ITEMS, CATEGORIES, BRANDS = 800, 150, 10, 12
SUCCESSORS = (0.6, 0.3, 0.1)
DIM, LENGTH = 32, 12


def make_shop(chance: random.Random) -> dict[str, Any]:
    """Return histories, oldest first, with the category and brand of each item.

    An item is followed by one of its three successors, by one of the user's two categories, or by
    any item: order, taste and popularity all say something of the next purchase.
    """
    category = [item % CATEGORIES for item in range(ITEMS)]
    brand = [chance.randrange(BRANDS) for _ in range(ITEMS)]
    popularity = [1 / (1 + chance.randrange(ITEMS)) ** 0.5 for _ in range(ITEMS)]
    successors = [chance.sample(range(ITEMS), len(SUCCESSORS)) for _ in range(ITEMS)]
    histories = []
    for _ in range(USERS):
        liked = chance.sample(range(CATEGORIES), 2)
        own = [item for item in range(ITEMS) if category[item] in liked]
        history = [chance.choice(own)]
        for _ in range(chance.randint(6, 13)):
            draw = chance.random()
            if draw < 0.5:
                items, weights = successors[history[-1]], list(SUCCESSORS)
            else:
                items = own if draw < 0.9 else list(range(ITEMS))
                weights = [popularity[item] for item in items]
            (item,) = chance.choices(items, weights)
            if item not in history:
                history.append(item)
        histories.append(history)
    return {"histories": histories, "category": category, "brand": brand, "n_items": ITEMS}


def frame(histories: list[list[int]]) -> pd.DataFrame:
    """Return (user, item) rows with the place in the history as a day."""
    rows = [(user, item, n) for user, own in enumerate(histories) for n, item in enumerate(own)]
    found = pd.DataFrame(rows, columns=[Columns.User, Columns.Item, "place"])
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(found.pop("place"), unit="D")
    return found.assign(weight=1.0, datetime=days)


def sasrec(shape: type = SASRecModel, **chosen: Any) -> Any:
    """Return RecTools' SASRec, or another transformer, with a softmax over all items."""
    shared = {"n_factors": DIM, "session_max_len": LENGTH, "loss": "softmax", "deterministic": True}
    return shape(**shared, batch_size=64, verbose=0, **chosen)


def bert4rec(**chosen: Any) -> Any:
    """Return RecTools' BERT4Rec."""
    return sasrec(BERT4RecModel, mask_prob=0.2, **chosen)


def bpr(**chosen: Any) -> Any:
    """Return implicit's BPR, in one thread, as its threads write the same weights."""
    made = BayesianPersonalizedRanking(factors=DIM, num_threads=1, random_state=1, **chosen)
    return ImplicitBPRWrapperModel(made)


def fm(learning_rate: float, epochs: int, alpha: float) -> Any:
    """Return LightFM with BPR; of items it reads number, category and brand."""
    made = LightFM(
        no_components=DIM,
        loss="bpr",
        learning_rate=learning_rate,
        item_alpha=alpha,
        user_alpha=alpha,
        random_state=1,
    )
    return LightFMWrapperModel(made, epochs=epochs, num_threads=1)


def grid(**values: list[Any]) -> Iterator[dict[str, Any]]:
    """Yield all combinations of the values."""
    for chosen in itertools.product(*values.values()):
        yield dict(zip(values, chosen, strict=True))


# Transformers as many epochs as ours in the test, others as many as they need.
MODELS: dict[str, tuple[Callable[..., Any], Iterator[dict[str, Any]]]] = {
    "sasrec": (
        sasrec,
        grid(n_blocks=[1], n_heads=[1], dropout_rate=[0.1, 0.2], lr=[3e-3, 5e-3], epochs=[20]),
    ),
    "bert4rec": (
        bert4rec,
        grid(n_blocks=[1], n_heads=[2], dropout_rate=[0.1, 0.2], lr=[3e-3, 5e-3], epochs=[40]),
    ),
    "bpr_mf": (
        bpr,
        grid(learning_rate=[0.02, 0.05], regularization=[0.01, 0.05], iterations=[100, 200, 400]),
    ),
    "fm_bpr": (fm, grid(learning_rate=[0.02, 0.05], alpha=[0.0, 1e-4], epochs=[20, 40, 80])),
    "popularity": (PopularModel, grid()),
}


def measure(model: Any, dataset: Dataset, held: pd.DataFrame) -> dict[str, float]:
    """Train the model and return its means over users."""
    started = time.perf_counter()
    model.fit(dataset)
    seconds = time.perf_counter() - started
    users = held[Columns.User].unique()
    lists = model.recommend(users, dataset, k=K, filter_viewed=True)
    ndcg = metrics.NDCG(K, divide_by_achievable=True)
    return {
        "recall": float(metrics.Recall(K).calc(lists, held)),
        "ndcg": float(ndcg.calc(lists, held)),
        "seconds": round(seconds, 1),
    }


def main(path: str) -> None:
    """Write the shop and the figures of every setting, the best of a model first."""
    torch.set_num_threads(1)
    shop = make_shop(random.Random(17))
    train = frame([history[:-1] for history in shop["histories"]])
    last = [[history[-1]] for history in shop["histories"]]
    held = frame(last)[[Columns.User, Columns.Item]]
    features = [
        (item, kind, shop[kind][item]) for item in range(ITEMS) for kind in ("category", "brand")
    ]
    known = pd.DataFrame(features, columns=["id", "feature", "value"])
    known = known[known["id"].isin(train[Columns.Item].unique())]
    plain = Dataset.construct(train)
    with_features = Dataset.construct(
        train, item_features_df=known, cat_item_features=["category", "brand"]
    )
    figures: dict[str, list[dict[str, Any]]] = {}
    for name, (make, settings) in MODELS.items():
        for setting in settings:
            torch.manual_seed(1)
            np.random.seed(1)
            dataset = with_features if name == "fm_bpr" else plain
            found = {"options": setting, **measure(make(**setting), dataset, held)}
            figures.setdefault(name, []).append(found)
            print(name, found, file=sys.stderr)
        figures[name].sort(key=lambda one: -one["ndcg"])
    packages = ("rectools", "implicit", "rectools-lightfm", "torch", "numpy")
    document = {"versions": {one: version(one) for one in packages}, **shop, "figures": figures}
    Path(path).write_text(json.dumps(document) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
