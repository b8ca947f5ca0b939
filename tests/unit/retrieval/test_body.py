import orjson
import pytest

from gpt4rec_es.errors import UsageError
from gpt4rec_es.retrieval.body import Template, has_no_term_body, search_body


@pytest.mark.parametrize(
    "text", ["red dress", 'a "b" \\ c', "MARK", "é 日本 👜", "a AND (b OR c)/*"]
)
def test_a_filled_template_is_the_encoded_body(text: str) -> None:
    header, body, rest = Template.search(50).fill(text).split(b"\n")
    assert rest == b""
    assert orjson.loads(header) == {
        "allow_partial_search_results": False,
        # One copy of the index answers them all, so that copies cannot differ.
        "preference": "gpt4rec",
    }
    assert orjson.loads(body) == search_body(text, 50)
    _, check, _ = Template.has_no_term().fill(text).split(b"\n")
    assert orjson.loads(check) == has_no_term_body(text)


def test_a_search_is_a_match_of_titles_sorted_by_score_then_id() -> None:
    body = search_body("red dress", 20)
    assert body["query"]["bool"]["must"] == [{"match": {"title": {"query": "red dress"}}}]
    assert body["sort"] == [{"_score": "desc"}, {"item_id": "asc"}, {"item_no": "asc"}]
    assert body["size"] == 20


def test_what_is_not_unicode_is_named() -> None:
    with pytest.raises(UsageError, match="not valid Unicode"):
        Template.search(1).fill("\udcff")
