"""Rows of a tuning of the recipe, and the verdict in words."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from gpt4rec_es.db.rows.builds import Build
from gpt4rec_es.lab.evaluation.compare import Difference, differences
from gpt4rec_es.lab.splits.segments import Mask, segments
from gpt4rec_es.lab.tuning.lists.halves import ListInputs
from gpt4rec_es.lab.tuning.lists.joining import RERANKER, SEQUENCE, VECTORS
from gpt4rec_es.lab.tuning.lists.list_options import ListTuningOptions
from gpt4rec_es.lab.tuning.lists.search import Choice
from gpt4rec_es.metrics.lists import Lists
from gpt4rec_es.version import code_version

_LEVEL = 0.05


def trial_row(
    options: ListTuningOptions,
    inputs: ListInputs,
    build: Build,
    choice: Choice,
    compared: Sequence[Difference],
) -> dict[str, Any]:
    """Return the row of a trial; compared: the live recipe with the best one."""
    best = choice.recipe
    (decides,) = (one for one in compared if (one.k, one.metric) == (options.k, options.metric))
    is_change = decides.gain > 0 and decides.p_value < _LEVEL
    return {
        "split_name": inputs.row.name,
        "split_hash": inputs.row.content_hash,
        "part": options.part,
        "generator_no": inputs.generator and inputs.generator.generator_no,
        "build_no": build.build_no,
        "metric": options.metric,
        "k": options.k,
        "seed": options.seed,
        "n_fit_users": len(inputs.fit),
        "n_test_users": len(inputs.test),
        "live_name": options.live.name,
        "live_hash": options.live.recipe.content_hash,
        "document": best.as_document(),
        "content_hash": best.content_hash,
        "is_change": is_change,
        "verdict": _verdict(options, inputs, decides, choice, is_change=is_change),
        "code_version": code_version(),
    }


def _verdict(
    options: ListTuningOptions,
    inputs: ListInputs,
    decides: Difference,
    choice: Choice,
    *,
    is_change: bool,
) -> str:
    live, metric = options.live.name, f"{options.metric}@{options.k}"
    about = _about_joins(choice, metric)
    if inputs.live_reranker is not None:
        about += (
            f" {live} is measured with {inputs.live_reranker} in place of its own re-ranker, "
            f"{options.live.recipe.reranker}, which may have seen what is held out."
        )
    gained = (
        f"{metric} {decides.a:.4f} -> {decides.b:.4f} ({decides.low:+.4f} to {decides.high:+.4f})"
    )
    if is_change:
        return (
            f"Use the best recipe found: better than {live} by more than chance, {gained}.{about}"
        )
    return f"Keep {live}: the best recipe found is not better by more than chance, {gained}.{about}"


_JOINED = {
    VECTORS: "Searches by the vectors of {}",
    RERANKER: "Scores of the re-ranker {} as a feature alone",
    SEQUENCE: "Scores with the best items of {} as a source",
}


def _about_joins(choice: Choice, metric: str) -> str:
    """Return what the vectors of an encoder, and then a re-ranker, gained."""
    about = ""
    for gain in choice.gains:
        does = "are better by more than chance"
        if not gain.is_used:
            does = "are left out: they are not better by more than chance"
        about += (
            f" {_JOINED[gain.what].format(gain.name)} {does}: at the best setting {metric} "
            f"{gain.before:.4f} -> {gain.after:.4f} ({gain.low:+.4f} to {gain.high:+.4f})."
        )
    return about


def setting_rows(choice: Choice) -> list[dict[str, Any]]:
    """Return the rows of the settings that were tried; each option is a column of that name."""
    return [
        {
            "setting_no": number,
            "is_fitted": one.is_fitted,
            "has_vectors": VECTORS in one.has,
            "has_reranker": bool(one.has & {RERANKER, SEQUENCE}),
            "has_sequence": SEQUENCE in one.has,
            "value": one.value,
            **one.setting.as_dict(),
        }
        for number, one in enumerate(choice.tried, start=1)
    ]


def comparison_rows(compared: Sequence[Difference], users: int) -> list[dict[str, Any]]:
    """Return the rows of all test users: each metric at each list length."""
    return [_comparison("all", users, one) for one in compared]


def segment_rows(
    live: Mapping[int, Lists],
    best: Mapping[int, Lists],
    inputs: ListInputs,
    item_ids: Mapping[int, str],
    options: ListTuningOptions,
) -> Iterator[dict[str, Any]]:
    """Yield the row of each segment of the test users, of the metric that decides.

    live, best: lists of the test users by length. item_ids: ids of all items of these users.
    """
    masks: dict[str, Mask] = segments(inputs.test, item_ids, inputs.split.train)
    for name, mask in masks.items():
        targets = [inputs.test[place].targets for place in np.flatnonzero(mask)]
        before, now = ({options.k: made[options.k][mask]} for made in (live, best))
        for one in differences(before, now, targets):
            if one.metric == options.metric:
                yield _comparison(name, len(targets), one)


def _comparison(segment: str, users: int, one: Difference) -> dict[str, Any]:
    return {
        "segment": segment,
        "n_users": users,
        "k": one.k,
        "metric": one.metric,
        "live_value": one.a,
        "best_value": one.b,
        "gain": one.gain,
        "gain_low": one.low,
        "gain_high": one.high,
        "p_value": one.p_value,
    }
