"""Contract of every Retriever, on a catalog with results known by construction.

To add an implementation, add a fixture that creates one of DOCUMENTS. Some of the
contract is of retrievers by words alone: one by vectors finds every item.
"""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from gpt4rec_es.errors import UsageError
from gpt4rec_es.index.building import Sampled
from gpt4rec_es.index.bulk import load_documents
from gpt4rec_es.index.create import create_index, seal_index, verify_index
from gpt4rec_es.index.mapping import Analysis, VectorField, index_body
from gpt4rec_es.lab.bm25.build import TITLE_ANALYZER, memory_index, server_analyzer
from gpt4rec_es.lab.bm25.nearest import NearestTitles
from gpt4rec_es.lab.bm25.retriever import MemoryRetriever
from gpt4rec_es.protocols import Encoder, Retriever
from gpt4rec_es.records import Bm25, Document, SearchResult
from gpt4rec_es.retrieval import ElasticRetriever
from gpt4rec_es.retrieval.knn import KnnRetriever
from tests.vectors import word_axes

# Every title has three words, so scores depend on document frequency only. Ids do not sort like
# numbers.
TITLES = {
    "b10": "amber glass bottle",
    "b9": "amber glass vase",
    "B9": "amber glass bowl",
    "é1": "amber glass jar",
    "a1": "blue wool scarf",
    "a2": "blue wool hat",
    "z1": "C++/CLI: (AND) OR",
    "gone": "amber glass lantern",
}
DOCUMENTS = [
    Document(number, item_id, title, None, None, None, is_active=item_id != "gone")
    for number, (item_id, title) in enumerate(TITLES.items(), start=100)
]
NUMBER = {document.item_id: document.item_no for document in DOCUMENTS}
BY_WORDS = ["on_elasticsearch", "in_memory"]
BY_VECTORS = ["by_vectors", "by_vectors_in_memory"]
# Ties by bytes: upper case before lower case, "b10" before "b9", "é" last.
AMBER = [NUMBER[item_id] for item_id in ("B9", "b10", "b9", "é1")]


@pytest.fixture(scope="module")
def on_elasticsearch(elastic: Elasticsearch, module_alias: str) -> Retriever:
    index = f"{module_alias}-1"
    create_index(elastic, index, index_body(Bm25(), Analysis()))
    sampled = Sampled(DOCUMENTS)
    load_documents(elastic, index, sampled)
    seal_index(elastic, index)
    count = len(DOCUMENTS)
    verify_index(elastic, index, documents=count, bm25=Bm25(), samples=sampled.samples)
    return ElasticRetriever(elastic, index, searches_per_request=3)


@pytest.fixture(scope="module")
def in_memory(elastic: Elasticsearch, module_alias: str) -> Retriever:
    index = f"{module_alias}-2"
    create_index(elastic, index, index_body(Bm25(), Analysis()))
    memory = memory_index(DOCUMENTS, server_analyzer(elastic, index, TITLE_ANALYZER))
    return MemoryRetriever(memory, Bm25(), server_analyzer(elastic, index))


def encoder_of_words(folder: Path) -> Encoder:
    words = [word for title in TITLES.values() for word in re.findall(r"[a-z]+", title.lower())]
    return word_axes(folder, list(dict.fromkeys(words)))


@pytest.fixture(scope="module")
def by_vectors_in_memory(tmp_path_factory: pytest.TempPathFactory) -> Retriever:
    encoder = encoder_of_words(tmp_path_factory.mktemp("words-in-memory"))
    active = [document for document in DOCUMENTS if document.is_active]
    ids = {document.item_no: document.item_id for document in active}
    vectors = encoder.encode([document.title for document in active])
    return NearestTitles(ids, vectors, encoder.encode)


@pytest.fixture(scope="module")
def by_vectors(
    elastic: Elasticsearch, module_alias: str, tmp_path_factory: pytest.TempPathFactory
) -> Retriever:
    encoder = encoder_of_words(tmp_path_factory.mktemp("words"))
    index = f"{module_alias}-3"
    body = index_body(Bm25(), Analysis(), vectors=VectorField(encoder.content_hash, encoder.dims))
    create_index(elastic, index, body)
    rows = encoder.encode([document.title for document in DOCUMENTS])
    pairs = zip(DOCUMENTS, rows, strict=True)
    load_documents(
        elastic, index, [replace(document, vector=row.tobytes()) for document, row in pairs]
    )
    seal_index(elastic, index)
    return KnnRetriever(elastic, index, encoder, searches_per_request=3)


@pytest.fixture(scope="module", params=BY_WORDS)
def retriever(request: pytest.FixtureRequest) -> Retriever:
    """A retriever by words."""
    made: Retriever = request.getfixturevalue(request.param)
    return made


@pytest.fixture(scope="module", params=[*BY_WORDS, *BY_VECTORS])
def any_retriever(request: pytest.FixtureRequest) -> Retriever:
    made: Retriever = request.getfixturevalue(request.param)
    return made


def search_one(retriever: Retriever, text: str, depth: int = 10) -> SearchResult:
    (result,) = retriever.search([text], depth)
    return result


