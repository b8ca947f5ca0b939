"""A single search by vectors, with titles, for people."""

from dataclasses import dataclass
from typing import Any

from elasticsearch import Elasticsearch

from gpt4rec_es.elastic.alias import resolve_alias
from gpt4rec_es.elastic.errors import plain_errors
from gpt4rec_es.elastic.queries import search_text
from gpt4rec_es.errors import DependencyError, UsageError
from gpt4rec_es.protocols import Encoder
from gpt4rec_es.retrieval.body import MAX_DEPTH, PREFERENCE, bare
from gpt4rec_es.retrieval.knn import knn_query, require_vectors_of


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
    if not 1 <= k <= MAX_DEPTH:
        raise UsageError(f"{k} hits cannot be asked for.", f"Ask for 1 to {MAX_DEPTH}.")
    searched = search_text(text)
    if not searched:
        raise UsageError("There is nothing to search for.", "Give a text.")
    (vector,) = encoder.encode([searched])
    with plain_errors(client):
        index = resolve_alias(client, alias)
        require_vectors_of(client, index, encoder)
        if not vector.any():
            return NearestAnswer(searched, index, [])
        wanted = bare(k) | {"_source": ["item_id", "title", "brand", "category"]}
        del wanted["stored_fields"]  # it would omit _source
        answer = client.perform_request(
            "POST",
            f"/{index}/_search",
            params={"allow_partial_search_results": "false", "preference": PREFERENCE},
            headers={"accept": "application/json", "content-type": "application/json"},
            body={"query": knn_query(vector.tolist(), k), **wanted},
        ).body
    if answer["timed_out"] or answer["_shards"]["failed"]:
        raise DependencyError("Elasticsearch did not search all of the index.", "Try again.")
    hits = enumerate(answer["hits"]["hits"], start=1)
    return NearestAnswer(searched, index, [_near(rank, hit) for rank, hit in hits])


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
