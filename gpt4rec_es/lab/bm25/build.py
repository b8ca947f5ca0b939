"""A build's titles in this process, so that it can be searched at any k1, b."""

from elasticsearch import Elasticsearch

from gpt4rec_es.elastic.errors import plain_errors
from gpt4rec_es.elastic.scan import stream_documents
from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.bm25.index import MemoryIndex
from gpt4rec_es.lab.bm25.retriever import MemoryRetriever
from gpt4rec_es.lab.bm25.tokens import TITLE_ANALYZER, memory_index, server_analyzer
from gpt4rec_es.protocols import Progress, no_progress
from gpt4rec_es.records import Bm25


def index_of_build(
    client: Elasticsearch,
    index: str,
    *,
    total: int | None = None,
    progress: Progress = no_progress,
) -> MemoryIndex:
    """Return the titles of the concrete ``index``, cut into terms as it was itself.

    Raises:
        UsageError: there is no such index, its analyzer has synonyms, or it was built by changes:
            titles that were replaced count in its scores and can no longer be read.
        DependencyError: Elasticsearch cannot answer.
    """
    require_exact(client, index)
    analyze = server_analyzer(client, index, TITLE_ANALYZER)
    return memory_index(stream_documents(client, index), analyze, total=total, progress=progress)


def require_exact(client: Elasticsearch, index: str) -> None:
    """Pass if scores in ``index`` come from its own titles alone.

    Raises:
        UsageError: they count titles that were replaced since, too.
        DependencyError: Elasticsearch cannot answer.
    """
    with plain_errors(client):
        found = client.indices.stats(index=index, metric="docs").body
    replaced = found["_all"]["primaries"]["docs"]["deleted"]
    if replaced:
        raise UsageError(
            f"Scores in {index} count {replaced:,} titles that were replaced since.",
            "Only the server can compute them. `gpt4rec reindex` makes a build without such.",
        )


def memory_retriever(
    client: Elasticsearch,
    index: str,
    bm25: Bm25,
    *,
    total: int | None = None,
    progress: Progress = no_progress,
) -> MemoryRetriever:
    """Return a retriever that answers as ``index`` would with these k1, b.

    Raises as ``index_of_build`` does.
    """
    titles = index_of_build(client, index, total=total, progress=progress)
    return MemoryRetriever(titles, bm25, server_analyzer(client, index))
