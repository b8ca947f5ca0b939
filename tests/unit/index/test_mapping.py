import pytest

from gpt4rec_es.errors import UsageError
from gpt4rec_es.index.mapping import Analysis, index_body, mapping_hash, synonym_rules
from gpt4rec_es.records import Bm25
from gpt4rec_es.resources import resource_path

RULES = ("tv, television", "usb stick => flash drive")


def test_values_go_to_the_similarity_that_titles_use() -> None:
    body = index_body(Bm25(0.9, 0.4), Analysis(), replicas=1)
    index = body["settings"]["index"]
    assert index["similarity"]["catalog_bm25"] == {"type": "BM25", "k1": 0.9, "b": 0.4}
    assert body["mappings"]["properties"]["title"]["similarity"] == "catalog_bm25"
    assert (index["number_of_shards"], index["number_of_replicas"]) == (1, 1)
    assert body["mappings"]["dynamic"] == "strict"


def test_every_field_of_the_mapping_is_explained() -> None:
    readme = resource_path("mappings", "README.md").read_text("utf-8")
    fields = index_body(Bm25(), Analysis())["mappings"]["properties"]
    assert [name for name in fields if f"`{name}`" not in readme] == []


def test_synonyms_are_applied_to_queries_only_after_lower_casing() -> None:
    analysis = index_body(Bm25(), Analysis("english", RULES))["settings"]["index"]["analysis"]
    assert "catalog_synonyms" not in analysis["analyzer"]["catalog_text"]["filter"]
    assert analysis["analyzer"]["catalog_search"]["filter"] == [
        "english_possessive",
        "lowercase",
        "catalog_synonyms",
        "english_stop",
        "english_stem",
    ]
    assert analysis["filter"]["catalog_synonyms"]["synonyms"] == list(RULES)


def test_a_filter_that_is_not_used_is_not_asked_of_the_server() -> None:
    analysis = index_body(Bm25(), Analysis())["settings"]["index"]["analysis"]
    assert analysis["filter"] == {}


def test_the_hash_follows_analysis_but_not_k1_b() -> None:
    hashes = {
        mapping_hash(Analysis()),
        mapping_hash(Analysis("english")),
        mapping_hash(Analysis("standard", RULES)),
        mapping_hash(Analysis("standard", RULES[:1])),
    }
    assert len(hashes) == 4
    assert mapping_hash(Analysis()) == mapping_hash(Analysis("standard"))


def test_indices_without_descriptions_are_those_that_were_built_before_there_were_any() -> None:
    # Whatever changes this value makes every installation build its index anew.
    assert mapping_hash(Analysis()) == "b3c183e4eb3dcb0e9e97f3ce40d5ce2d"
    assert "description" in index_body(Bm25(), Analysis())["mappings"]["properties"]


def test_an_unknown_analyzer_names_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="Choose one of standard, "):
        index_body(Bm25(), Analysis("klingon"))


def test_rules_of_synonyms_are_lines_with_words_on_each_side() -> None:
    text = "# of sofas\nsofa, couch\n\n  tv => television  \n"
    assert synonym_rules(text) == ("sofa, couch", "tv => television")


@pytest.mark.parametrize("line", ["tv =>", "=> tv", ",,,", "a => b => c", "tv => , "])
def test_a_line_that_erases_words_or_says_nothing_is_no_rule(line: str) -> None:
    with pytest.raises(UsageError, match="Line 2 of the synonyms is no rule"):
        synonym_rules(f"sofa, couch\n{line}\n")
