"""Contract of every Retriever, on a catalog with results known by construction.

To add an implementation, add a function that creates one from a list of documents.
"""

from collections.abc import Callable

import pytest
from elasticsearch import Elasticsearch

from gpt4rec_es.errors import UsageError
from gpt4rec_es.index.building import Sampled
from gpt4rec_es.index.bulk import load_documents
from gpt4rec_es.index.create import create_index, seal_index, verify_index
from gpt4rec_es.index.mapping import Analysis, index_body
from gpt4rec_es.lab.bm25.build import TITLE_ANALYZER, memory_index, server_analyzer
from gpt4rec_es.lab.bm25.retriever import MemoryRetriever
from gpt4rec_es.protocols import Retriever
from gpt4rec_es.records import Bm25, Document, SearchResult
from gpt4rec_es.retrieval import ElasticRetriever

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
# Ties by bytes: upper case before lower case, "b10" before "b9", "é" last.
AMBER = [NUMBER[item_id] for item_id in ("B9", "b10", "b9", "é1")]

Make = Callable[[list[Document]], Retriever]


@pytest.fixture(scope="module")
def on_elasticsearch(elastic: Elasticsearch, module_alias: str) -> Make:
    def make(documents: list[Document]) -> Retriever:
        index = f"{module_alias}-1"
        create_index(elastic, index, index_body(Bm25(), Analysis()))
        sampled = Sampled(documents)
        load_documents(elastic, index, sampled)
        seal_index(elastic, index)
        count = len(documents)
        verify_index(elastic, index, documents=count, bm25=Bm25(), samples=sampled.samples)
        return ElasticRetriever(elastic, index, searches_per_request=3)

    return make


@pytest.fixture(scope="module")
def in_memory(elastic: Elasticsearch, module_alias: str) -> Make:
    def make(documents: list[Document]) -> Retriever:
        index = f"{module_alias}-2"
        create_index(elastic, index, index_body(Bm25(), Analysis()))
        memory = memory_index(documents, server_analyzer(elastic, index, TITLE_ANALYZER))
        return MemoryRetriever(memory, Bm25(), server_analyzer(elastic, index))

    return make


@pytest.fixture(scope="module", params=["on_elasticsearch", "in_memory"])
def retriever(request: pytest.FixtureRequest) -> Retriever:
    made: Retriever = request.getfixturevalue(request.param)(DOCUMENTS)
    return made


def search_one(retriever: Retriever, text: str, depth: int = 10) -> SearchResult:
    (result,) = retriever.search([text], depth)
    return result


def test_no_texts_no_results(retriever: Retriever) -> None:
    assert retriever.search([], 10) == []


def test_equal_scores_are_ordered_by_the_bytes_of_the_item_id(retriever: Retriever) -> None:
    result = search_one(retriever, "amber")
    assert list(result.item_nos) == AMBER
    assert len(set(result.scores)) == 1
    assert result.scores[0] > 0


def test_an_inactive_item_is_not_found_and_does_not_use_up_the_depth(retriever: Retriever) -> None:
    assert search_one(retriever, "lantern").item_nos == ()
    assert list(search_one(retriever, "amber lantern", 4).item_nos) == AMBER


def test_more_and_rarer_words_score_higher(retriever: Retriever) -> None:
    result = search_one(retriever, "amber scarf wool")
    assert list(result.item_nos[:2]) == [NUMBER["a1"], NUMBER["a2"]]
    assert list(result.item_nos[2:]) == AMBER
    assert list(result.scores) == sorted(result.scores, reverse=True)
    assert len(result.scores) == len(result.item_nos)


def test_one_word_is_enough_and_case_does_not_matter(retriever: Retriever) -> None:
    assert search_one(retriever, "SCARF nothing matches this").item_nos == (NUMBER["a1"],)


def test_results_keep_the_order_of_the_texts_and_repeat_for_equal_ones(
    retriever: Retriever,
) -> None:
    texts = ["scarf", "amber", "nothing", "scarf", "vase", "wool", "jar"]
    together = retriever.search(texts, 10)
    assert together == [search_one(retriever, text) for text in texts]
    assert together[0] == together[3]


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5, 10_000])
def test_a_smaller_depth_is_the_beginning_of_a_larger_one(retriever: Retriever, depth: int) -> None:
    result = search_one(retriever, "amber", depth)
    assert list(result.item_nos) == AMBER[:depth]
    # With exactly ``depth`` hits, it is not known whether there are more.
    assert result.exhausted == (depth > len(AMBER))


def test_a_text_without_a_word_is_told_from_one_that_finds_nothing(retriever: Retriever) -> None:
    texts = ["", "   ", "?!, -- ()", "nothing", "lantern", "amber"]
    results = retriever.search(texts, 10)
    assert [result.is_empty_query for result in results] == [True] * 3 + [False] * 3
    assert [bool(result.item_nos) for result in results] == [False] * 5 + [True]
    assert all(result.exhausted for result in results)


@pytest.mark.parametrize(
    "text", ["C++/CLI: (AND)", "cli AND", 'title:"cli" OR *:*', "cli~2 && [a TO b]", "cli \\ ^"]
)
def test_operators_are_plain_text(retriever: Retriever, text: str) -> None:
    assert search_one(retriever, text).item_nos == (NUMBER["z1"],)


def test_a_long_text_is_cut_at_64_words(retriever: Retriever) -> None:
    filler = [f"filler{n:04}" for n in range(63)]
    assert search_one(retriever, " ".join([*filler, "vase", "scarf"])).item_nos == (NUMBER["b9"],)


def test_texts_of_very_many_terms_are_answered(retriever: Retriever) -> None:
    letters = [f"{chr(97 + n % 26)}{n}" for n in range(300)]
    for text in ("/".join(letters), "日本" * 500, " ".join("abcdefgh" * 100)):
        assert not search_one(retriever, text).is_empty_query


def test_the_same_search_gives_the_same_answer(retriever: Retriever) -> None:
    assert search_one(retriever, "amber glass") == search_one(retriever, "amber glass")


@pytest.mark.parametrize("depth", [0, 10_001])
def test_a_depth_out_of_range_is_refused(retriever: Retriever, depth: int) -> None:
    with pytest.raises(UsageError):
        retriever.search(["amber"], depth)
