"""Evaluate methods on a part of a split: lists for every user, metrics, one stored result.

No run is planned, and searches are made in this process, equal to the live build's. This module
calls the steps in order. An evaluation that is killed has stored only its queries, which the next
one reuses.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elasticsearch import Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import evaluations as rows
from gpt4rec_es.db.rows import generators
from gpt4rec_es.db.rows.generators import Generator
from gpt4rec_es.db.rows.splits import SplitRow
from gpt4rec_es.elastic.index_fields import require_fields
from gpt4rec_es.index.live import live_build
from gpt4rec_es.lab.evaluation.data import choose_eval_users, read_catalog
from gpt4rec_es.lab.evaluation.evaluate_options import EvaluateOptions
from gpt4rec_es.lab.evaluation.made_lists import (
    MadeLists,
    MethodLists,
    OpenGenerator,
)
from gpt4rec_es.lab.evaluation.measure import Measurer, MetricRow
from gpt4rec_es.lab.evaluation.nearest_titles import chosen_encoder
from gpt4rec_es.lab.evaluation.night_rules import apply_rules
from gpt4rec_es.lab.evaluation.rerank_vectors import chosen_reranker
from gpt4rec_es.lab.splits.split import EvalUser, bought_before, with_validation
from gpt4rec_es.lab.splits.stored import load_split
from gpt4rec_es.lab.training.split_data import require_unseen
from gpt4rec_es.metrics.lists import NOTHING
from gpt4rec_es.protocols import Bars, no_bars
from gpt4rec_es.records import Bm25
from gpt4rec_es.version import code_version


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """A stored evaluation with its metrics.

    distinct_first_queries, top_first_query_fraction: as in db/rows/first_queries.py; None: the
    method generates no queries.
    """

    evaluation_no: int
    split: str
    part: str
    method: str
    num_queries: int | None
    generator: str | None
    k1: float
    b: float
    n_eval_users: int
    seconds: float
    options: Mapping[str, Any]
    metrics: tuple[MetricRow, ...]
    distinct_first_queries: int | None
    top_first_query_fraction: float | None


def evaluate(
    engine: Engine,
    client: Elasticsearch,
    alias: str,
    split_name: str,
    options: EvaluateOptions,
    *,
    open_generator: OpenGenerator,
    actor: str,
    bars: Bars = no_bars,
) -> list[EvaluationReport]:
    """Evaluate methods and trained recommenders on a part of the split, store and return results.

    Raises:
        UsageError: an unknown name, an untrained baseline, no live build, lists longer than the
        catalog, no users, or a generator, re-ranker or encoder that may have been trained on
        held-out purchases.
        DataError: the split leaks, or the index lacks a field of a recipe. ConflictError: their
        files changed. DependencyError: a server cannot be reached.
    """
    row, split = load_split(engine, split_name)
    folders = options.trained_folders(row.name)
    eval_users = choose_eval_users(getattr(split, options.part), options.sample)
    generator = chosen_generator(engine, options, row)
    for name in sorted(filter(None, map(options.reranker_of, options.measured_recipes))):
        chosen_reranker(engine, row, options.part, name)  # before hours of work
    for name in sorted(filter(None, map(options.encoder_of, options.measured_recipes))):
        chosen_encoder(engine, row, options.part, name, trust=options.trust)
    before = bought_before(split, options.part)
    if options.part == "test" and options.learn_validation:
        split = with_validation(split)
    build = live_build(engine, client, alias)
    require_fields(client, build.index_name, options.searched_fields)
    with bars("Reading the index", "titles") as progress:
        catalog = read_catalog(
            engine, client, build, options.bm25, options.category_labels, progress
        )
    catalog.check(options.ks)
    measurer = Measurer(catalog, eval_users, split.train, before)
    applied = apply_rules(engine, client, build.index_name, options.night)
    evaluation = MethodLists(
        engine,
        row,
        eval_users,
        split.train,
        split.baskets,
        catalog,
        applied,
        bars,
        options.hardware,
    )
    reports = []
    for made in _made_lists(evaluation, options, folders, generator, open_generator):
        with bars(f"Measuring {made.title}", "steps") as progress:
            metrics = measurer.rows(made.lists, progress)
        reports.append(
            _store(
                engine,
                row,
                options,
                made,
                metrics,
                eval_users,
                catalog.bm25,
                build.index_name,
                actor,
            )
        )
    return reports


def _made_lists(
    evaluation: MethodLists,
    options: EvaluateOptions,
    folders: Sequence[Path],
    generator: Generator | None,
    open_generator: OpenGenerator,
) -> Iterator[MadeLists]:
    """Yield the lists of each method, and of the trained recommender in each folder."""
    for name in options.untrained:
        yield from evaluation.lists(name, options, generator, open_generator)
    for folder in folders:
        yield evaluation.trained_lists(folder, options)


def chosen_generator(engine: Engine, options: EvaluateOptions, split: SplitRow) -> Generator | None:
    """Return the generator; None: no method writes queries, or none has to and none is in use.

    Raises:
        UsageError: there is none, or it may have been trained on held-out purchases.
    """
    if not any(map(options.writes_queries, options.methods)):
        return None
    must = any(map(options.needs_generator, options.methods))
    with transaction(engine) as connection:
        if options.generator is None and not must and generators.current(connection) is None:
            return None
        found = generators.named_or_current(connection, options.generator)
    if not options.trust:
        require_unseen(found, split, options.part)
    return found


def _store(
    engine: Engine,
    split: SplitRow,
    options: EvaluateOptions,
    made: MadeLists,
    metrics: list[MetricRow],
    eval_users: tuple[EvalUser, ...],
    bm25: Bm25,
    index_name: str,
    actor: str,
) -> EvaluationReport:
    """Store one evaluation in one transaction."""
    values = _values(split, options, made)
    values |= {"k1": bm25.k1, "b": bm25.b, "index_name": index_name}
    values |= {"n_eval_users": len(eval_users), "actor": actor}
    lists = (
        (k, eval_user.user_no, [item for item in items if item != NOTHING])
        for k, array in made.lists.items()
        for eval_user, items in zip(eval_users, array.tolist(), strict=True)
    )
    with transaction(engine) as connection:
        number = rows.store(
            connection,
            values,
            ((m.k, m.segment, m.metric, m.mean, m.low, m.high, m.users) for m in metrics),
            lists,
        )
    return EvaluationReport(
        number,
        split.name,
        options.part,
        made.method,
        made.num_queries,
        made.generator.name if made.generator else None,
        bm25.k1,
        bm25.b,
        len(eval_users),
        round(made.seconds, 1),
        values["options"],
        tuple(metrics),
        values["distinct_first_queries"],
        values["top_first_query_fraction"],
    )


def _values(split: SplitRow, options: EvaluateOptions, made: MadeLists) -> dict[str, Any]:
    """Return the columns of ``evaluations`` that depend on the lists and their options."""
    firsts = made.first_queries
    return {
        "split_no": split.split_no,
        "part": options.part,
        "method": made.method,
        "num_queries": made.num_queries,
        "generator_name": made.generator and made.generator.name,
        "content_hash": made.generator and made.generator.content_hash,
        "options": {
            "category_labels": options.category_labels.value,
            "sample": options.sample,
            **made.options,
        },
        "code_version": code_version(),
        "seconds": made.seconds,
        "distinct_first_queries": firsts and firsts.distinct,
        "top_first_query_fraction": firsts and firsts.top_fraction,
    }
