"""Read-only queries about one concrete index: its state and content."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from elasticsearch import Elasticsearch

from gpt4rec_es.elastic.client import client_url
from gpt4rec_es.elastic.disk import require_room
from gpt4rec_es.elastic.errors import plain_errors
from gpt4rec_es.elastic.queries import title_query
from gpt4rec_es.elastic.similarity import FieldBm25, explained_bm25, read_bm25, read_field_bm25
from gpt4rec_es.errors import DataError, DependencyError
from gpt4rec_es.records import Bm25

_FORMULAS = 3


@dataclass(frozen=True, slots=True)
class IndexState:
    """State of an index in Elasticsearch.

    documents: number of searchable ones. field_bm25: see ``read_field_bm25``.
    """

    uuid: str
    documents: int
    bm25: Bm25
    field_bm25: FieldBm25


def describe_index(client: Elasticsearch, index: str) -> IndexState:
    """Return uuid, document count and k1, b of the concrete index ``index``.

    Raises:
        UsageError: there is no such index.
        DataError: it is not one of ours.
        DependencyError: Elasticsearch cannot answer.
    """
    with plain_errors(client):
        settings = client.indices.get_settings(index=index, flat_settings=True).body
        if index not in settings:
            raise DataError(f"{index!r} is an alias, not an index.")
        return IndexState(
            settings[index]["settings"]["index.uuid"],
            count(client, index),
            read_bm25(client, index),
            read_field_bm25(client, index),
        )


def count_active(client: Elasticsearch, index: str, item_ids: Sequence[str]) -> int:
    """Return how many of the distinct ``item_ids`` (at most 65,536) are active items of ``index``.

    Raises:
        DependencyError: Elasticsearch cannot answer.
    """
    if not item_ids:
        return 0
    query = {
        "bool": {"filter": [{"terms": {"item_id": list(item_ids)}}, {"term": {"is_active": True}}]}
    }
    with plain_errors(client):
        return count(client, index, query)


def count(client: Elasticsearch, index: str, query: dict[str, Any] | None = None) -> int:
    """Return the number of documents that match ``query`` (None: all), over all shards."""
    answer = client.count(index=index, query=query).body
    if answer["_shards"]["failed"]:
        raise DependencyError(
            f"Elasticsearch cannot read all of {index} now.", "See `_cat/shards` of the cluster."
        )
    return int(answer["count"])


def count_each(client: Elasticsearch, index: str, queries: Sequence[dict[str, Any]]) -> list[int]:
    """Return the number of documents that match each of ``queries``, in one request."""
    if not queries:
        return []
    searches = [
        part
        for query in queries
        for part in (
            {"allow_partial_search_results": False},
            {"query": query, "size": 0, "track_total_hits": True},
        )
    ]
    answers = client.msearch(index=index, searches=searches).body["responses"]
    return [
        answer["hits"]["total"]["value"]
        if answer["status"] == 200 and not answer["timed_out"]
        else count(client, index, query)  # which raises the specific error
        for answer, query in zip(answers, queries, strict=True)
    ]


def bytes_per_document(client: Elasticsearch, index: str) -> float | None:
    """Return the mean bytes on disk per document of a primary shard; None: the index is empty."""
    primaries = client.indices.stats(index=index, metric="docs,store").body["_all"]["primaries"]
    documents = primaries["docs"]["count"] + primaries["docs"]["deleted"]
    return primaries["store"]["size_in_bytes"] / documents if documents else None


def explain_title(client: Elasticsearch, index: str, item_id: str, title: str) -> dict[str, Any]:
    """Return the explanation of the score that ``title`` as a query gives to the item."""
    answer = client.explain(index=index, id=item_id, query=title_query(title)).body
    explanation: dict[str, Any] = answer.get("explanation", {})
    return explanation


def applied_bm25(
    client: Elasticsearch, index: str, samples: Sequence[tuple[str, str]]
) -> set[Bm25]:
    """Return the k1, b that score formulas use; ``samples`` are (item id, title).

    They are the same for all documents of an index, so the first few formulas are enough.
    """
    used = []
    for item_id, title in samples:
        found = explained_bm25(explain_title(client, index, item_id, title))
        if found:
            used.append(found)
        if len(used) == _FORMULAS:
            break
    return set().union(*used)


def sample_titles(client: Elasticsearch, index: str, size: int = 10) -> list[tuple[str, str]]:
    """Return (item id, title) of the first ``size`` items of the index."""
    answer = client.search(
        index=index,
        size=size,
        sort=[{"item_no": "asc"}],
        source={"includes": ["item_id", "title"]},
        allow_partial_search_results=False,
    ).body
    found = [hit["_source"] for hit in answer["hits"]["hits"]]
    return [(source["item_id"], source["title"]) for source in found]


# Bytes per document on disk, assumed before the first build; titles take 200 to 400.
_FIRST_BYTES_PER_DOCUMENT = 600
_TWICE = 2


def require_room_for(
    client: Elasticsearch,
    documents: int,
    *,
    like: str | None,
    replicas: int,
    vector_bytes: int = 0,
) -> None:
    """Pass if ``documents`` can be indexed; like: an index to estimate their size from, if any.

    vector_bytes: room for a vector, beside what documents of ``like`` take.

    Raises:
        DependencyError: there is too little room; nothing was created.
    """
    each = bytes_per_document(client, like) if like else None
    each = (each or _FIRST_BYTES_PER_DOCUMENT) + vector_bytes
    require_room(
        client,
        f"Elasticsearch at {client_url(client)}",
        bytes_needed=round(each * documents * _TWICE),
        copies=replicas + 1,
    )


def load_documents(
    client: Elasticsearch, index: str, item_ids: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Return item id -> indexed fields of those of ``item_ids`` that ``index`` has.

    Raises:
        DependencyError: Elasticsearch cannot answer.
    """
    if not item_ids:
        return {}
    with plain_errors(client):
        answers = client.mget(index=index, ids=list(item_ids)).body["docs"]
    return {one["_id"]: one["_source"] for one in answers if one.get("found")}
