"""Our baselines against other libraries' on one shop, by the figures of benchmarks/oracles.py.

Each library trained on all purchases but the last of every user, which is the target. Ours learn
from the same purchases with the same width, the transformers for as many epochs.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from gpt4rec_es.db.rows.metadata import ItemFields
from gpt4rec_es.lab.baselines.baseline_folder import NETWORKS
from gpt4rec_es.lab.baselines.baseline_options import options_of
from gpt4rec_es.lab.baselines.fit_baseline import fit_baseline
from gpt4rec_es.lab.baselines.network import BaselineData
from gpt4rec_es.lab.training.numbered_split import ValidationUsers
from gpt4rec_es.metrics.accuracy import accuracy
from gpt4rec_es.metrics.lists import as_lists
from gpt4rec_es.protocols import no_progress

FILE = Path(__file__).parents[3] / "data" / "oracles.json"
DIM, K = 32, 10
PAIRS = {"lr": 1e-2, "epochs": 10, "batch_size": 256, "l2": 0.01}
SEQUENCES = {"lr": 5e-3, "batch_size": 64, "samples": 0, "blocks": 1, "dropout": 0.1}
OURS: dict[str, dict[str, Any]] = {
    "bpr_mf": PAIRS,
    "fm_bpr": PAIRS,
    "sasrec": {**SEQUENCES, "length": 12, "heads": 1, "epochs": 20},
    "bert4rec": {**SEQUENCES, "length": 13, "heads": 2, "epochs": 40},
}
# Two standard errors of a fraction of .5 over the 800 users: chance of the users and of the seeds.
# Pairs find less: so much would leave little more of their marks than popular items reach.
TOLERANCE = {"bpr_mf": 0.02, "fm_bpr": 0.02, "sasrec": 0.035, "bert4rec": 0.035}


@pytest.fixture(scope="module")
def shop() -> Any:
    return json.loads(FILE.read_text())


def measured(shop: Any, method: str, work: Path) -> dict[str, float]:
    """Return recall@10 and NDCG@10 of our method on the shop."""
    train = [history[:-1] for history in shop["histories"]]
    labels = zip(shop["brand"], shop["category"], strict=True)
    fields = [
        ItemFields(item, f"item {item}", f"brand {brand}", f"category {category}", None)
        for item, (brand, category) in enumerate(labels)
    ]
    data = BaselineData(train, shop["n_items"], fields)
    options = options_of(method, dim=DIM, device="cpu", **OURS[method])
    torch.manual_seed(options.seed)
    network = NETWORKS[method](data, options)
    fit_baseline(network, data, ValidationUsers([], [], []), options, work, no_progress)
    lists = as_lists(network.lists(range(len(train)), train, K), K)
    values = accuracy(lists, [history[-1:] for history in shop["histories"]])
    return {name: float(values[name].mean()) for name in ("recall", "ndcg")}


@pytest.mark.parametrize("method", OURS)
def test_ours_is_as_good_as_the_librarys(shop: Any, method: str, tmp_path: Path) -> None:
    best = shop["figures"][method][0]
    if method in {"sasrec", "bert4rec"}:
        assert best["options"]["epochs"] == OURS[method]["epochs"]
    ours = measured(shop, method, tmp_path)
    for metric, value in ours.items():
        assert value >= best[metric] - TOLERANCE[method]


@pytest.mark.parametrize("metric", ["recall", "ndcg"])
def test_the_marks_are_above_what_less_learns(shop: Any, metric: str) -> None:
    best = {method: rows[0][metric] for method, rows in shop["figures"].items()}
    marks = {method: best[method] - tolerance for method, tolerance in TOLERANCE.items()}
    assert min(marks.values()) > best["popularity"]
    # The order of purchases is half of what there is to learn, and pairs know nothing of it.
    assert min(marks["sasrec"], marks["bert4rec"]) > max(best["bpr_mf"], best["fm_bpr"])
