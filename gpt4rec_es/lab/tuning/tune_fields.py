"""Choose weights of fields that queries search beside the title, and their k1, b, on a split.

Both are chosen on half of the users, one field after the other, and compared with what is live on
the other half. The trial holds a recipe, so it is promoted as trials of recipes are, and the k1, b
of fields that differ from the live ones. The lists are those of the queries alone, at the live k1
and b of titles, as for trials of those.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import list_trials
from gpt4rec_es.db.rows.builds import Build
from gpt4rec_es.elastic.index_fields import require_fields, searchable_fields
from gpt4rec_es.elastic.similarity import FieldBm25, other_than_default
from gpt4rec_es.errors import UsageError
from gpt4rec_es.index.live import live_build
from gpt4rec_es.lab.bm25.build import index_of_build, server_analyzer
from gpt4rec_es.lab.bm25.retriever import KnownTokens, MemoryGridSearch
from gpt4rec_es.lab.evaluation.compare import Difference
from gpt4rec_es.lab.tuning.inputs import Inputs, TuningOptions, TuningParts, load_inputs
from gpt4rec_es.lab.tuning.lists.promote import ListTrialReport, show_list_trial
from gpt4rec_es.lab.tuning.lists.trial_rows import comparison_rows
from gpt4rec_es.lab.tuning.measure import TuningUser, measure_points
from gpt4rec_es.lab.tuning.verify import build_with, verify_hits
from gpt4rec_es.metrics.significance import bootstrap_interval, permutation_test
from gpt4rec_es.options.recipe import Recipe
from gpt4rec_es.options.search_options import FIELDS
from gpt4rec_es.protocols import Bars, no_bars
from gpt4rec_es.records import Bm25
from gpt4rec_es.version import code_version

# Weights to try for each field, and rounds over all fields.
WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
_ROUNDS = 2
# k1, b to try for each field that has a weight: how much repetition counts, and length.
POINTS = tuple(Bm25(k1, b) for k1 in (0.4, 1.2, 2.0) for b in (0.0, 0.75))
_LEVEL = 0.05
# Number of queries whose hits are compared with the server's.
_VERIFIED = 500

Weights = tuple[tuple[str, float], ...]
Values = dict[str, NDArray[np.float64]]


def tune_fields(
    parts: TuningParts,
    options: TuningOptions,
    fields: Sequence[str] | None = None,
    *,
    bars: Bars = no_bars,
) -> ListTrialReport:
    """Return the stored trial of weights and k1, b of ``fields``; other fields keep theirs.

    fields: None: all that the live index has. Fields without any text are not tried.

    Raises:
        UsageError: there is no such split or generator, the generator may have seen held-out items,
        the index has synonyms, or there are fewer than two users. DataError: the split leaks, the
        index lacks a field, or the server finds other items than this process. DependencyError: a
        server cannot be reached.
    """
    started = time.monotonic()
    live = options.recipe.recipe
    fields = _checked_fields(parts, options, fields)  # before hours of work
    with bars("Generating", "prompts") as progress:
        inputs = load_inputs(parts, options, progress)
    users = inputs.eval_users
    if len(users) < 2:
        raise UsageError("One half of the users would be empty.", "Take a larger split.")
    build = live_build(parts.engine, parts.elastic, parts.alias)
    index = index_of_build(parts.elastic, build.index_name)
    analyze = KnownTokens(server_analyzer(parts.elastic, build.index_name))

    def measure(some: Sequence[TuningUser], weights: Weights, of_fields: FieldBm25) -> Values:
        options_of = replace(live.search, fields=weights)
        search = MemoryGridSearch(index, analyze, options_of, of_fields)
        found = measure_points(some, [build.bm25], search, options.k)
        return {"recall": found.recall[0], "ndcg": found.ndcg[0]}

    fit, test = _halves(users, options.seed)
    with bars("Measuring", "weights") as progress:
        tried = 0

        def value(weights: Weights, of_fields: FieldBm25 = build.field_bm25) -> float:
            nonlocal tried
            tried += 1
            progress(tried, None)
            return float(measure(fit, weights, of_fields)[options.metric].mean())

        filled = [field for field in fields if index.field(field) is not None]
        best, _ = choose_weights(live.search.fields, filled, value)
        weighed = [name for name, _ in best if name in filled]
        of_fields = choose_points(build.field_bm25, weighed, partial(value, best))
    compared = _compared(
        measure(test, live.search.fields, build.field_bm25), measure(test, best, of_fields), options
    )
    found = replace(live, search=replace(live.search, fields=best))
    texts = list(dict.fromkeys(text for user in test for text in user.queries))[:_VERIFIED]
    with build_with(
        parts.engine,
        parts.elastic,
        build,
        build.bm25,
        field_bm25=of_fields,
        actor=parts.actor,
        keep=False,
    ) as proof:
        verify_hits(parts.elastic, proof, index, analyze, texts, options.k, found.search)
    row = _row(options, inputs, build, found, of_fields, compared, tried)
    row |= {"n_fit_users": len(fit), "n_test_users": len(test), "actor": parts.actor}
    row["seconds"] = time.monotonic() - started
    with transaction(parts.engine) as connection:
        number = list_trials.store(connection, row, (), comparison_rows(compared, len(test)))
    report = show_list_trial(parts.engine, number)
    assert report is not None  # noqa: S101 -- stored by the lines before
    return report


def _checked_fields(
    parts: TuningParts, options: TuningOptions, fields: Sequence[str] | None
) -> Sequence[str]:
    """Return the fields to try, which the live index has, as it has those of the recipe."""
    live = options.recipe.recipe
    if not live.writes_queries:
        raise UsageError(
            f"The recipe {options.recipe.name!r} has no generated queries.",
            "Fields are searched for queries alone.",
        )
    index = live_build(parts.engine, parts.elastic, parts.alias).index_name
    if fields is None:
        fields = searchable_fields(parts.elastic, index, FIELDS)
    require_fields(parts.elastic, index, [*fields, *dict(live.search.fields)])
    return fields


def choose_weights(
    start: Weights, fields: Sequence[str], value: Callable[[Weights], float]
) -> tuple[Weights, int]:
    """Return the weights with the highest ``value`` found, and how many were measured.

    One field after the other takes its best weight, those of the others unchanged; equal values
    keep what was there before. Unchanged weights end the search.
    """
    best, known = dict(start), {start: value(start)}
    for _ in range(_ROUNDS):
        before = dict(best)
        for field in fields:
            for weight in WEIGHTS:
                one = {**best, field: weight}
                weights = tuple((name, one[name]) for name in FIELDS if one.get(name))
                if weights not in known:
                    known[weights] = value(weights)
                if known[weights] > known[_weights(best)]:
                    best = one
        if _weights(best) == _weights(before):
            break
    return _weights(best), len(known)


def choose_points(
    start: FieldBm25, fields: Sequence[str], value: Callable[[FieldBm25], float]
) -> FieldBm25:
    """Return the k1, b of fields with the highest ``value`` found, without those by default.

    One field after the other takes the best of ``POINTS``, if it is better than what it has.
    """
    best, highest = start, value(start) if fields else 0.0
    for field in fields:
        for point in POINTS:
            tried = other_than_default({**best, field: point})
            if tried != best and (found := value(tried)) > highest:
                best, highest = tried, found
    return best


def _weights(values: dict[str, float]) -> Weights:
    return tuple((name, values[name]) for name in FIELDS if values.get(name))


def _halves(users: Sequence[TuningUser], seed: int) -> tuple[list[TuningUser], list[TuningUser]]:
    order = np.random.default_rng(seed).permutation(len(users)).tolist()
    middle = len(order) // 2
    return [users[n] for n in order[:middle]], [users[n] for n in order[middle:]]


def _compared(live: Values, best: Values, options: TuningOptions) -> list[Difference]:
    found = []
    for metric, of_live in live.items():
        moved = best[metric] - of_live
        gain = bootstrap_interval(moved, seed=options.seed)
        means = float(of_live.mean()), float(best[metric].mean())
        p_value = permutation_test(moved, seed=options.seed)
        found.append(Difference(options.k, metric, *means, gain.mean, gain.low, gain.high, p_value))
    return found


def _row(
    options: TuningOptions,
    inputs: Inputs,
    build: Build,
    found: Recipe,
    of_fields: FieldBm25,
    compared: Sequence[Difference],
    n_tried: int,
) -> dict[str, Any]:
    live = options.recipe
    (decides,) = (one for one in compared if one.metric == options.metric)
    is_change = decides.gain > 0 and decides.p_value < _LEVEL
    shown = found.search.shown.rpartition("score = ")[2] or "title"
    points = {
        name: of_fields.get(name, Bm25())
        for name in (*of_fields, *build.field_bm25)
        if of_fields.get(name) != build.field_bm25.get(name)
    }
    shown += "".join(f", {name} k1 {one.k1:g} b {one.b:g}" for name, one in points.items())
    gained = (
        f"{options.metric}@{options.k} of queries alone {decides.a:.4f} -> {decides.b:.4f} "
        f"({decides.low:+.4f} to {decides.high:+.4f})"
    )
    verdict = f"Keep {live.name}: the best of {n_tried} settings, {shown}, is not better by more "
    verdict += f"than chance, {gained}."
    if is_change:
        verdict = f"Use {shown}, the best of {n_tried} settings: better than {live.name} by more "
        verdict += f"than chance, {gained}."
    return {
        "split_name": inputs.split.name,
        "split_hash": inputs.split.content_hash,
        "part": options.part,
        "generator_no": inputs.generator.generator_no,
        "build_no": build.build_no,
        "metric": options.metric,
        "k": options.k,
        "seed": options.seed,
        "live_name": live.name,
        "live_hash": live.recipe.content_hash,
        "document": found.as_document(),
        "content_hash": found.content_hash,
        "field_bm25": {name: [one.k1, one.b] for name, one in points.items()} or None,
        "is_change": is_change,
        "verdict": verdict,
        "code_version": code_version(),
    }
