"""A single search by vectors, with titles, for people."""

from dataclasses import dataclass
from typing import Any

from elasticsearch import Elasticsearch

from gpt4rec_es.elastic.alias import resolve_alias
from gpt4rec_es.elastic.errors import plain_errors
from gpt4rec_es.protocols import Encoder
from gpt4rec_es.retrieval.ad_hoc import checked_text, find_with_titles
from gpt4rec_es.retrieval.body import bare
from gpt4rec_es.retrieval.knn import (
    first_size,
    is_cut_in_a_tie,
    knn_query,
    next_size,
    require_vectors_of,
)


@dataclass(frozen=True, slots=True)
class NearItem:
    """One hit; cosine: of the vectors of text and title, -1 to 1."""

    rank: int
    item_id: str
    title: str
    cosine: float
    brand: str | None
    category: str | None


@dataclass(frozen=True, slots=True)
class NearestAnswer:
    """Result of a search by vectors; text: what was encoded. hits: empty if nothing was known."""

    text: str
    index: str
    hits: list[NearItem]


def search_nearest(
    client: Elasticsearch, alias: str, text: str, k: int, encoder: Encoder
) -> NearestAnswer:
    """Return the ``k`` active items with the nearest titles in the index behind ``alias``.

    Raises:
        UsageError: the text is empty, ``k`` is out of range, or the alias points nowhere.
        DataError: the index holds no vectors of the encoder.
        DependencyError: Elasticsearch cannot answer.
    """
    searched = checked_text(text, k)
    (vector,) = encoder.encode([searched])
    with plain_errors(client):
        index = resolve_alias(client, alias)
        require_vectors_of(client, index, encoder)
        if not vector.any():
            return NearestAnswer(searched, index, [])
        size = first_size(k)
        while True:
            body = {"query": knn_query(vector.tolist(), size), **bare(size)}
            hits = find_with_titles(client, index, body)
            if not is_cut_in_a_tie([hit["_score"] for hit in hits], k, size):
                break
            size = next_size(size)
    found = [_near(rank, hit) for rank, hit in enumerate(hits[:k], start=1)]
    return NearestAnswer(searched, index, found)


def _near(rank: int, hit: dict[str, Any]) -> NearItem:
    source = hit["_source"]
    return NearItem(
        rank,
        source["item_id"],
        source["title"],
        2 * hit["_score"] - 1,
        source.get("brand"),
        source.get("category"),
    )
