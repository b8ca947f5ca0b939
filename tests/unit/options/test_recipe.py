import copy
import json
from dataclasses import replace
from typing import Any

import pytest

from gpt4rec_es.errors import UsageError
from gpt4rec_es.options.lists import Fusion, PairCounting, QueryFilters, SearchOptions
from gpt4rec_es.options.recipe import (
    NamedRecipe,
    Recipe,
    differences,
    with_vectors,
    without_reranker,
    without_vectors,
)
from gpt4rec_es.options.recipe_document import parse_document, read_document
from gpt4rec_es.recipes.shipped import SHIPPED, shipped
from gpt4rec_es.records import Decoding

OTHER = Recipe(
    Decoding(num_queries=3, num_beams=4, length_penalty=0),
    prompt_titles=2,
    filters=QueryFilters(refuse_repetition=False, max_unknown_fraction=0.5),
    search=SearchOptions("75%"),
    fusion=Fusion(
        (("co_purchase", 1), ("queries", 0.5)), query_decay=0.9, pairs=PairCounting(decay=0.5)
    ),
)
BY_VECTORS = Recipe(fusion=Fusion((("query_vectors", 1.0),)), encoder="words")


def document_with(place: str, value: Any) -> dict[str, Any]:
    """Return the document of the defaults with one entry changed; ``...`` deletes it."""
    document = json.loads(json.dumps(Recipe().as_document()))
    entry = document
    *above, last = place.split(".")
    for name in above:
        entry = entry[name]
    if value is ...:
        del entry[last]
    else:
        entry[last] = value
    return document


@pytest.mark.parametrize(
    "recipe", [Recipe(), OTHER, BY_VECTORS, *(shipped(name).recipe for name in SHIPPED)]
)
def test_a_document_is_read_as_it_was_written(recipe: Recipe) -> None:
    text = json.dumps(recipe.as_document())
    again = parse_document(text, "it")
    assert again == recipe
    assert again.content_hash == recipe.content_hash


def test_the_hash_depends_on_content_only() -> None:
    assert len({one.content_hash for one in (Recipe(), OTHER)}) == 2
    whole = replace(
        OTHER, fusion=replace(OTHER.fusion, weights=(("co_purchase", 1.0), ("queries", 0.5)))
    )
    assert whole.content_hash == OTHER.content_hash
    reordered = dict(reversed(list(OTHER.as_document().items())))
    assert read_document(reordered).content_hash == OTHER.content_hash


