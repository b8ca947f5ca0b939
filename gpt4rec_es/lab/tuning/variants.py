"""What may be tried besides k1 and b: another analyzer, more fields, more hits of fewer queries.

Each is measured at the points that matter (defaults, live, best) on the same users, and compared
with what is live. Nothing of it is switched on by a promotion: an analyzer is a setting and takes
a reindex, fields take another mapping.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gpt4rec_es.db.rows.builds import Build
from gpt4rec_es.elastic.scan import stream_documents
from gpt4rec_es.errors import UsageError
from gpt4rec_es.index.mapping import filter_chain
from gpt4rec_es.lab.bm25.build import chain_analyzer, memory_index
from gpt4rec_es.lab.bm25.fields import FieldsGridSearch, parse_fields
from gpt4rec_es.lab.bm25.retriever import Analyze, KnownTokens, MemoryGridSearch
from gpt4rec_es.lab.tuning.choose import Choice, values_of
from gpt4rec_es.lab.tuning.inputs import TuningOptions, TuningParts, without_empty
from gpt4rec_es.lab.tuning.measure import GridSearch, Measured, TuningCase, measure_points
from gpt4rec_es.lab.tuning.points import DEFAULTS
from gpt4rec_es.metrics.significance import best_of_test, bootstrap_interval, holm
from gpt4rec_es.options.lists import ANY_TERM
from gpt4rec_es.protocols import Bars


@dataclass(frozen=True, slots=True)
class Variant:
    """Something else that was measured; columns: what it was, as in ``trial_points``."""

    name: str
    measured: Measured
    columns: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Measuring:
    """What all variants share.

    analyze: as the live build does with queries; cases: with the queries that it leaves a token of.
    all_cases: with all queries.
    """

    parts: TuningParts
    options: TuningOptions
    build: Build
    all_cases: Sequence[TuningCase]
    cases: Sequence[TuningCase]
    search: GridSearch
    analyze: Analyze
    choice: Choice


def check_variants(options: TuningOptions) -> None:
    """Pass if everything that is to be tried exists, before anything costly begins.

    Raises:
        UsageError: it does not.
    """
    for name in options.analyzers:
        filter_chain(name)
    for given in options.fields:
        parse_fields(given)
    if options.fields and options.search != ANY_TERM:
        raise UsageError(
            "Fields cannot be tried where more than one term must match: each would count its own.",
            "Leave --fields away, or unset GPT4REC_MINIMUM_SHOULD_MATCH.",
        )
    for hits in options.hits_per_query:
        if not 1 <= hits <= options.k:
            raise UsageError(
                f"{hits} hits per query cannot be tried.", f"Choose from 1 to {options.k}."
            )


def measure_variants(shared: Measuring, bars: Bars) -> list[Variant]:
    """Return all variants that the options name, measured.

    Raises:
        UsageError: a field is empty in the whole catalog.
        DependencyError: Elasticsearch cannot answer.
    """
    found = []
    for hits in shared.options.hits_per_query:
        # With so many hits each, these queries fill the list.
        most = -(-shared.options.k // hits)
        fewer = [replace(case, queries=case.queries[:most]) for case in shared.cases]
        found.append(_measure(shared, fewer, shared.search, bars, hits_per_query=hits))
    for name in shared.options.analyzers:
        cases, others = _with_analyzer(shared, name)
        found.append(_measure(shared, cases, others, bars, analyzer=name))
    for given in shared.options.fields:
        documents = stream_documents(shared.parts.elastic, shared.build.index_name)
        fields = FieldsGridSearch(documents, parse_fields(given), shared.analyze)
        found.append(_measure(shared, shared.cases, fields, bars, fields=given))
    return found


def variant_points(variants: Sequence[Variant]) -> Iterator[dict[str, Any]]:
    """Yield a row for each point of each variant."""
    for variant in variants:
        measured = variant.measured
        for place, point in enumerate(measured.points):
            yield {
                **variant.columns,
                "k1": point.k1,
                "b": point.b,
                "recall": float(measured.recall[place].mean()),
                "ndcg": float(measured.ndcg[place].mean()),
            }


def variant_comparisons(
    variants: Sequence[Variant], choice: Choice, build: Build, seed: int
) -> Iterator[dict[str, Any]]:
    """Yield each variant at its best point against what is live, of all users."""
    live = values_of(choice.measured, choice.metric)[choice.measured.points.index(build.bm25)]
    rows, p_values = [], []
    for variant in variants:
        differences = values_of(variant.measured, choice.metric) - live
        place = int(np.argmax(differences.mean(axis=1)))
        gain = bootstrap_interval(differences[place], seed=seed)
        p_values.append(float(best_of_test(differences, seed=seed)[place]))
        rows.append(
            {
                "candidate": variant.name,
                "reference": "live",
                "segment": "all",
                "n_users": gain.n,
                "gain": gain.mean,
                "gain_low": gain.low,
                "gain_high": gain.high,
            }
        )
    for row, p_value in zip(rows, holm(p_values), strict=True):
        yield {**row, "p_value": p_value}


def _with_analyzer(shared: Measuring, name: str) -> tuple[Sequence[TuningCase], GridSearch]:
    client = shared.parts.elastic
    analyze = KnownTokens(chain_analyzer(client, filter_chain(name)))
    index = memory_index(stream_documents(client, shared.build.index_name), analyze)
    return without_empty(shared.all_cases, analyze), MemoryGridSearch(
        index, analyze, shared.options.search
    )


def _measure(
    shared: Measuring,
    cases: Sequence[TuningCase],
    search: GridSearch,
    bars: Bars,
    **columns: str | int,
) -> Variant:
    """Return the variant that ``columns`` say, one of them."""
    points = list(dict.fromkeys([DEFAULTS, shared.build.bm25, shared.choice.best]))
    ((column, value),) = columns.items()
    name = f"{column.replace('_', ' ')} {value}"
    with bars(f"Measuring {name}", "users") as progress:
        measured = measure_points(cases, points, search, shared.options.k, progress)
    return Variant(name, measured, columns)
