import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gpt4rec_es.lab.bm25.nearest import NearestTitles


@given(st.integers(1, 40), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_equal_vectors_tie_wherever_they_stand(others: int, equal: int, seed: int) -> None:
    # A product of a matrix adds up its last rows in another order.
    random = np.random.default_rng(seed)
    rows = random.normal(size=(others + 1, 64)).astype(np.float32)
    vectors = rows[[*range(others), *[others] * equal]]
    ids = {number: f"{number:03}" for number in range(len(vectors))}
    found = NearestTitles(ids, vectors, lambda texts: rows[[int(one) for one in texts]])
    for (result,) in (found.search([str(text)], len(ids)) for text in range(others + 1)):
        score = dict(zip(result.item_nos, result.scores, strict=True))
        twins = range(others, len(ids))
        assert len({score[number] for number in twins}) == 1
        assert [number for number in result.item_nos if number in twins] == list(twins)
