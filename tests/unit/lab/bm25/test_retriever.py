"""The grid compared with scoring every title at every point, and the rules of a retriever."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.bm25.arithmetic import rounded_lengths
from gpt4rec_es.lab.bm25.grid import MemoryGrid
from gpt4rec_es.lab.bm25.index import MemoryIndex, TokenizedTitle
from gpt4rec_es.lab.bm25.retriever import MemoryRetriever
from gpt4rec_es.records import Bm25, SearchResult

POINTS = [Bm25(k1, b) for k1 in (0.0, 0.4, 1.2, 3.0, 60.0) for b in (0.0, 0.5, 0.75, 1.0)]
Hits = list[tuple[int, float]]

words = st.sampled_from("abcdefgh")
titles = st.lists(
    st.builds(
        lambda tokens, repeats, active: (tokens * repeats, active),
        st.lists(words, max_size=12),
        st.sampled_from([1, 1, 1, 4]),
        st.sampled_from([True, True, True, False]),
    ),
    min_size=1,
    max_size=25,
)
queries = st.lists(st.lists(st.sampled_from("abcdefgh?"), max_size=6), max_size=4)


def make_titles(rows: Sequence[tuple[list[str], bool]]) -> list[TokenizedTitle]:
    """Return titles whose ids descend as numbers ascend, to distinguish both orders."""
    return [
        TokenizedTitle(f"id{99 - n:02d}", 1000 + n, tokens, is_active)
        for n, (tokens, is_active) in enumerate(rows)
    ]


def score_by_formula(catalog: Sequence[TokenizedTitle], query: Sequence[str], point: Bm25) -> Hits:
    """Score every title by Lucene's formula, one operation at a time."""
    f = np.float32
    filled = [title for title in catalog if title.tokens]
    mean = f(sum(len(title.tokens) for title in filled) / len(filled))
    k1, b = f(point.k1), f(point.b)
    frequency = {token: sum(token in title.tokens for title in filled) for token in query}
    found = []
    for title in catalog:
        length = f(rounded_lengths(np.array([len(title.tokens)]))[0])
        norm = k1 * ((f(1) - b) + b * length / mean)
        total = 0.0
        for token, boost in Counter(query).items():
            times = title.tokens.count(token)
            n = frequency[token]
            idf = f(np.log(1 + (len(filled) - n + 0.5) / (n + 0.5)))
            weight = (f(boost) * (f(1) + k1)) * idf
            if times:
                inverse = f(1) / norm if norm else f(np.inf)
                total += float(weight - weight / (f(1) + f(times) * inverse))
        if title.is_active and any(token in title.tokens for token in query):
            found.append((-float(f(total)), title.item_id, title.item_no))
    return [(item_no, -score) for score, _, item_no in sorted(found)]


@settings(max_examples=200)
@given(titles, queries, st.integers(1, 12), st.integers(1, 5))
def test_every_point_gives_what_scoring_everything_gives(
    rows: list[tuple[list[str], bool]], asked: list[list[str]], depth: int, block: int
) -> None:
    catalog = make_titles(rows)
    if not any(title.tokens for title in catalog):
        return
    seen = 0
    for hits in MemoryGrid(MemoryIndex(catalog, block=block), POINTS, depth).search(asked):
        assert hits.first == seen
        seen += hits.item_nos.shape[1]
        for place, point in enumerate(POINTS):
            for number in range(hits.item_nos.shape[1]):
                found = [
                    (int(item_no), float(score))
                    for item_no, score in zip(
                        hits.item_nos[place, number], hits.scores[place, number], strict=True
                    )
                    if item_no >= 0
                ]
                expected = score_by_formula(catalog, asked[hits.first + number], point)[:depth]
                assert found == expected
    assert seen == len(asked)


def big_catalog() -> list[TokenizedTitle]:
    """Return more titles than a block holds, of many lengths, with skewed word frequencies."""
    chance = np.random.default_rng(5)
    return [
        TokenizedTitle(f"{n * 7919 % 3001:04d}", n, [f"w{w}" for w in chance.zipf(1.3, size) % 400])
        for n, size in enumerate(chance.integers(1, 9, 2900).tolist() + list(range(9, 109)))
    ]


def test_pruning_loses_nothing_in_a_big_catalog() -> None:
    catalog = big_catalog()
    asked = [list(catalog[n].tokens)[:9] for n in range(0, 3000, 500)]
    points = [Bm25(), Bm25(0.1, 1.0), Bm25(3.0, 0.2)]
    hits = next(MemoryGrid(MemoryIndex(catalog), points, 10).search(asked))
    for place, point in enumerate(points):
        for number, query in enumerate(asked):
            expected = score_by_formula(catalog, query, point)[:10]
            assert hits.item_nos[place, number].tolist() == [item for item, _ in expected]
            assert hits.scores[place, number].tolist() == [score for _, score in expected]


def test_many_queries_come_in_order_over_several_steps() -> None:
    catalog = big_catalog()
    asked = [list(catalog[n % 3000].tokens) for n in range(700)]
    grid = MemoryGrid(MemoryIndex(catalog), [Bm25()], 1)
    steps = list(grid.search(asked))
    assert len(steps) > 1
    assert [hits.first for hits in steps] == [
        sum(hits.item_nos.shape[1] for hits in steps[:n]) for n in range(len(steps))
    ]
    last = len(asked) - 1
    assert (
        steps[-1].item_nos[0, -1, 0]
        == next(iter(score_by_formula(catalog, asked[last], Bm25())))[0]
    )


def test_lengths_are_exact_up_to_40_and_rounded_down_beyond() -> None:
    asked = np.array([0, 1, 23, 24, 39, 40, 41, 42, 55, 56, 57, 1000])
    assert rounded_lengths(asked).tolist() == [0, 1, 23, 24, 39, 40, 40, 42, 54, 56, 56, 984]


def retriever() -> MemoryRetriever:
    rows = [(["red", "candle"], True), (["blue", "candle"], True), (["red", "red", "tin"], True)]
    return MemoryRetriever(
        MemoryIndex(make_titles(rows)), Bm25(), lambda texts: [text.split() for text in texts]
    )


def test_a_retriever_says_what_a_search_found() -> None:
    nothing, empty, both, cut = retriever().search(["green", "", "candle", "red candle"], 2)
    assert nothing == SearchResult((), (), exhausted=True)
    assert empty == SearchResult((), (), exhausted=True, is_empty_query=True)
    # Equal scores: the id of the second title sorts first.
    assert both.item_nos == (1001, 1000)
    assert both.scores[0] == both.scores[1]
    assert not both.exhausted
    assert cut.item_nos[0] == 1000
    assert retriever().search(["candle"], 3)[0].exhausted


def test_only_the_first_words_of_long_texts_count() -> None:
    assert retriever().search(["x " * 64 + "candle"], 5)[0].item_nos == ()


def test_wrong_use_is_refused() -> None:
    with pytest.raises(UsageError, match="depth"):
        retriever().search(["candle"], 0)
    with pytest.raises(UsageError, match="at least one"):
        MemoryGrid(MemoryIndex(make_titles([(["a"], True)])), [], 5)
    with pytest.raises(UsageError, match="No title has a token"):
        MemoryIndex(make_titles([([], True)]))
