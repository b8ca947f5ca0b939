"""Read a whole build back: the catalog exactly as it was indexed.

Only for builds, which never change: an index under writes would be read in a mixed state.
"""

from collections.abc import Iterator

from elasticsearch import Elasticsearch

from gpt4rec_es.elastic.errors import plain_errors
from gpt4rec_es.errors import DependencyError
from gpt4rec_es.records import Document

_PAGE = 5_000
_FIELDS = ["item_id", "item_no", "title", "brand", "category", "is_active", "description"]


def stream_documents(client: Elasticsearch, index: str) -> Iterator[Document]:
    """Yield all documents of the concrete ``index`` in order of item id, without prices.

    Raises:
        UsageError: there is no such index.
        DependencyError: Elasticsearch cannot answer, or not for all of the index.
    """
    after: list[str] | None = None
    while True:
        with plain_errors(client):
            answer = client.search(
                index=index,
                size=_PAGE,
                sort=[{"item_id": "asc"}],
                search_after=after,
                source_includes=_FIELDS,
                track_total_hits=False,
                allow_partial_search_results=False,
            ).body
        if answer["timed_out"] or answer["_shards"]["failed"]:
            raise DependencyError(f"Elasticsearch did not read all of {index}.", "Try again.")
        hits = answer["hits"]["hits"]
        for hit in hits:
            found = hit["_source"]
            yield Document(
                found["item_no"],
                found["item_id"],
                found["title"],
                found["brand"],
                found["category"],
                None,
                found["is_active"],
                description=found.get("description"),
            )
        if len(hits) < _PAGE:
            return
        after = hits[-1]["sort"]
