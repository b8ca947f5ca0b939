"""What trained baselines cost: an epoch, memory, and lists, on one thread.

The shop is that of the oracles, with its users repeated. Each baseline is trained by its default
options for two epochs, in a process of its own, so that its peak of memory is its own.
"""

import csv
import json
import multiprocessing
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.place import Place, connect
from benchmarks.table import Line
from gpt4rec_es.catalog.import_interactions import import_interactions
from gpt4rec_es.catalog.import_items import import_items
from gpt4rec_es.lab.baselines.baseline_options import BASELINE_NAMES, options_of
from gpt4rec_es.lab.baselines.train_baseline import train_baseline
from gpt4rec_es.lab.baselines.trained import open_trained
from gpt4rec_es.lab.splits.create import create_split
from gpt4rec_es.lab.splits.protocols import SplitOptions
from gpt4rec_es.lab.splits.stored import load_split
from gpt4rec_es.lab.training.cost import serving_cost

_SHOP = Path(__file__).parents[1] / "tests" / "data" / "oracles.json"
_EPOCHS, _K, _SPLIT = 2, 10, "bench"


def measure(place: Place, users: int) -> list[Line]:
    """Return what each trained baseline costs in a shop of ``users`` users."""
    with tempfile.TemporaryDirectory() as folder:
        _fill(place, users, Path(folder))
    create_split(place.engine, _SPLIT, SplitOptions("leave-one-out"), actor="bench")
    # Its children have the libraries and nothing else, not even this process's threads.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    train = partial(_cost, place.url, place.elasticsearch_url, place.alias)
    with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as pool:
        return [
            Line(
                f"{method}, {users:,} users: an epoch",
                f"{fmean(row['seconds'] for row in cost['epochs']):.2f} s, "
                f"{cost['peak_memory_mb']:,} MB, "
                f"lists {cost['seconds_per_1000_users']:.3f} s per 1,000 users",
            )
            for method, cost in zip(BASELINE_NAMES, pool.map(train, BASELINE_NAMES), strict=True)
        ]


def _fill(place: Place, users: int, folder: Path) -> None:
    shop = json.loads(_SHOP.read_text(encoding="utf-8"))
    labels = zip(shop["category"], shop["brand"], strict=True)
    items: list[tuple[Any, ...]] = [
        (f"i{item}", f"item {item} of kind {category}", f"kind {category}", f"brand {brand}")
        for item, (category, brand) in enumerate(labels)
    ]
    purchases: list[tuple[Any, ...]] = [
        (f"u{user}", f"i{item}", ordinal)
        for user, history in enumerate(islice(cycle(shop["histories"]), users))
        for ordinal, item in enumerate(history)
    ]
    files = folder / "items.csv", folder / "interactions.csv"
    names = ("item_id", "title", "category", "brand"), ("user_id", "item_id", "ordinal")
    for path, header, rows in zip(files, names, (items, purchases), strict=True):
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *rows])
    import_items(place.engine, [files[0]], actor="bench")
    import_interactions(place.engine, [files[1]], actor="bench")


def _cost(url: str, elasticsearch_url: str, alias: str, method: str) -> dict[str, Any]:
    """Return the cost of a training and of lists for all users, in this process."""
    place = connect(url, elasticsearch_url, alias)
    options = options_of(method, epochs=_EPOCHS, threads=1, device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / method
        card = train_baseline(
            place.engine, method, options, name=method, split=_SPLIT, output=path
        ).card
        opened = open_trained(place.engine, _SPLIT, "test", path)
        users = load_split(place.engine, _SPLIT)[1].test
        active = frozenset(item for user in users for item in user.history)
        started = time.monotonic()
        opened.lists(users, _K, active)
        return {**card, **serving_cost(time.monotonic() - started, len(users))}
