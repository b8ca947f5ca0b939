import pytest

from gpt4rec_es.options.source_weights import parse_sources


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("queries", (("queries", 1.0),)),
        ("co_purchase", (("co_purchase", 1.0),)),
        (" queries : 0.3, co_purchase:.7 ", (("queries", 0.3), ("co_purchase", 0.7))),
        ("history_titles,queries:0", (("history_titles", 1.0), ("queries", 0.0))),
    ],
)
def test_sources_are_names_with_weights(text: str, pairs: object) -> None:
    assert parse_sources(text) == pairs


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("queries,queries", "each only once"),
        ("queries,clicks", "must be of co_purchase, history_titles, queries"),
        ("queries:much", "sources with weights"),
        ("queries:-1,history_titles:2", "weights must be"),
        ("queries:0", "weights must be"),
        ("queries:nan", "weights must be"),
        ("queries:inf", "weights must be"),
    ],
)
def test_wrong_sources_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_sources(text)
