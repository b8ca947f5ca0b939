"""Tune the recipe of lists: choose on some users of a split, compare with the live one on others.

The live recipe does not change here: see promote.py. A tuning that is killed keeps the generated
queries, and in its work folder the settings that are measured.
"""

import time
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import list_trials as rows
from gpt4rec_es.db.rows.builds import Build
from gpt4rec_es.db.rows.list_trials import ListTrialRow
from gpt4rec_es.db.rows.rerankers import Reranker
from gpt4rec_es.elastic.index_fields import require_fields
from gpt4rec_es.index.live import live_build
from gpt4rec_es.lab.evaluation.compare import differences
from gpt4rec_es.lab.evaluation.data import EvaluationCatalog, read_catalog
from gpt4rec_es.lab.evaluation.made_lists import MethodLists
from gpt4rec_es.lab.evaluation.nearest_titles import EncodedTitles
from gpt4rec_es.lab.evaluation.night_rules import AppliedRules, apply_rules
from gpt4rec_es.lab.evaluation.rerank_vectors import rerank_vectors
from gpt4rec_es.lab.evaluation.sources import query_titles
from gpt4rec_es.lab.splits.histories import deduplicate_keep_last
from gpt4rec_es.lab.splits.queries import WrittenQueries
from gpt4rec_es.lab.splits.split import EvalUser
from gpt4rec_es.lab.tuning.inputs import TuningParts
from gpt4rec_es.lab.tuning.lists.candidates import CandidateSet
from gpt4rec_es.lab.tuning.lists.gained_lost import gained_and_lost
from gpt4rec_es.lab.tuning.lists.halves import ListInputs, load_list_inputs
from gpt4rec_es.lab.tuning.lists.joining import join_of_encoder, joins_of_reranker, rerank_column
from gpt4rec_es.lab.tuning.lists.list_options import ListTuningOptions
from gpt4rec_es.lab.tuning.lists.pair_tables import PairTables
from gpt4rec_es.lab.tuning.lists.reach import Reach
from gpt4rec_es.lab.tuning.lists.search import Choice, Measuring, choose_recipe
from gpt4rec_es.lab.tuning.lists.search_candidates import search_candidates
from gpt4rec_es.lab.tuning.lists.space import Space
from gpt4rec_es.lab.tuning.lists.trial_rows import (
    comparison_rows,
    segment_rows,
    setting_rows,
    trial_row,
)
from gpt4rec_es.lab.tuning.lists.work_folder import WorkFolder
from gpt4rec_es.options.night import GeneratorOptions
from gpt4rec_es.options.recipe import NamedRecipe, Recipe, without_reranker, without_vectors
from gpt4rec_es.protocols import Bars, no_bars
from gpt4rec_es.ranking.best_items import with_best
from gpt4rec_es.ranking.values import Numbers
from gpt4rec_es.ranking.vectors import NO_VECTORS, Vectors
from gpt4rec_es.version import code_version


def tune_lists(
    parts: TuningParts, options: ListTuningOptions, *, bars: Bars = no_bars
) -> ListTrialRow:
    """Return the stored trial of the best recipe found, compared with the live one.

    Raises:
        UsageError: there is no such split, generator or live index, the generator may have seen
        held-out items, or there are too few users. DataError: the split leaks, or the index lacks a
        field of a recipe. ConflictError: the generator's files changed. DependencyError: a server
        cannot be reached.
    """
    inputs = load_list_inputs(parts, options)
    build = live_build(parts.engine, parts.elastic, parts.alias)
    evaluation = options.evaluation()
    require_fields(parts.elastic, build.index_name, evaluation.searched_fields)
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
            options.hardware,
        )
        for users in (inputs.fit, inputs.test)
    )
    queries = fit.queries_by(options.base.recipe, inputs.generator, parts.open_generator)
    for named in (options.live, options.base):  # kept, so that seconds are without generation
        test.queries_by(named.recipe, inputs.generator, parts.open_generator)
    started = time.monotonic()
    with WorkFolder(options.work, _decisive(options, inputs, build, catalog)) as work:
        choice = _choose(parts.engine, catalog, inputs, applied, queries, options, work, bars)
        best = choice.recipe
        live_lists, best_lists = (
            made.lists
            # Each with the re-ranker that it names, except a live one of another split.
            for named, reranker in (
                (options.live, inputs.live_reranker),
                (NamedRecipe("best", best), None),
            )
            for made in test.lists(
                "product",
                options.evaluation(named, reranker=reranker),
                inputs.generator,
                parts.open_generator,
            )
        )
        targets = [user.targets for user in inputs.test]
        compared = differences(live_lists, best_lists, targets)
        values = trial_row(options, inputs, build, choice, compared) | {
            "seconds": time.monotonic() - started,
            "actor": parts.actor,
        }
        comparisons = [
            *comparison_rows(compared, len(targets)),
            *segment_rows(live_lists, best_lists, inputs, catalog.item_ids, options),
        ]
        written = [
            test.queries_by(recipe, inputs.generator, parts.open_generator).texts
            for recipe in (options.live.recipe, best)
        ]
        changes = gained_and_lost(
            (written[0], written[1]), (live_lists[options.k], best_lists[options.k]), targets
        )
        with transaction(parts.engine) as connection:
            number = rows.store(connection, values, setting_rows(choice), comparisons, changes)
            stored = rows.find(connection, number)
        work.remove()
    assert stored is not None  # noqa: S101 -- stored by the line before
    return stored


