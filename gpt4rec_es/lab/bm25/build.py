"""Load a build's titles into this process, to search them at any k1, b."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from elasticsearch import Elasticsearch

from gpt4rec_es.elastic.errors import plain_errors
from gpt4rec_es.elastic.index_fields import require_fields
from gpt4rec_es.elastic.queries import TITLE
from gpt4rec_es.elastic.scan import stream_documents
from gpt4rec_es.elastic.similarity import read_field_bm25
from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.bm25.index import MemoryIndex, TokenizedTitle
from gpt4rec_es.lab.bm25.retriever import Analyze, MemoryRetriever
from gpt4rec_es.protocols import Progress, no_progress
from gpt4rec_es.records import Bm25, Document


def index_of_build(
    client: Elasticsearch,
    index: str,
    *,
    total: int | None = None,
    progress: Progress = no_progress,
) -> MemoryIndex:
    """Return the titles of the concrete ``index``, analyzed by its own analyzer.

    Raises:
        UsageError: there is no such index, or its analyzer has synonyms.
        DependencyError: Elasticsearch cannot answer.

    Reading a further field raises DataError if the index has no such field.
    """
    analyze = server_analyzer(client, index, TITLE_ANALYZER)

    def open_field(field: str) -> list[TokenizedTitle]:
        require_fields(client, index, [field])
        return _tokenized(stream_documents(client, index), analyze, field)

    titles = _tokenized(stream_documents(client, index), analyze, TITLE, total, progress)
    with plain_errors(client):
        field_bm25 = read_field_bm25(client, index)
    return MemoryIndex(titles, open_field=open_field, field_bm25=field_bm25)


def memory_retriever(
    client: Elasticsearch,
    index: str,
    bm25: Bm25,
    *,
    total: int | None = None,
    progress: Progress = no_progress,
) -> MemoryRetriever:
    """Return an in-process retriever with the results of ``index`` at these k1, b.

    Raises as ``index_of_build`` does.
    """
    titles = index_of_build(client, index, total=total, progress=progress)
    return MemoryRetriever(titles, bm25, server_analyzer(client, index))


TITLE_ANALYZER, QUERY_ANALYZER = "catalog_text", "catalog_search"
# By default _analyze returns at most 10,000 tokens, and a token has at least one character.
_CHARACTERS = 9_000
_TITLES_PER_STEP = 2_000


def server_analyzer(client: Elasticsearch, index: str, analyzer: str = QUERY_ANALYZER) -> Analyze:
    """Return a function from texts to their tokens by an analyzer of the concrete ``index``.

    It raises DependencyError if the server does not answer, and UsageError if the analyzer emits
    several tokens at one position (synonyms), because such queries are scored differently.
    """
    return _analyzer(client, {"index": index, "analyzer": analyzer})


def _analyzer(client: Elasticsearch, how: dict[str, Any]) -> Analyze:
    def analyze(texts: Sequence[str]) -> list[list[str]]:
        return [tokens for batch in _batches(texts) for tokens in _ask(batch)]

    def _ask(batch: list[str]) -> list[list[str]]:
        with plain_errors(client):
            answer = client.indices.analyze(**how, text=batch)
        return _by_text(batch, answer["tokens"])

    return analyze


def memory_index(documents: Sequence[Document], analyze: Analyze) -> MemoryIndex:
    """Return the index of ``documents``; ``analyze`` returns the tokens of their texts."""
    return MemoryIndex(
        _tokenized(documents, analyze, TITLE),
        open_field=lambda field: _tokenized(documents, analyze, field),
    )


def _tokenized(
    documents: Iterable[Document],
    analyze: Analyze,
    field: str,
    total: int | None = None,
    progress: Progress = no_progress,
) -> list[TokenizedTitle]:
    """Return one field of ``documents`` as tokens; a missing text has none."""
    texts: list[TokenizedTitle] = []
    step: list[Document] = []

    def tokenize() -> None:
        tokens = analyze([getattr(document, field) or "" for document in step])
        texts.extend(
            TokenizedTitle(document.item_id, document.item_no, found, document.is_active)
            for document, found in zip(step, tokens, strict=True)
        )
        step.clear()
        progress(len(texts), total)

    for document in documents:
        step.append(document)
        if len(step) == _TITLES_PER_STEP:
            tokenize()
    tokenize()
    return texts


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """Yield the texts in order, in batches for one request."""
    batch: list[str] = []
    size = 0
    for text in texts:
        if batch and size + len(text) > _CHARACTERS:
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += len(text)
    if batch:
        yield batch


def _by_text(batch: Sequence[str], tokens: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Assign the tokens of several texts to their text by offset.

    Offsets are in UTF-16 units and continue from text to text with a gap of 1.
    """
    result: list[list[str]] = [[] for _ in batch]
    number, end, position = 0, _units(batch[0]), -1
    for token in tokens:
        while token["start_offset"] > end:
            number += 1
            end += 1 + _units(batch[number])
        if token["position"] == position or token.get("positionLength", 1) != 1:
            raise UsageError(
                f"The analyzer gives {batch[number]!r} several tokens in one place.",
                "BM25 in this process knows no synonyms: use an index without them.",
            )
        position = token["position"]
        result[number].append(token["token"])
    return result


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
