"""Tune k1 and b on generated queries: measure in this process, verify on the server, store.

The live build does not change here: see trials.py. A tuning that is killed keeps only the generated
queries.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import trials
from gpt4rec_es.db.rows.builds import Build
from gpt4rec_es.db.rows.texts import decoding_number
from gpt4rec_es.db.rows.trials import TrialRow
from gpt4rec_es.elastic.index_fields import require_fields
from gpt4rec_es.errors import UsageError
from gpt4rec_es.index.live import live_build
from gpt4rec_es.lab.bm25.build import index_of_build, server_analyzer
from gpt4rec_es.lab.bm25.retriever import KnownTokens, MemoryGridSearch
from gpt4rec_es.lab.tuning.choose import (
    Choice,
    coarse_points,
    full_points,
    tune,
    values_of,
)
from gpt4rec_es.lab.tuning.inputs import (
    Inputs,
    TuningOptions,
    TuningParts,
    choose_inputs,
    load_inputs,
)
from gpt4rec_es.lab.tuning.moved import moved_rows
from gpt4rec_es.lab.tuning.verify import build_with, verify_hits
from gpt4rec_es.metrics.significance import bootstrap_interval, permutation_test
from gpt4rec_es.prompts.keys import canonical_json, hash128
from gpt4rec_es.protocols import Bars, no_bars
from gpt4rec_es.records import Bm25
from gpt4rec_es.version import code_version

log = logging.getLogger(__name__)

_GRIDS = ("coarse", "fine", "full")
# Number of queries whose hits are compared with the server's.
_VERIFIED = 1_000


@dataclass(frozen=True, slots=True)
class TuningPlan:
    """Plan of a tuning. points: number of points; of a fine grid those of its coarse half."""

    split: str
    part: str
    generator: str
    users: int
    points: int
    live: Bm25


def plan_tuning(parts: TuningParts, options: TuningOptions) -> TuningPlan:
    """Return what ``tune_bm25`` would do now; changes nothing, and raises as it does."""
    _check(parts, options)
    chosen = choose_inputs(parts, options)
    live = live_build(parts.engine, parts.elastic, parts.alias).bm25
    points = _points(options.grid, live) or coarse_points(live)
    return TuningPlan(
        options.split,
        options.part,
        chosen.generator.name,
        len(chosen.eval_users),
        len(points),
        live,
    )


def tune_bm25(
    parts: TuningParts,
    options: TuningOptions,
    *,
    bars: Bars = no_bars,
) -> TrialRow:
    """Return the stored trial of a grid of k1, b on a split.

    Raises:
        UsageError: there is no such split, generator, grid or live index, the generator may have
        seen held-out items, or the index has synonyms. ConflictError: another process builds or
        tunes behind this alias; queries are kept. DataError: the split leaks, the index lacks a
        field of the recipe, or the server finds other items than this process. DependencyError: a
        server cannot be reached.
    """
    _check(parts, options)
    with bars("Generating", "prompts") as progress:
        inputs = load_inputs(parts, options, progress)
    build = live_build(parts.engine, parts.elastic, parts.alias)
    index = index_of_build(parts.elastic, build.index_name)
    analyze = KnownTokens(server_analyzer(parts.elastic, build.index_name))
    eval_users = inputs.eval_users
    search = MemoryGridSearch(index, analyze, options.search)
    distinct = dict.fromkeys(text for eval_user in eval_users for text in eval_user.queries)
    texts = [text for text in distinct if not search.is_empty(text)]
    if not texts:
        raise UsageError("No user has a query to search for.", "Try another generator.")
    with bars("Measuring", "users") as progress:
        choice = tune(
            eval_users,
            search,
            options.k,
            build.bm25,
            metric=options.metric,
            points=_points(options.grid, build.bm25),
            seed=options.seed,
            progress=progress,
        )
    # Before the index is locked for verification: tests of many segments take time.
    points = list(_point_rows(choice))
    comparisons = list(_comparisons(choice, inputs, options.seed))
    moved = moved_rows(eval_users, search, build.bm25, choice.best, inputs.users)
    values = _row(options, inputs, build, choice) | {"n_queries": len(texts), "actor": parts.actor}
    keep = choice.recommended == choice.best
    with build_with(
        parts.engine, parts.elastic, build, choice.best, actor=parts.actor, keep=keep
    ) as proof:
        some = _spread(texts, _VERIFIED)
        values["n_verified"] = verify_hits(
            parts.elastic, proof, index, analyze, some, options.k, options.search
        )
        values["verified_build_no"] = proof.build_no
        with transaction(parts.engine) as connection:
            settings = canonical_json(options.decoding.as_dict())
            values["decoding_no"] = decoding_number(connection, hash128(settings), settings)
            number = trials.store(connection, values, points, comparisons, moved)
            return trials.load(connection, number)


def _check(parts: TuningParts, options: TuningOptions) -> None:
    """Refuse invalid options before anything is generated."""
    if options.grid not in _GRIDS:
        raise UsageError(f"There is no grid {options.grid!r}.", f"Choose {', '.join(_GRIDS)}.")
    build = live_build(parts.engine, parts.elastic, parts.alias)
    build.require_items(options.k)
    require_fields(parts.elastic, build.index_name, dict(options.search.fields))


def _points(grid: str, live: Bm25) -> Sequence[Bm25]:
    """Return the points of a grid; empty: a coarse grid, then a fine one around its best point."""
    return {"coarse": coarse_points(live), "full": full_points(live), "fine": []}[grid]


def _spread(texts: Sequence[str], most: int) -> list[str]:
    """Return at most ``most`` texts, evenly spaced."""
    count = min(most, len(texts))
    return [texts[place * len(texts) // count] for place in range(count)]


def _row(options: TuningOptions, inputs: Inputs, build: Build, choice: Choice) -> dict[str, Any]:
    points = {"live": build.bm25, "best": choice.best, "recommended": choice.recommended}
    values: dict[str, Any] = {
        f"{name}_{field}": value
        for name, point in points.items()
        for field, value in asdict(point).items()
    }
    return values | {
        "split_name": inputs.split.name,
        "split_hash": inputs.split.content_hash,
        "part": options.part,
        "generator_no": inputs.generator.generator_no,
        "build_no": build.build_no,
        "metric": options.metric,
        "k": options.k,
        "exclude_bought": options.exclude_bought,
        "minimum_should_match": options.search.minimum_should_match,
        "grid": options.grid,
        "seed": options.seed,
        "n_users": len(inputs.eval_users),
        "verdict": choice.verdict,
        "code_version": code_version(),
    }


def _point_rows(choice: Choice) -> Iterator[Mapping[str, Any]]:
    measured = choice.measured
    recalls, ndcgs = measured.recall.mean(axis=1), measured.ndcg.mean(axis=1)
    rows = zip(measured.points, recalls, ndcgs, strict=True)
    for number, (point, recall, ndcg) in enumerate(rows, start=1):
        yield {
            "point_no": number,
            "k1": point.k1,
            "b": point.b,
            "recall": float(recall),
            "ndcg": float(ndcg),
        }


def _comparisons(choice: Choice, inputs: Inputs, seed: int) -> Iterator[Mapping[str, Any]]:
    """Yield comparisons of the best point with its references, for all users, then by segment."""
    values = values_of(choice.measured, choice.metric)
    place = choice.measured.points.index
    for comparison in choice.comparisons:
        row = {"candidate": "best", "reference": comparison.name}
        gain = comparison.gain
        yield row | {
            "segment": "all",
            "n_users": gain.n,
            "gain": gain.mean,
            "gain_low": gain.low,
            "gain_high": gain.high,
            "p_value": comparison.p_value,
        }
        differences = values[place(choice.best)] - values[place(comparison.point)]
        for name, mask in inputs.segments.items():
            chosen = differences[mask]
            try:
                gain = bootstrap_interval(chosen, seed=seed)
                p_value = permutation_test(chosen, seed=seed)
            except (UsageError, ValueError) as error:
                # The comparison over all users took minutes, and stands without this segment.
                log.warning("segment %s is left out of the comparisons: %s", name, error)
                continue
            yield row | {
                "segment": name,
                "n_users": gain.n,
                "gain": gain.mean,
                "gain_low": gain.low,
                "gain_high": gain.high,
                "p_value": p_value,
            }
