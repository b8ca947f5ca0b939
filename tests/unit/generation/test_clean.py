import random

import pytest

from gpt4rec_es.generation.clean import clean_query, collapse, score_query, search_tokens
from gpt4rec_es.records import Decoding, GeneratedQuery


def query(text: str, score: float, n_tokens: int = 1) -> GeneratedQuery:
    return GeneratedQuery(text, score * n_tokens, n_tokens)


def texts(*queries: GeneratedQuery, m: int = 10, dedup_jaccard: float = 0.8) -> list[str]:
    decoding = Decoding(num_queries=m, num_beams=max(m, 20), query_dedup_jaccard=dedup_jaccard)
    return [kept.text for kept in collapse(queries, decoding)]


@pytest.mark.parametrize(
    ("decoded", "cleaned"),
    [(" red  candle\n", "red candle"), ("half \ufffd", "half"), ("\ufffd", ""), ("a\x00b", "a b")],
)
def test_clean_query(decoded: str, cleaned: str) -> None:
    assert clean_query(decoded) == cleaned


def test_search_tokens_are_letters_and_digits_folded() -> None:
    assert search_tokens("RED T-Light_12 STRASSE/Straße") == (
        *("red", "t", "light", "12", "strasse", "strasse"),
    )


def test_ranked_by_mean_not_by_sum() -> None:
    long = GeneratedQuery("red vintage candle", -3.0, 6)
    short = GeneratedQuery("teapot", -1.0, 1)
    assert texts(short, long) == ["red vintage candle", "teapot"]


@pytest.mark.parametrize(
    ("length_penalty", "first"),
    [(1.0, "red vintage candle"), (0.7, "red vintage candle"), (0.5, "teapot"), (0.0, "teapot")],
)
def test_the_length_penalty_orders_the_queries(length_penalty: float, first: str) -> None:
    # -3 / 6^p against -1: equal at p = log(3) / log(6) = 0.613.
    long = GeneratedQuery("red vintage candle", -3.0, 6)
    short = GeneratedQuery("teapot", -1.0, 1)
    decoding = Decoding(length_penalty=length_penalty)
    assert collapse((long, short), decoding)[0].text == first
    assert collapse((short, long), decoding)[0].text == first


def test_by_default_the_score_is_the_mean_to_the_last_bit() -> None:
    for n_tokens in range(1, 60):
        one = GeneratedQuery("a", -0.1 * n_tokens**1.3, n_tokens)
        assert score_query(one, Decoding()) == one.beam_score
    assert score_query(GeneratedQuery("", -2.5, 0), Decoding()) == -2.5


def test_equal_scores_are_ordered_by_the_bytes_of_the_text() -> None:
    assert texts(query("b", -1), query("é", -1), query("a", -1), query("Z", -1)) == [
        *("Z", "a", "b", "é"),
    ]


def test_equal_tokens_collapse_to_the_better_one() -> None:
    assert texts(query("Red, Candle", -2), query("red candle!", -1), dedup_jaccard=1.0) == [
        "red candle!"
    ]


def test_similar_token_sets_collapse_at_the_threshold() -> None:
    better, four_of_five, three_of_four = (
        query("a b c d", -1),
        query("a b c d e", -2),
        query("a b c", -3),
    )
    assert texts(better, four_of_five, three_of_four) == ["a b c d", "a b c"]
    assert texts(better, four_of_five, three_of_four, dedup_jaccard=0.75) == ["a b c d"]


def test_a_dropped_query_drops_no_other_query() -> None:
    # "c" is similar to "b" only, which itself is gone.
    a, b, c = query("1 2 3 4", -1), query("1 2 3 4 5", -2), query("1 2 3 4 5 6", -3)
    assert texts(a, b, c) == ["1 2 3 4", "1 2 3 4 5 6"]


def test_spare_beams_fill_up_and_the_rest_goes() -> None:
    queries = [query(f"word{n}", -n) for n in range(1, 9)]
    assert texts(*queries, m=3) == ["word1", "word2", "word3"]
    assert texts(queries[0], query("WORD1", -1.5), *queries[1:], m=3) == [
        *("word1", "word2", "word3"),
    ]


def test_empty_and_tokenless_queries_go_but_one_stays() -> None:
    assert texts(query("", -1), query("!!!", -2), query("red", -3)) == ["red"]
    assert texts(query("", -1), query("!!!", -2), query("??", -3)) == ["!!!"]
    assert texts(query("", -1)) == []
    assert texts() == []


def test_the_order_of_beams_does_not_matter() -> None:
    queries = [
        query(f"{a} {b} {c}", -(a + b + c) / 3) for a in (1, 2) for b in (3, 4) for c in (5,)
    ]
    expected = texts(*queries)
    for seed in range(5):
        random.Random(seed).shuffle(queries)
        assert texts(*queries) == expected
