"""Re-rankers and trained baselines on one data set: NDCG@10, hit rate, seconds; without a server.

``python -m benchmarks.rerankers FOLDER --presets fast,no-finetune --baselines bpr_mf,sasrec``.
Leave-one-out on the files of a folder: each user's last item is the target of the test, the one
before it that of validation. Lists are from the whole catalog without known items. Without --gpt2 a
tiny GPT-2 with random weights reads the metadata: what a trained one adds is the difference.
"""

import argparse
import json
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
from gpt4rec_es.lab.baselines.baseline_folder import NETWORKS
from gpt4rec_es.lab.baselines.baseline_options import options_of
from gpt4rec_es.lab.baselines.fit_baseline import fit_baseline
from gpt4rec_es.lab.baselines.network import BaselineData
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


class Table:
    """Prints a row for each method: means over the same users, and the gain over a reference."""

    def __init__(self, targets: list[list[int]], reference: str) -> None:
        self._targets, self._reference = targets, reference
        self._against: Any = None
        print(f"| method | NDCG@{K} | hit rate@{K} | NDCG@{K} minus that of {reference} | |")
        print("|---|---|---|---|---|")

    def show(self, name: str, lists: list[list[int]], what: str = "") -> None:
        """Print one row; half of 95 % intervals behind ±, those of gains by paired users."""
        found = accuracy(as_lists(lists, K), self._targets)
        ndcg, hits = found["ndcg"], found["hit_rate"]
        gain = ""
        if name == self._reference:
            self._against = ndcg
        elif self._against is not None:
            gain = with_half(ndcg - self._against)
        print(f"| {name} | {with_half(ndcg)} | {hits.mean():.4f} | {gain} | {what} |", flush=True)


def with_half(values: Any) -> str:
    """Return the mean and half of its 95 % interval, by the normal distribution."""
    half = 1.96 * values.std() / np.sqrt(len(values))
    return f"{values.mean():.4f} ± {half:.4f}"


def popular_items(train: list[list[int]], known: list[list[int]]) -> list[list[int]]:
    """Return the most popular items that each user does not know."""
    popular = [i for i, _ in Counter(i for history in train for i in history).most_common()]
    lists = []
    for history in known:
        own = set(history)
        lists.append([item for item in popular[: K + len(own)] if item not in own][:K])
    return lists


@dataclass(frozen=True)
class Shared:
    """What all methods learn from and are measured on."""

    data: RecommenderData
    validation: ValidationUsers
    known: list[list[int]]
    table: Table
    folder: Path

    def run(self, name: str, fitting: Callable[[Path], int], lists: Callable[[], Any]) -> None:
        """Train, make the lists of all users, and print a row with the seconds of both."""
        work = self.folder / name
        work.mkdir()
        started = time.monotonic()
        epochs = fitting(work)
        seconds = (time.monotonic() - started) / epochs
        started = time.monotonic()
        made = lists()
        scoring = time.monotonic() - started
        what = f"{epochs} epochs, {seconds:.1f} s each; lists of all in {scoring:.1f} s"
        self.table.show(name, made, what)


def run_baseline(shared: Shared, method: str, changes: dict[str, Any]) -> None:
    """Train and measure a baseline with early stop."""
    data = BaselineData(shared.data.histories, len(shared.data.items))
    options = options_of(method, **changes)
    torch.manual_seed(options.seed)
    network = NETWORKS[method](data, options)
    shared.run(
        method,
        lambda work: len(
            fit_baseline(network, data, shared.validation, options, work, no_progress)
        ),
        lambda: network.lists(shared.validation.users, shared.known, K),
    )


def run_reranker(shared: Shared, gpt2: Path, options: RerankerOptions) -> None:
    """Train and measure a re-ranker by its own towers."""
    torch.manual_seed(options.seed)
    model = new_recommender(shared.data, open_encoder(gpt2), options)
    shared.run(
        options.preset,
        lambda work: len(fit(model, shared.data, shared.validation, options, work, no_progress)),
        lambda: best_items(model, shared.validation.users, shared.known, K, model.snapshot()),
    )


def changes_of(text: str) -> tuple[str, dict[str, Any]]:
    """Return name and options of a baseline such as sasrec:length=100:epochs=20."""
    name, *parts = text.split(":")
    return name, {key: json.loads(value) for key, value in (part.split("=") for part in parts)}


def main() -> None:
    """Measure popularity, each baseline and each preset on the test."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--presets", default=",".join(get_args(RerankerPreset)))
    parser.add_argument(
        "--baselines", default="bpr_mf,sasrec", help="Such as bpr_mf,sasrec:length=100."
    )
    parser.add_argument("--against", default="sasrec", help="Reference of the gains.")
    parser.add_argument("--gpt2", type=Path, help="Folder of a GPT-2.")
    parser.add_argument("--users", type=int, help="Number of users, the first ones.")
    parser.add_argument("--epochs", type=int, help="Epochs of each phase of a preset.")
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
    table = Table(targets, chosen.against)
    table.show("popularity", popular_items(train, known))
    with tempfile.TemporaryDirectory() as folder:
        shared = Shared(data, validation, known, table, Path(folder))
        for name, changes in map(changes_of, filter(None, chosen.baselines.split(","))):
            run_baseline(shared, name, changes)
        texts = [text for text in items.texts if text.startswith("title")]
        gpt2 = chosen.gpt2 or random_gpt2(Path(folder) / "gpt2", texts)
        for preset in filter(None, chosen.presets.split(",")):
            options = RerankerOptions(
                preset, epochs=chosen.epochs, contrastive_weight=chosen.contrastive_weight
            )
            run_reranker(shared, gpt2, options)


if __name__ == "__main__":
    main()