def _choose(
    engine: Engine,
    catalog: EvaluationCatalog,
    inputs: ListInputs,
    applied: AppliedRules,
    queries: WrittenQueries,
    options: ListTuningOptions,
    work: WorkFolder,
    bars: Bars,
) -> Choice:
    recipe = without_vectors(without_reranker(options.base.recipe))
    space = Space(recipe, has_queries=any(queries.texts))
    columns, vectors = {}, NO_VECTORS
    if inputs.reranker is not None:
        with bars("Scoring the catalog", "users") as progress:
            vectors = _vectors(
                engine, inputs.reranker, inputs.fit, catalog, space, options.hardware
            )
            progress(len(inputs.fit), len(inputs.fit))
        columns["rerank"] = rerank_column(vectors)
    known = catalog.item_ids, catalog.titles, catalog.active
    encoded = EncodedTitles(engine, *known, options.hardware)
    nearest, _ = encoded.by(inputs.encoder.name if inputs.encoder else None)
    texts = sorted({text for own in queries.texts for text in own})
    removed, _ = applied.removed(texts, recipe.filters, recipe.search)
    with bars("Searching", "texts") as progress:
        collector = search_candidates(
            catalog,
            queries.texts,
            [user.history for user in inputs.fit],
            PairTables(catalog, inputs.split.train, inputs.split.baskets, recipe.fusion, work.path),
            query_titles(catalog, applied.may_search),
            space.limits(),
            progress,
            options=recipe.search,
            removed=removed,
            folder=work.path,
            vectors=vectors,
            columns=columns,
            likelihoods=queries.likelihoods,
            nearest=nearest,
        )
    targets = [user.targets for user in inputs.fit]
    reach = Reach(collector, targets)

    def collect(tried: Recipe) -> tuple[Numbers, CandidateSet]:
        most = tried.decoding.num_queries
        users = reach.users(tried.fusion, most)
        return users, collector.of(users).collect(tried.fusion, most)

    measuring = Measuring(
        collect,
        targets,
        recipe,
        options.metric,
        options.k,
        options.seed,
        work.path,
    )
    with bars("Choosing", "settings") as progress:
        return choose_recipe(
            measuring,
            recipe,
            space,
            work,
            trials=options.trials,
            seed=options.seed,
            progress=progress,
            joins=[
                *([join_of_encoder(inputs.encoder.name)] if inputs.encoder else ()),
                *(joins_of_reranker(inputs.reranker.name) if inputs.reranker else ()),
            ],
        )


def _vectors(
    engine: Engine,
    reranker: Reranker,
    users: Sequence[EvalUser],
    catalog: EvaluationCatalog,
    space: Space,
    hardware: GeneratorOptions,
) -> Vectors:
    """Return vectors with as many best items of each user as any setting counts."""
    newest = {user: deduplicate_keep_last(one.history)[::-1] for user, one in enumerate(users)}
    vectors = rerank_vectors(engine, reranker, users, catalog.active, hardware)
    bought = {user: frozenset(own) for user, own in newest.items()}
    return with_best(vectors, newest, space.limits().title_hits, [bought])


def _decisive(
    options: ListTuningOptions, inputs: ListInputs, build: Build, catalog: EvaluationCatalog
) -> dict[str, Any]:
    """Return what the values of settings depend on."""
    titles = sha256()
    for item, title in sorted(catalog.titles.items()):
        titles.update(f"{item} {item in catalog.active} {title}\n".encode())
    return {
        "split": inputs.row.content_hash,
        "part": options.part,
        "users": [len(inputs.fit), len(inputs.test)],
        "generator": inputs.generator and inputs.generator.content_hash,
        "reranker": inputs.reranker and inputs.reranker.content_hash,
        "encoder": inputs.encoder and inputs.encoder.content_hash,
        "recipes": [options.live.recipe.content_hash, options.base.recipe.content_hash],
        "metric": [options.metric, options.k],
        "trials": options.trials,
        "seed": options.seed,
        "index": [build.index_name, build.bm25.k1, build.bm25.b],
        "titles": titles.hexdigest(),
        "code": code_version(),
    }
