import pytest

from gpt4rec_es.errors import UsageError
from gpt4rec_es.options.lists import SearchOptions
from gpt4rec_es.options.recipe import Recipe
from gpt4rec_es.options.recipe_document import read_document


def test_an_encoder_is_part_of_a_search_only_if_there_is_one() -> None:
    assert SearchOptions().as_dict() == {}
    options = SearchOptions(encoder="abc")
    assert options.as_dict() == {"encoder": "abc"}
    assert SearchOptions.from_dict(options.as_dict()) == options


def test_vectors_have_no_terms_of_which_a_title_must_have_some() -> None:
    assert SearchOptions("1", encoder="abc") == SearchOptions(encoder="abc")
    with pytest.raises(UsageError, match="vectors have no terms"):
        SearchOptions("2", encoder="abc")


def test_a_recipe_names_no_content_hash() -> None:
    document = Recipe(search=SearchOptions(encoder="abc")).as_document()
    assert document["search"] == {"minimum_should_match": None}
    document["search"]["encoder"] = "abc"
    with pytest.raises(UsageError, match="unknown entry 'encoder'"):
        read_document(document)
