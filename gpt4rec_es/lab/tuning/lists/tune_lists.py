"""Tune the recipe of lists: choose on some users of a split, compare with the live one on others.

The live recipe does not change here: see promote.py. A tuning that is killed keeps only the
generated queries.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import list_trials as rows
from gpt4rec_es.db.rows.builds import Build
from gpt4rec_es.db.rows.list_trials import ListTrialRow
from gpt4rec_es.index.live import live_build
from gpt4rec_es.lab.evaluation.compare import Difference, differences
from gpt4rec_es.lab.evaluation.data import EvaluationCatalog, read_catalog
from gpt4rec_es.lab.evaluation.made_lists import MethodLists
from gpt4rec_es.lab.evaluation.night_rules import AppliedRules, apply_rules
from gpt4rec_es.lab.evaluation.sources import ListSources, product_sources
from gpt4rec_es.lab.tuning.inputs import TuningParts
from gpt4rec_es.lab.tuning.lists.candidates import CandidateCollector
from gpt4rec_es.lab.tuning.lists.halves import ListInputs, load_list_inputs
from gpt4rec_es.lab.tuning.lists.list_options import ListTuningOptions
from gpt4rec_es.lab.tuning.lists.search import Choice, choose_fusion
from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.options.recipe import NamedRecipe, Recipe
from gpt4rec_es.protocols import Bars, no_bars
from gpt4rec_es.version import code_version

_LEVEL = 0.05


def tune_lists(
    parts: TuningParts, options: ListTuningOptions, *, bars: Bars = no_bars
) -> ListTrialRow:
    """Return the stored trial of the best recipe found, compared with the live one.

    Raises:
        UsageError: there is no such split, generator or live index, the generator may have seen
        held-out items, or there are too few users. DataError: the split leaks. ConflictError: the
        generator's files changed. DependencyError: a server cannot be reached.
    """
    inputs = load_list_inputs(parts, options)
    build = live_build(parts.engine, parts.elastic, parts.alias)
    evaluation = options.evaluation()
    with bars("Reading the index", "titles") as progress:
        catalog = read_catalog(
            parts.engine, parts.elastic, build, None, evaluation.category_labels, progress
        )
    catalog.check(evaluation.ks)
    applied = apply_rules(parts.engine, parts.elastic, build.index_name, None)
    fit, test = (
        MethodLists(
            parts.engine,
            inputs.row,
            users,
            inputs.split.train,
            inputs.split.baskets,
            catalog,
            applied,
            bars,
        )
        for users in (inputs.fit, inputs.test)
    )
    queries = fit.queries_by(options.base.recipe, inputs.generator, parts.open_generator)
    for named in (options.live, options.base):  # kept, so that seconds are without generation
        test.queries_by(named.recipe, inputs.generator, parts.open_generator)
    started = time.monotonic()
    choice = _choose(catalog, inputs, applied, queries, options, bars)
    best = replace(options.base.recipe, fusion=choice.fusion)
    found = list(
        test.lists(
            "product",
            options.evaluation(options.live, NamedRecipe("best", best)),
            inputs.generator,
            parts.open_generator,
        )
    )
    targets = [user.targets for user in inputs.test]
    compared = differences(found[0].lists, found[1].lists, targets)
    values = _row(options, inputs, build, best, compared) | {
        "seconds": time.monotonic() - started,
        "actor": parts.actor,
    }
    with transaction(parts.engine) as connection:
        number = rows.store(connection, values, _settings(choice), map(_comparison, compared))
        stored = rows.find(connection, number)
    assert stored is not None  # noqa: S101 -- stored by the line before
    return stored


def _choose(
    catalog: EvaluationCatalog,
    inputs: ListInputs,
    applied: AppliedRules,
    queries: Sequence[Sequence[str]],
    options: ListTuningOptions,
    bars: Bars,
) -> Choice:
    recipe = options.base.recipe

    def sources(fusion: Fusion) -> ListSources:
        return product_sources(
            catalog,
            inputs.split.train,
            fusion,
            baskets=inputs.split.baskets,
            may_search=applied.may_search,
        )

    removed, _ = applied.removed(sorted({text for own in queries for text in own}), recipe.filters)
    with bars("Searching", "users") as progress:
        collector = CandidateCollector(
            catalog,
            queries,
            [user.history for user in inputs.fit],
            sources(recipe.fusion),
            progress,
            options=recipe.search,
            removed=removed,
        )
    with bars("Choosing", "settings") as progress:
        return choose_fusion(
            lambda fusion: collector.collect(sources(fusion)),
            [user.targets for user in inputs.fit],
            recipe.fusion,
            metric=options.metric,
            k=options.k,
            trials=options.trials,
            seed=options.seed,
            progress=progress,
        )


def _row(
    options: ListTuningOptions,
    inputs: ListInputs,
    build: Build,
    best: Recipe,
    compared: Sequence[Difference],
) -> dict[str, Any]:
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
        "verdict": _verdict(options, decides, is_change=is_change),
        "code_version": code_version(),
    }


def _verdict(options: ListTuningOptions, decides: Difference, *, is_change: bool) -> str:
    live = options.live.name
    gain = (
        f"{options.metric}@{options.k} {decides.a:.4f} -> {decides.b:.4f} "
        f"({decides.low:+.4f} to {decides.high:+.4f})"
    )
    if is_change:
        return f"Use the best recipe found: better than {live} by more than chance, {gain}."
    return f"Keep {live}: the best recipe found is not better by more than chance, {gain}."


def _settings(choice: Choice) -> list[dict[str, Any]]:
    return [
        {"setting_no": number, "is_fitted": one.is_fitted, "value": one.value} | asdict(one.setting)
        for number, one in enumerate(choice.tried, start=1)
    ]


def _comparison(one: Difference) -> dict[str, Any]:
    return {
        "k": one.k,
        "metric": one.metric,
        "live_value": one.a,
        "best_value": one.b,
        "gain": one.gain,
        "gain_low": one.low,
        "gain_high": one.high,
        "p_value": one.p_value,
    }
