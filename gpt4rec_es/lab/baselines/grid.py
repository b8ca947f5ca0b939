"""Train a baseline by each combination of given options, and keep the best one on validation."""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.baselines.baseline_folder import read_document
from gpt4rec_es.lab.baselines.baseline_options import BaselineOptions, exact, options_of
from gpt4rec_es.lab.baselines.train_baseline import (
    BaselineReport,
    read_checked,
    train_baseline,
)
from gpt4rec_es.lab.training.divergence import DivergedError
from gpt4rec_es.lab.training.work_folder import resumed_folder
from gpt4rec_es.protocols import Bars, no_bars
from gpt4rec_es.reranking.served_sequence import DOCUMENT, folder_hash


def train_grid(
    engine: Engine,
    method: str,
    chosen: Mapping[str, Any],
    *,
    name: str,
    split: str,
    output: Path,
    text: Path | None = None,
    bars: Bars = no_bars,
) -> BaselineReport:
    """Train ``method`` by each combination of the values of ``chosen`` that are tuples.

    The folder ``output`` is that of the highest NDCG@10 on validation users; its card has the
    results of all, as ``grid``; those that diverged have none and come last. Called again after a
    kill with equal arguments it goes on. Raises as ``train_baseline``.

    Raises:
        DivergedError: all of them did.
        UsageError: there are several combinations and no validation users to choose by.
    """
    combinations, all_options = _combinations(method, chosen)
    given: dict[str, Any] = {"name": name, "split": split, "text": text}
    if len(combinations) == 1:
        with bars("Training", "epochs") as progress:
            return train_baseline(
                engine, method, all_options[0], output=output, progress=progress, **given
            )
    _, fingerprint = read_checked(engine, method, all_options, split, output, text)
    with resumed_folder(output, fingerprint) as work:
        finished: list[_Trained] = []
        lost: list[_Lost] = []
        for own, options in zip(combinations, all_options, strict=True):
            varied = _varied(own, chosen)
            folder = work / ",".join(f"{key}={exact(value)}" for key, value in varied.items())
            if not (folder / DOCUMENT).is_file():
                try:
                    with bars(f"Training by {described(varied)}", "epochs") as progress:
                        train_baseline(
                            engine, method, options, output=folder, progress=progress, **given
                        )
                except DivergedError as error:
                    lost.append(_Lost(varied, error))
                    continue
            finished.append(_Trained(varied, folder, read_document(folder)["card"]))
        if not finished:
            raise lost[0].error
        return _keep_best(finished, lost, name, method, output)


def described(options: Mapping[str, Any]) -> str:
    """Return options with their exact values, so that no two combinations look alike."""
    return ", ".join(f"{name} {exact(value)}" for name, value in options.items())


def plan_grid(
    engine: Engine,
    method: str,
    chosen: Mapping[str, Any],
    *,
    name: str,
    split: str,
    output: Path,
    text: Path | None = None,
) -> dict[str, Any]:
    """Return what ``train_grid`` would train, after its initial checks.

    Raises as ``train_grid``, but for what shows only in a training.
    """
    combinations, options = _combinations(method, chosen)
    read, _ = read_checked(engine, method, options, split, output, text)
    return {
        "name": name,
        "method": method,
        "folder": str(output),
        "epochs": options[0].epochs,
        "combinations": [_varied(one, chosen) for one in combinations],
        "data": read.numbered.facts,
    }


@dataclass(frozen=True)
class _Trained:
    """A finished training: its values of the varied options, its folder and card."""

    options: dict[str, Any]
    folder: Path
    card: dict[str, Any]


@dataclass(frozen=True)
class _Lost:
    """A training that diverged."""

    options: dict[str, Any]
    error: DivergedError


def _combinations(
    method: str, chosen: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], list[BaselineOptions]]:
    """Return each combination of the values that are tuples, and its options.

    Raises:
        UsageError: see ``options_of``; or there are several, and no users to choose by.
    """
    several = {key: values for key, values in chosen.items() if isinstance(values, tuple)}
    found = [
        dict(zip(several, values, strict=True)) for values in itertools.product(*several.values())
    ]
    if len(found) > 1 and chosen.get("learn_validation"):
        raise UsageError(
            "With --learn-validation there are no users to choose the best of several options by.",
            "Choose without it, then train with the chosen options and number of epochs.",
        )
    return found, [options_of(method, **{**chosen, **own}) for own in found]


def _varied(combination: Mapping[str, Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a combination in which others differ."""
    return {key: value for key, value in combination.items() if len(chosen[key]) > 1}


def _keep_best(
    finished: Sequence[_Trained],
    lost: Sequence[_Lost],
    name: str,
    method: str,
    output: Path,
) -> BaselineReport:
    ranked = sorted(finished, key=lambda one: -one.card["validation_ndcg"])
    best = ranked[0]
    measured = [
        (one.options, one.card["validation_ndcg"], best_epoch(one.card), one.card["seconds"])
        for one in ranked
    ]
    rows = [*measured, *((one.options, None, None, None) for one in lost)]
    best.card["grid"] = [
        dict(zip(("options", "ndcg", "best_epoch", "seconds"), row, strict=True)) for row in rows
    ]
    document = {**read_document(best.folder), "card": best.card}
    (best.folder / DOCUMENT).write_text(json.dumps(document, indent=1), encoding="utf-8")
    best.folder.rename(output)
    return BaselineReport(name, method, str(output), folder_hash(output), best.card)


def best_epoch(card: Mapping[str, Any]) -> int:
    """Return the number of epochs, from 1 on, whose weights were kept."""
    measured = [row["ndcg"] for row in card["epochs"]]
    if None in measured:
        return len(measured)
    return measured.index(max(measured)) + 1
