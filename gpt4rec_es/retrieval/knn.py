"""Retriever by vectors: the items whose titles' vectors are nearest to that of a text.

The texts are encoded here and compared by Elasticsearch. Every item with a vector is a hit; a title
without a token that the encoder knows has none.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from elasticsearch import Elasticsearch

from gpt4rec_es.elastic.errors import plain_errors
from gpt4rec_es.elastic.queries import ENCODER, VECTOR_FIELD, search_text
from gpt4rec_es.errors import DataError, UsageError
from gpt4rec_es.options.lists import ANY_TERM, SearchOptions
from gpt4rec_es.protocols import Encoder
from gpt4rec_es.records import SearchResult
from gpt4rec_es.retrieval.answers import Hits
from gpt4rec_es.retrieval.body import HEADER, MAX_DEPTH, NOT_INACTIVE, bare, require_depth
from gpt4rec_es.retrieval.msearch import ElasticRetriever

# Hits asked for beyond the depth: the nearest k are cut by Elasticsearch in the order of its
# segments, so equal scores at the end (equal titles) are ordered by item id only if all are there.
_BEYOND = 20
# Candidates per search of a graph (HNSW); a flat index compares all vectors.
_LEAST_CANDIDATES = 1000
_CANDIDATES_PER_HIT = 10
_MARK = "MARK"


class KnnRetriever(ElasticRetriever):
    """Searches one concrete index by vectors of ``encoder``, which made those in it."""

    def __init__(
        self, client: Elasticsearch, index: str, encoder: Encoder, run_id: str = "", **options: Any
    ) -> None:
        """Set the index and the encoder; options: see ``ElasticRetriever``."""
        super().__init__(client, index, run_id, **options)
        self._encoder = encoder
        self._is_checked = False

    def search(
        self, texts: Sequence[str], depth: int, options: SearchOptions = ANY_TERM
    ) -> list[SearchResult]:
        """Return the nearest ``depth`` active items for each text, in order.

        Scores are (1 + cosine) / 2. An index with a graph finds nearly all of them. Equal texts are
        sent once; of long texts only the first 64 words are used.

        Raises:
            UsageError: ``depth`` is not between 1 and 10,000, or the options name another encoder.
            DataError: the index is deleted, or has no vectors of the encoder.
            DependencyError: a search could not be answered; it never becomes "no hits".
        """
        require_depth(depth)
        if options.encoder not in {None, self._encoder.content_hash}:
            raise UsageError("The search options name another encoder than the one that is open.")
        if not self._is_checked:
            require_vectors_of(self._client, self._index, self._encoder)
            self._is_checked = True
        wanted = [search_text(text) for text in texts]
        distinct = list(dict.fromkeys(wanted))
        self._count(searches=len(distinct))
        vectors = self._encoder.encode(distinct)
        known = [place for place, row in enumerate(vectors) if row.any()]
        found = dict(zip(known, self._nearest(distinct, vectors, known, depth), strict=True))
        results = {
            text: _result(found.get(place, ((), ())), depth, is_empty=place not in found)
            for place, text in enumerate(distinct)
        }
        return [results[text] for text in wanted]

    def _nearest(
        self, texts: Sequence[str], vectors: Any, places: Sequence[int], depth: int
    ) -> list[Hits]:
        """Return the hits of each of ``places``, more than ``depth`` where the last ones tie."""
        found: dict[int, Hits] = {}
        waiting, size = list(places), first_size(depth)
        while waiting:
            template = KnnTemplate(size)
            lines = [template.fill(vectors[place]) for place in waiting]
            hits = self._ask([texts[place] for place in waiting], lines, size)
            found.update(zip(waiting, hits, strict=True))
            waiting = [place for place in waiting if is_cut_in_a_tie(found[place][1], depth, size)]
            size = next_size(size)
        return [found[place] for place in places]


class KnnTemplate:
    """Two msearch lines with a placeholder for the vector."""

    def __init__(self, size: int) -> None:
        """Make the template of a search for the nearest ``size`` active items."""
        body = {"query": knn_query(_MARK, size), **bare(size)}
        self._parts = (HEADER + orjson.dumps(body) + b"\n").split(orjson.dumps(_MARK))

    def fill(self, vector: Any) -> bytes:
        """Return the lines for ``vector``, (dims,) in float32."""
        values = orjson.dumps(np.ascontiguousarray(vector), option=orjson.OPT_SERIALIZE_NUMPY)
        return values.join(self._parts)


def require_vectors_of(client: Elasticsearch, index: str, encoder: Encoder) -> None:
    """Raise unless ``index`` holds the vectors of ``encoder``; searches would find nothing.

    Raises:
        DataError: it holds none, or those of another encoder.
        DependencyError: Elasticsearch cannot answer.
    """
    with plain_errors(client):
        mapping = client.indices.get_mapping(index=index).body[index]["mappings"]
    if mapping.get("_meta", {}).get(ENCODER) != encoder.content_hash:
        raise DataError(
            f"{index} holds no vectors of this encoder.", "Run `gpt4rec reindex --encoder NAME`."
        )


def knn_query(vector: Any, k: int) -> dict[str, Any]:
    """Return the query for the ``k`` nearest active items."""
    candidates = max(_LEAST_CANDIDATES, _CANDIDATES_PER_HIT * k)
    return {
        "knn": {
            "field": VECTOR_FIELD,
            "query_vector": vector,
            "k": k,
            "num_candidates": min(candidates, MAX_DEPTH),
            "filter": {"bool": {"must_not": [NOT_INACTIVE]}},
        }
    }


def first_size(depth: int) -> int:
    """Return the number of hits to ask for, of which the best ``depth`` are wanted."""
    return min(depth + _BEYOND, MAX_DEPTH)


def next_size(size: int) -> int:
    """Return the number of hits to ask for where the last of ``size`` tie."""
    return min(4 * size, MAX_DEPTH)


def is_cut_in_a_tie(scores: Sequence[float], depth: int, size: int) -> bool:
    """Return whether hits beyond the ``size`` that were found may tie with the last wanted one."""
    return size < MAX_DEPTH and len(scores) == size and scores[depth - 1] == scores[-1]


def _result(hits: Hits, depth: int, *, is_empty: bool) -> SearchResult:
    item_nos, scores = hits
    return SearchResult(item_nos[:depth], scores[:depth], len(item_nos) < depth, is_empty)
