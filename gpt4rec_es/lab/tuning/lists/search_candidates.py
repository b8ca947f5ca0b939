"""Search all texts of the users of a tuning, once for all its settings."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from gpt4rec_es.lab.bm25.nearest import NearestTitles
from gpt4rec_es.lab.evaluation.data import EvaluationCatalog
from gpt4rec_es.lab.splits.histories import deduplicate_keep_last
from gpt4rec_es.lab.tuning.lists.arrays import Ragged, Shoppers
from gpt4rec_es.lab.tuning.lists.collect import CandidateCollector, Limits
from gpt4rec_es.lab.tuning.lists.columns import Column
from gpt4rec_es.lab.tuning.lists.pair_tables import PairTables
from gpt4rec_es.lab.tuning.lists.sequence_hits import SequenceHits
from gpt4rec_es.lab.tuning.lists.text_hits import NO_HITS, nearest_texts, search_texts
from gpt4rec_es.options.lists import ANY_TERM, SearchOptions
from gpt4rec_es.protocols import Progress, no_progress
from gpt4rec_es.ranking.vectors import NO_VECTORS, Vectors


def search_candidates(
    catalog: EvaluationCatalog,
    queries: Sequence[Sequence[str]],
    histories: Sequence[Sequence[int]],
    pairs: PairTables,
    titles: Mapping[int, str],
    limits: Limits,
    progress: Progress = no_progress,
    *,
    options: SearchOptions = ANY_TERM,
    removed: Collection[str] = frozenset(),
    folder: Path | None = None,
    vectors: Vectors = NO_VECTORS,
    columns: Mapping[str, Column] | None = None,
    likelihoods: Sequence[Sequence[float]] | None = None,
    nearest: NearestTitles | None = None,
) -> CandidateCollector:
    """Return the collector of these users, with the hits of all texts; ``progress`` counts them.

    queries: per user, best first; likelihoods: of each, see ``GeneratedQuery``; None: 1; removed:
    those that filters remove. titles: texts by item. options: search options of queries.
    vectors: by a re-ranker, with the best items of the users. nearest: search by vectors; None:
    none. columns and folder: see ``CandidateCollector``.
    """
    newest = [deduplicate_keep_last(own)[: -limits.history - 1 : -1] for own in histories]
    bought = dict.fromkeys(item for own in newest for item in own if item in titles)
    texts = list(dict.fromkeys(titles[item] for item in bought))
    asked = list(dict.fromkeys(text for own in queries for text in own if text not in removed))
    total, bm25 = (len(texts) + len(asked)) * (1 if nearest is None else 2), catalog.bm25
    of_titles = search_texts(
        catalog.search(), texts, bm25, limits.title_hits, folder, lambda n: progress(n, total)
    )
    of_queries = search_texts(
        catalog.search(options),
        asked,
        bm25,
        limits.query_hits,
        folder,
        lambda n: progress(len(texts) + n, total),
    )
    near_titles = near_queries = NO_HITS
    if nearest is not None:
        half = len(texts) + len(asked)
        near_titles = nearest_texts(
            nearest, texts, limits.title_hits, folder, lambda n: progress(half + n, total)
        )
        near_queries = nearest_texts(
            nearest,
            asked,
            max(limits.title_hits, limits.query_hits),
            folder,
            lambda n: progress(half + len(texts) + n, total),
        )
    title_rows = np.full(catalog.n_items, -1, np.int64)
    for item in bought:
        title_rows[item] = of_titles.rows[titles[item]]
    users = Shoppers(
        Ragged.of(newest),
        Ragged.of([sorted(set(own)) for own in histories]),
        Ragged.of([[of_queries.rows.get(text, -1) for text in own] for own in queries]),
        Ragged.of(likelihoods or [[1.0] * len(own) for own in queries], np.float64),
    )
    bits = catalog.n_items.bit_length()
    sequences = SequenceHits.of(vectors, len(histories))
    return CandidateCollector(
        users,
        pairs,
        of_titles,
        title_rows,
        of_queries,
        near_titles,
        near_queries,
        sequences,
        bits,
        columns or {},
        folder,
    )
