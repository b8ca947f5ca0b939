"""Re-rankers and trained baselines on one data set, in steps of one change; without a server.

``python -m benchmarks.rerankers FOLDER --gpt2 GPT2 --work WORK``. FOLDER holds feeds as CSV, GPT2 a
GPT-2 that was trained on its titles (`gpt4rec train generator`). Each row is trained in a process
of its own, and its result stays in WORK: the same command goes on after a kill, and --show prints
what there is. reranker_rows.py defines the rows, reranker_cases.py the users and items.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.reranker_cases import Case, Cases, read_cases
from benchmarks.reranker_rows import (
    BASELINES,
    ROWS,
    data_of_row,
    new_model,
    options_of_row,
    random_gpt2,
)
from benchmarks.reranker_table import print_tables
from benchmarks.timing import peak_resident
from gpt4rec_es.encoders.folder import open_checkpoint
from gpt4rec_es.encoders.network import set_threads
from gpt4rec_es.lab.baselines.baseline_folder import NETWORKS
from gpt4rec_es.lab.baselines.baseline_options import options_of
from gpt4rec_es.lab.baselines.fit_baseline import fit_baseline
from gpt4rec_es.lab.baselines.network import BaselineData
from gpt4rec_es.lab.training.fit_reranker import fit
from gpt4rec_es.metrics.accuracy import accuracy
from gpt4rec_es.metrics.lists import as_lists
from gpt4rec_es.reranking.catalog_lists import best_items

K = 10
_SCORED = 6040  # users whose lists are timed, as many as MovieLens-1M has
Lists = Callable[[Case], list[list[int]]]


class Epochs:
    """Seconds of the process in each epoch; waiting for other processes does not count."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._last = time.process_time()

    def __call__(self, done: int, total: int | None) -> None:  # noqa: ARG002 - as every progress
        """Note that an epoch ended."""
        now = time.process_time()
        self.seconds.append(now - self._last)
        self._last = now

    def medians(self, phases: list[str]) -> dict[str, float]:
        """Return the median by phase of the epochs; those of a killed process are unknown."""
        found = defaultdict(list)
        for phase, seconds in zip(phases[::-1], self.seconds[::-1], strict=False):
            found[phase].append(seconds)
        return {phase: float(np.median(values)) for phase, values in found.items()}


def popular(cases: Cases) -> Lists:
    """Return the function that lists the items with the most buyers that a user does not know."""
    flat = (item for history in cases.data.histories for item in history)
    ranked = [item for item, _ in Counter(flat).most_common()]

    def lists(case: Case) -> list[list[int]]:
        left_out, found = set(case.left_out), []
        usable = [item for item in ranked if item not in left_out]
        for own in map(set, case.histories):
            first = usable[: K + len(own)]
            found.append([item for item in first if item not in own][:K])
        return found

    return lists


def train_baseline(cases: Cases, method: str, work: Path) -> tuple[Lists, dict[str, Any]]:
    """Train a baseline with early stop; return its lists and its epochs."""
    data = BaselineData(cases.data.histories, len(cases.data.items))
    options = options_of(method)
    torch.manual_seed(options.seed)
    network = NETWORKS[method](data, options)
    epochs = Epochs()
    rows = fit_baseline(network, data, cases.validation, options, work, epochs)
    return (
        lambda case: network.lists(case.users, case.histories, K, case.left_out),
        {"epochs": len(rows), "seconds": epochs.medians(["cached"] * len(rows))},
    )


def train_reranker(
    cases: Cases, name: str, gpt2: Path, common: dict[str, Any], work: Path
) -> tuple[Lists, dict[str, Any]]:
    """Train the network of a row; return its lists by its own towers, and its epochs."""
    row = ROWS[name]
    data, options = data_of_row(row, cases.data), options_of_row(row, **common)
    model = new_model(row, data, options, gpt2, work.parent)
    epochs = Epochs()
    rows = fit(model, data, cases.validation, options, work, epochs)
    return (
        lambda case: best_items(
            model, case.users, case.histories, K, model.snapshot(), case.left_out
        ),
        {"epochs": len(rows), "seconds": epochs.medians([row.phase for row in rows])},
    )