def test_missing_entries_of_a_section_have_defaults() -> None:
    document = {
        "format": 1,
        "decoding": {},
        "prompt_titles": None,
        "filters": {},
        "search": {},
        "fusion": {"weights": [["queries", 1]], "pairs": {"decay": 0.5}},
    }
    found = read_document(document)
    assert found == Recipe(fusion=Fusion(pairs=PairCounting(decay=0.5)))


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("format", 2, r"has format 2; this version knows formats up to 1\. Upgrade"),
        ("format", "1", "has no format"),
        ("format", ..., "has no format"),
        ("fusion", ..., "has no fusion"),
        ("prompt_titles", ..., "has no prompt_titles"),
        ("prompt_titles", 0, "prompt_titles is 0: it should be .*greater than or equal to 1"),
        ("prompt_titles", "3", 'prompt_titles is "3": it should be a valid integer'),
        ("k", 10, r"unknown entry 'k'\. Known: format, prompt_titles, decoding"),
        ("decoding", [], "decoding is no JSON object"),
        ("fusion.coefficients", [1, 2], r"fusion.coefficients is \[1, 2\]: it should be an object"),
        ("fusion.coefficients", {"co_recent": "1"}, 'co_recent is "1": a number is needed'),
        ("fusion.coefficients", {"co_recent": True}, "co_recent is true: a number is needed"),
        ("fusion.coefficients", {"co_recent": None}, "co_recent is null: a number is needed"),
        ("fusion.coefficients", {"co_recent": 10**400}, "fusion cannot be read"),
        ("fusion.weights", {"queries": 1}, "it should be a valid array"),
        ("fusion.weights", [["queries", 1e300]], "A source's weight is wrong"),
        ("decoding.dtype", "x" * 100_000, r"x\.\.\.: it should be"),
        ("decoding.beams", 4, "decoding has an unknown entry 'beams'. Known: num_queries"),
        ("decoding.num_beams", True, "decoding.num_beams is true: it should be a valid integer"),
        ("decoding.num_beams", 5, "decoding: num_beams is 5: must be at least num_queries"),
        ("decoding.max_new_tokens", 1, "decoding.max_new_tokens is 1: it should be greater"),
        (
            "decoding.query_dedup_jaccard",
            0,
            "query_dedup_jaccard is 0: it should be greater than 0",
        ),
        ("decoding.length_penalty", float("nan"), "length_penalty is NaN"),
        ("decoding.dtype", "int8", "dtype is \"int8\": it should be 'fp32', 'fp16' or 'bf16'"),
        ("filters.phrases", [], "filters has an unknown entry 'phrases'"),
        (
            "filters.refuse_repetition",
            "yes",
            'refuse_repetition is "yes": it should be a valid bool',
        ),
        ("filters.max_unknown_fraction", 2, "max_unknown_fraction is 2: it should be less than"),
        ("search.minimum_should_match", "x", "search: minimum_should_match is 'x'"),
        (
            "search.minimum_should_match",
            2,
            "minimum_should_match is 2: it should be a valid string",
        ),
        ("search.fields", [["brand", 1]], r"search.fields is \[.*: it should be an object"),
        ("search.fields", {"brand": "1"}, 'search.fields.brand is "1": a number is needed'),
        ("search.fields", {"title": 1}, "search: 'title' is no field"),
        ("search.fields", {"brand": -1}, "search: The weight of a field is wrong"),
        ("fusion.weights", ..., "fusion has no weights"),
        ("fusion.weights", 5, "fusion.weights is 5"),
        ("fusion.weights", [["clicks", 1]], "fusion: The sources are clicks. Name each once"),
        ("fusion.weights", [["queries", 0]], "fusion: A source's weight is wrong"),
        ("fusion.weights", [["queries", -1]], "fusion: A source's weight is wrong"),
        ("fusion.weights", [], "fusion: A source's weight is wrong"),
        ("fusion.weights", [["queries", "1"]], "fusion.weights is .*: it should be a valid number"),
        ("fusion.method", "luck", "fusion.method is \"luck\": it should be 'scores'"),
        ("fusion.candidates", 0, "fusion.candidates is 0: it should be greater"),
        ("fusion.candidates", [1], "fusion.candidates is .*: it should be a valid integer"),
        ("fusion.pairs", 1, "fusion.pairs is 1"),
        ("fusion.pairs.age", 1, "fusion.pairs has an unknown entry 'age'"),
        ("fusion.pairs.decay", 0, "fusion.pairs.decay is 0: it should be greater than 0"),
    ],
)
def test_each_fault_is_one_error_that_names_its_place(place: str, value: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        read_document(document_with(place, value), "It")
    assert caught.value.message.startswith("It")
    assert caught.value.hint
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "It is no JSON"),
        ("[]", "It is no JSON object"),
        ('{"format": 1, "format": 1}', "It is no JSON: 'format' is there twice"),
    ],
)
def test_text_that_is_no_document(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_document(text, "It")


def test_a_recipe_holds_no_phrases() -> None:
    with pytest.raises(UsageError, match="GPT4REC_FORBIDDEN_PHRASES_FILE"):
        Recipe(filters=QueryFilters(phrases=("x",)))


def test_differences_are_entries_by_dotted_name() -> None:
    changed = replace(OTHER, fusion=replace(OTHER.fusion, pairs=PairCounting(decay=0.6)))
    assert differences(OTHER, OTHER) == {}
    assert differences(OTHER, changed) == {"fusion.pairs.decay": [0.5, 0.6]}


def test_what_sources_need() -> None:
    def with_weights(*weights: tuple[str, float]) -> Recipe:
        return Recipe(fusion=Fusion(weights))

    assert Recipe().needs_generator
    both = with_weights(("queries", 0.5), ("co_purchase", 1))
    assert (both.writes_queries, both.needs_generator) == (True, False)
    for weights in ([("co_purchase", 1)], [("queries", 0), ("co_purchase", 1)]):
        none = with_weights(*weights)
        assert (none.writes_queries, none.needs_generator) == (False, False)
        assert none.sources == {"co_purchase": 1}


def test_a_changed_recipe_says_so() -> None:
    named = NamedRecipe("mine", OTHER)
    assert named.changed(search=None) is named
    assert named.changed(search=OTHER.search) is named
    changed = named.changed(search=SearchOptions())
    assert changed.as_dict() == {
        "name": "mine",
        "hash": replace(OTHER, search=SearchOptions()).content_hash,
        "is_changed": True,
    }
    assert named.as_dict() == {"name": "mine", "hash": OTHER.content_hash}


def test_the_paper_has_queries_alone_and_no_filters() -> None:
    paper = shipped("paper").recipe
    assert paper.fusion.is_plain
    assert not paper.filters.is_on
    assert paper.search == SearchOptions()
    assert (paper.decoding.num_queries, paper.decoding.query_dedup_jaccard) == (10, 1.0)


def test_the_default_works_without_a_generator() -> None:
    assert not shipped("default").recipe.needs_generator
    assert copy.deepcopy(shipped("default")) == shipped("default")


def test_files_of_other_editors_and_of_attackers() -> None:
    document = json.dumps(OTHER.as_document())
    assert parse_document("\ufeff" + document, "it") == OTHER
    for text in ("[" * 100_000, '{"a":' * 3_000):
        with pytest.raises(UsageError, match=r"nested too deeply|is no JSON"):
            parse_document(text, "it")


RERANKED = Recipe(
    fusion=Fusion(
        (("co_purchase", 1.0),), method="learned", coefficients=(("co_recent", 1), ("rerank", 0.3))
    ),
    reranker="fields",
)


def test_a_recipe_names_its_re_ranker() -> None:
    assert parse_document(json.dumps(RERANKED.as_document()), "it") == RERANKED
    assert "reranker" not in OTHER.as_document()  # hashes of recipes without one stay
    assert differences(RERANKED, replace(RERANKED, reranker="other")) == {
        "reranker": ["fields", "other"]
    }


@pytest.mark.parametrize("changed", [{"reranker": None}, {"fusion": Fusion()}])
def test_a_re_ranker_is_named_and_counts_or_neither(changed: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="re-ranker"):
        replace(RERANKED, **changed)
    document = {**RERANKED.as_document(), "reranker": 3}
    with pytest.raises(UsageError, match="reranker is 3"):
        read_document(document)


def test_other_weights_drop_the_re_ranker() -> None:
    named = NamedRecipe("it", RERANKED).changed(fusion=Fusion())
    assert named.recipe.reranker is None
    assert named.is_changed


def test_a_recipe_without_its_re_ranker_keeps_the_other_coefficients() -> None:
    plain = without_reranker(RERANKED)
    assert plain.reranker is None
    assert plain.fusion.coefficients == (("co_recent", 1),)
    assert without_reranker(plain) == plain
    alone = replace(RERANKED, fusion=replace(RERANKED.fusion, coefficients=(("rerank", 1),)))
    with pytest.raises(UsageError, match="0 coefficients"):
        without_reranker(alone)


def test_fields_are_in_the_document_and_its_hash_only_if_there_are_some() -> None:
    plain, with_brand = Recipe(), Recipe(search=SearchOptions(None, (("brand", 1.0),)))
    assert plain.as_document()["search"] == {"minimum_should_match": None}
    document = with_brand.as_document()
    assert document["search"] == {"minimum_should_match": None, "fields": {"brand": 1.0}}
    assert read_document(json.loads(json.dumps(document))) == with_brand
    assert with_brand.content_hash != plain.content_hash
    assert differences(plain, with_brand) == {"search.fields.brand": [None, 1.0]}


def test_an_encoder_is_named_where_vectors_are_searched() -> None:
    assert BY_VECTORS.writes_queries
    assert BY_VECTORS.needs_generator
    assert BY_VECTORS.as_document()["encoder"] == "words"
    assert "encoder" not in Recipe().as_document()
    document = BY_VECTORS.as_document()
    del document["encoder"]
    with pytest.raises(UsageError, match=r"searches by vectors, but names no encoder"):
        read_document(document)
    # Other sources alone drop it.
    named = NamedRecipe("x", BY_VECTORS)
    assert named.changed(fusion=Fusion()).recipe.encoder is None
    both = with_vectors(OTHER, "words")
    assert list(both.sources)[-2:] == ["query_vectors", "title_vectors"]
    assert (
        "query_vectors"
        not in with_vectors(replace(OTHER, fusion=Fusion((("co_purchase", 1.0),))), "words").sources
    )
    assert without_vectors(both) == OTHER


def test_what_is_searched_is_no_entry_of_the_section_search() -> None:
    with pytest.raises(UsageError, match=r"unknown entry 'encoder'"):
        read_document(document_with("search.encoder", "abc"))
    with pytest.raises(UsageError, match=r"vectors have no terms"):
        SearchOptions("2", encoder="abc")
    assert SearchOptions(encoder="abc").as_dict() == {"encoder": "abc"}
