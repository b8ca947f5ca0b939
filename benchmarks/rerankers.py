"""Re-rankers by preset on one data set: NDCG@10, hit rate and seconds per epoch, without a server.

``python -m benchmarks.rerankers FOLDER --presets fast,no-finetune``. Leave-one-out on the files of
a folder: each user's last item is the target of the test, the one before it that of validation.
Lists are from the whole catalog without known items. Without --gpt2 a tiny GPT-2 with random
weights reads the metadata: what a trained one adds is the difference.
"""

import argparse
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from benchmarks.baselines import read_rows
from gpt4rec_es.db.rows.metadata import ItemFields
from gpt4rec_es.encoders.network import set_threads
from gpt4rec_es.encoders.text_encoder import open_encoder
from gpt4rec_es.encoders.tokenizer import save_tokenizer, train_tokenizer
from gpt4rec_es.lab.splits.histories import deduplicate_keep_last
from gpt4rec_es.lab.training.fit_reranker import fit, new_recommender
from gpt4rec_es.lab.training.new_network import new_network
from gpt4rec_es.lab.training.numbered_split import ValidationUsers
from gpt4rec_es.lab.training.reranker_options import RerankerOptions, RerankerPreset
from gpt4rec_es.metrics.accuracy import accuracy
from gpt4rec_es.metrics.lists import as_lists
from gpt4rec_es.protocols import no_progress
from gpt4rec_es.reranking.catalog_lists import best_items
from gpt4rec_es.reranking.metadata import RecommenderData
from gpt4rec_es.reranking.reading import learn_reading

K = 10


def read(folder: Path, users: int | None) -> tuple[list[list[int]], Any, Any]:
    """Return histories as item indices, oldest first, metadata of items, and of users."""
    items = read_rows(folder / "items.csv.gz")
    fields = [
        ItemFields(
            number,
            row["title"] or None,
            row["brand"] or None,
            row["category"] or None,
            Decimal(row["price"]) if row["price"] else None,
        )
        for number, row in enumerate(items)
    ]
    numbers = {row["item_id"]: number for number, row in enumerate(items)}
    events: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for row in read_rows(folder / "interactions.csv.gz"):
        events[row["user_id"]].append((int(row["ordinal"]), numbers[row["item_id"]]))
    chosen = list(events)[:users]
    histories = [deduplicate_keep_last([i for _, i in sorted(events[user])]) for user in chosen]
    path = folder / "users.csv.gz"
    rows = {row["user_id"]: row for row in read_rows(path)} if path.exists() else {}
    attributes = [dict(rows.get(user, {})) for user in chosen]
    reading = learn_reading(fields, attributes)
    return histories, reading.items(fields), reading.users(attributes)


def random_gpt2(folder: Path, titles: Sequence[str]) -> Path:
    """Write a tiny GPT-2 with random weights and a tokenizer of the titles."""
    torch.manual_seed(0)
    tokenizer = train_tokenizer(titles, 3000)
    network = new_network("tiny", tokenizer.size, tokenizer.end_id)
    network.save_pretrained(folder)
    save_tokenizer(tokenizer, folder, int(network.config.n_positions))
    return folder


def show(name: str, lists: list[list[int]], targets: list[list[int]], what: str = "") -> None:
    """Print one row."""
    found = accuracy(as_lists(lists, K), targets)
    ndcg, hits = found["ndcg"], found["hit_rate"]
    half = 1.96 * ndcg.std() / np.sqrt(len(ndcg))
    print(f"| {name} | {ndcg.mean():.4f} ± {half:.4f} | {hits.mean():.4f} | {what} |", flush=True)


def main() -> None:
    """Measure popularity and each preset on the test."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--presets", default=",".join(get_args(RerankerPreset)))
    parser.add_argument("--gpt2", type=Path, help="Folder of a GPT-2.")
    parser.add_argument("--users", type=int, help="Number of users, the first ones.")
    parser.add_argument("--epochs", type=int, help="Epochs of each phase.")
    parser.add_argument("--contrastive-weight", type=float, default=0.1)
    parser.add_argument("--threads", type=int, default=0)
    chosen = parser.parse_args()
    set_threads(chosen.threads)
    histories, items, users = read(chosen.folder, chosen.users)
    train = [history[:-2] for history in histories]
    data = RecommenderData(items, train, users)
    everyone = list(range(len(histories)))
    validation = ValidationUsers(everyone, train, [history[-2:-1] for history in histories])
    known, targets = [h[:-1] for h in histories], [h[-1:] for h in histories]
    print(f"{len(histories)} users, {len(items)} items, {sum(map(len, train))} training events")
    print(f"| method | NDCG@{K} | hit rate@{K} | |\n|---|---|---|---|")
    popular = [i for i, _ in Counter(i for history in train for i in history).most_common()]
    lists = []
    for history in known:
        own = set(history)
        lists.append([item for item in popular[: K + len(own)] if item not in own][:K])
    show("popularity", lists, targets)
    with tempfile.TemporaryDirectory() as folder:
        texts = [text for text in items.texts if text.startswith("title")]
        gpt2 = chosen.gpt2 or random_gpt2(Path(folder) / "gpt2", texts)
        for preset in chosen.presets.split(","):
            work = Path(folder) / preset
            work.mkdir()
            options = RerankerOptions(
                preset, epochs=chosen.epochs, contrastive_weight=chosen.contrastive_weight
            )
            torch.manual_seed(options.seed)
            model = new_recommender(data, open_encoder(gpt2), options)
            started = time.monotonic()
            epochs = fit(model, data, validation, options, work, no_progress)
            seconds = (time.monotonic() - started) / len(epochs)
            started = time.monotonic()
            lists = best_items(model, everyone, known, K, model.snapshot())
            scoring = time.monotonic() - started
            what = f"{len(epochs)} epochs, {seconds:.1f} s each; lists of all in {scoring:.1f} s"
            show(preset, lists, targets, what)


if __name__ == "__main__":
    main()