def run_row(
    cases: Cases, name: str, gpt2: Path, common: dict[str, Any], work: Path
) -> dict[str, Any]:
    """Train and measure one row."""
    state = work / f"{name}.state"
    state.mkdir(exist_ok=True)
    found: dict[str, Any] = {"epochs": 0, "seconds": {}}
    if name == "popularity":
        lists = popular(cases)
    elif name in BASELINES:
        lists, found = train_baseline(cases, name, state)
    else:
        lists, found = train_reranker(cases, name, gpt2, common, state)
    found["memory_mb"] = peak_resident() / 1e6
    test = cases.cases["all"]
    many = test.at([n % len(test.users) for n in range(_SCORED)])
    started = time.process_time()
    lists(many)
    found["scoring"] = time.process_time() - started
    found["cases"] = {}
    for case_name, case in cases.cases.items():
        if case.users:
            measured = accuracy(as_lists(lists(case), K), case.targets)
            found["cases"][case_name] = {
                metric: measured[metric].tolist() for metric in ("ndcg", "hit_rate")
            }
    return found


def fingerprint(chosen: argparse.Namespace, gpt2: Path) -> str:
    """Return what decides all results, as text."""
    items = hashlib.sha256((chosen.folder / "interactions.csv.gz").read_bytes()).hexdigest()
    names = ("users", "most", "new_items", "unseen", "batch_size", "lr_factor")
    values = {name: getattr(chosen, name) for name in names}
    return json.dumps({**values, "data": items, "gpt2": open_checkpoint(gpt2).content_hash})


def parse() -> argparse.Namespace:
    """Return the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="Folder of results.")
    parser.add_argument("--gpt2", type=Path, help="Folder of a GPT-2; random weights by default.")
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--users", type=int, help="Number of users, the first ones.")
    parser.add_argument(
        "--most",
        type=lambda text: tuple(map(int, text.split(","))),
        default=(),
        metavar="EPOCHS,...",
        help="Highest numbers of epochs of the first stage, and of others.",
    )
    parser.add_argument("--batch-size", type=int, default=1024, help="Of most rows.")
    parser.add_argument(
        "--lr-factor", type=float, default=1.0, help="Of learning rates of most rows."
    )
    parser.add_argument("--new-items", type=float, default=0.03, help="Part of the items.")
    parser.add_argument("--unseen", type=float, default=0.1, help="Part of the users.")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--show", action="store_true", help="Train nothing.")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if unknown := set(chosen.rows.split(",")) - {*ROWS}:
        parser.error(f"There is no row {', '.join(unknown)}; there are {', '.join(ROWS)}.")
    return chosen


def main() -> None:
    """Train the rows that have no result yet, and print the tables of all that have one."""
    chosen = parse()
    set_threads(chosen.threads)
    chosen.work.mkdir(parents=True, exist_ok=True)
    cases = read_cases(chosen.folder, chosen.users, chosen.new_items, chosen.unseen)
    titles = [text for text in cases.data.items.texts if text.startswith("title")]
    gpt2 = chosen.gpt2 or random_gpt2(chosen.work / "gpt2", titles)
    note, own = chosen.work / "fingerprint", fingerprint(chosen, gpt2)
    if note.exists() and note.read_text() != own:
        sys.exit(f"{chosen.work} has results of other options or data. Name another folder.")
    note.write_text(own)
    if chosen.only:
        common = {name: getattr(chosen, name) for name in ("most", "batch_size", "lr_factor")}
        found = run_row(cases, chosen.only, gpt2, common, chosen.work)
        draft = chosen.work / f"{chosen.only}.draft"
        draft.write_text(json.dumps(found))
        draft.replace(chosen.work / f"{chosen.only}.json")
        return
    for name in () if chosen.show else chosen.rows.split(","):
        if not (chosen.work / f"{name}.json").exists():
            own_process = [sys.executable, "-m", "benchmarks.rerankers", *sys.argv[1:]]
            subprocess.run([*own_process, "--only", name], check=True)
            print(f"{name} is done.", file=sys.stderr)
    print(cases)
    files = {name: chosen.work / f"{name}.json" for name in ROWS}
    print_tables({n: json.loads(f.read_text()) for n, f in files.items() if f.exists()})


if __name__ == "__main__":
    main()
