"""Metrics of a trained reference model, RecTools' SASRec, on the split of baselines.py.

RecTools needs an older NumPy, so this runs in a separate environment and imports nothing of the
project: ``python -m venv ENV && ENV/bin/pip install 'rectools[torch]==0.19.0'``, then
``ENV/bin/python benchmarks/sasrec.py FOLDER``. Leave-one-out: each user's last item is the target,
all before it is training data; bought items are left out of the lists.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from rectools import Columns, metrics
from rectools.dataset import Dataset
from rectools.models import SASRecModel

KS = (5, 10, 20, 40)


def read(folder: Path) -> pd.DataFrame:
    """Return interactions, oldest first, with an ordinal as time."""
    rows = pd.read_csv(folder / "interactions.csv.gz", dtype={"user_id": str, "item_id": str})
    by = "timestamp" if rows.get("timestamp", pd.Series(dtype=float)).notna().all() else "ordinal"
    rows = rows.sort_values(["user_id", by, "ordinal"], kind="stable")
    rows = rows.drop_duplicates([Columns.User, Columns.Item], keep="last")
    place = rows.groupby(Columns.User).cumcount()
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(place, unit="D")
    return rows[[Columns.User, Columns.Item]].assign(weight=1.0, datetime=days)


def make_model(options: argparse.Namespace) -> SASRecModel:
    """Return the model with a sampled softmax loss, which is cheaper and as accurate."""
    return SASRecModel(
        n_blocks=options.blocks,
        n_heads=1,
        n_factors=options.width,
        session_max_len=options.length,
        dropout_rate=options.dropout,
        loss="sampled_softmax",
        n_negatives=options.negatives,
        batch_size=options.batch_size,
        lr=options.lr,
        epochs=options.epochs,
        deterministic=True,
        verbose=0,
    )


def main() -> None:
    """Train, recommend to every user, and print recall and NDCG with half the 95 % interval."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--blocks", type=int, default=1)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--length", type=int, default=20, help="newest items of a history")
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--negatives", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    np.random.seed(options.seed)
    if options.threads:
        torch.set_num_threads(options.threads)
    rows = read(options.folder)
    is_target = ~rows.duplicated(Columns.User, keep="last")
    train, held = rows[~is_target], rows[is_target]
    started = time.perf_counter()
    model = make_model(options)
    dataset = Dataset.construct(train)
    model.fit(dataset)
    seconds = time.perf_counter() - started
    users = train[Columns.User].unique()
    lists = model.recommend(users, dataset, k=max(KS), filter_viewed=True)
    held = held[held[Columns.User].isin(users)]
    found = {"users": len(users), "epochs": options.epochs, "seconds": round(seconds)}
    for k in KS:
        recall = metrics.Recall(k).calc_per_user(lists, held)
        ndcg = metrics.NDCG(k, divide_by_achievable=True).calc_per_user(lists, held)
        half = 1.96 * recall.std() / len(recall) ** 0.5
        found[f"recall@{k}"] = f"{recall.mean():.4f} +-{half:.4f}"
        found[f"ndcg@{k}"] = f"{ndcg.mean():.4f}"
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