def test_no_texts_no_results(any_retriever: Retriever) -> None:
    assert any_retriever.search([], 10) == []


def test_equal_scores_are_ordered_by_the_bytes_of_the_item_id(any_retriever: Retriever) -> None:
    result = search_one(any_retriever, "amber", 4)
    assert list(result.item_nos) == AMBER
    assert len(set(result.scores)) == 1
    assert result.scores[0] > 0


def test_an_inactive_item_is_not_found_and_does_not_use_up_the_depth(
    any_retriever: Retriever,
) -> None:
    assert NUMBER["gone"] not in search_one(any_retriever, "lantern").item_nos
    assert list(search_one(any_retriever, "amber lantern", 4).item_nos) == AMBER


def test_an_inactive_item_with_the_only_title_of_a_word_leaves_no_hit(
    retriever: Retriever,
) -> None:
    assert search_one(retriever, "lantern").item_nos == ()


def test_more_and_rarer_words_score_higher(retriever: Retriever) -> None:
    result = search_one(retriever, "amber scarf wool")
    assert list(result.item_nos[:2]) == [NUMBER["a1"], NUMBER["a2"]]
    assert list(result.item_nos[2:]) == AMBER
    assert list(result.scores) == sorted(result.scores, reverse=True)
    assert len(result.scores) == len(result.item_nos)


def test_one_word_is_enough_and_case_does_not_matter(retriever: Retriever) -> None:
    assert search_one(retriever, "SCARF nothing matches this").item_nos == (NUMBER["a1"],)


def test_results_keep_the_order_of_the_texts_and_repeat_for_equal_ones(
    any_retriever: Retriever,
) -> None:
    texts = ["scarf", "amber", "nothing", "scarf", "vase", "wool", "jar"]
    together = any_retriever.search(texts, 10)
    assert together == [search_one(any_retriever, text) for text in texts]
    assert together[0] == together[3]


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5, 10_000])
def test_a_smaller_depth_is_the_beginning_of_a_larger_one(
    any_retriever: Retriever, depth: int
) -> None:
    everything = search_one(any_retriever, "amber", 10_000).item_nos
    result = search_one(any_retriever, "amber", depth)
    assert list(everything[:4]) == AMBER
    assert result.item_nos == everything[:depth]
    # With exactly ``depth`` hits, it is not known whether there are more.
    assert result.exhausted == (depth > len(everything))


def test_words_find_titles_with_one_of_them_and_vectors_find_all(any_retriever: Retriever) -> None:
    result = search_one(any_retriever, "amber")
    active = {number for item_id, number in NUMBER.items() if item_id != "gone"}
    is_by_vectors = isinstance(any_retriever, KnnRetriever | NearestTitles)
    assert set(result.item_nos) == (active if is_by_vectors else set(AMBER))


def test_a_text_without_a_word_is_told_from_one_that_finds_nothing(
    any_retriever: Retriever,
) -> None:
    texts = ["", "   ", "?!, -- ()", "lantern", "amber"]
    results = any_retriever.search(texts, 10)
    assert [result.is_empty_query for result in results] == [True] * 3 + [False] * 2
    assert [bool(result.item_nos) for result in results[:3]] == [False] * 3
    assert results[4].item_nos
    assert all(result.exhausted for result in results)


def test_a_word_that_no_title_has_finds_nothing(any_retriever: Retriever) -> None:
    result = search_one(any_retriever, "nothing")
    assert result.item_nos == ()
    # The encoder does not know it; an analyzer knows every word.
    assert result.is_empty_query == isinstance(any_retriever, KnnRetriever | NearestTitles)


@pytest.mark.parametrize(
    "text", ["C++/CLI: (AND)", "cli AND", 'title:"cli" OR *:*', "cli~2 && [a TO b]", "cli \\ ^"]
)
def test_operators_are_plain_text(retriever: Retriever, text: str) -> None:
    assert search_one(retriever, text).item_nos == (NUMBER["z1"],)


def test_a_long_text_is_cut_at_64_words(any_retriever: Retriever) -> None:
    filler = [f"filler{n:04}" for n in range(63)]
    text = " ".join([*filler, "vase", "scarf"])
    assert search_one(any_retriever, text, 1).item_nos == (NUMBER["b9"],)


def test_texts_of_very_many_terms_are_answered(retriever: Retriever) -> None:
    letters = [f"{chr(97 + n % 26)}{n}" for n in range(300)]
    for text in ("/".join(letters), "日本" * 500, " ".join("abcdefgh" * 100)):
        assert not search_one(retriever, text).is_empty_query


def test_the_same_search_gives_the_same_answer(any_retriever: Retriever) -> None:
    assert search_one(any_retriever, "amber glass") == search_one(any_retriever, "amber glass")


@pytest.mark.parametrize("depth", [0, 10_001])
def test_a_depth_out_of_range_is_refused(any_retriever: Retriever, depth: int) -> None:
    with pytest.raises(UsageError):
        any_retriever.search(["amber"], depth)
