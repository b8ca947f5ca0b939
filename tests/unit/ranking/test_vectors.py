"""Fixed-point vectors: exact scores, whatever the order of sums, and vectors of named items."""

import numpy as np
import pytest

from gpt4rec_es.errors import DataError
from gpt4rec_es.ranking.vectors import (
    ItemVectors,
    as_bytes,
    dequantise,
    from_bytes,
    quantise,
    score,
    with_last,
)

ALL = np.ones(3, np.bool_)


def test_values_are_multiples_of_a_unit():
    """The nearest multiple of 2^-10 is stored."""
    values = [0, 1, -0.5, 1 / 1024, 0.4 / 1024, 32767 / 1024, -32]
    assert quantise(values).tolist() == [0, 1024, -512, 1, 0, 32767, -32768]
    assert quantise([]).tolist() == []
    assert quantise(values).dtype == np.int16
    assert dequantise(quantise([1.5, -0.25])).tolist() == [1.5, -0.25]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(value):
    """They would be stored as arbitrary integers."""
    with pytest.raises(DataError, match="not finite"):
        quantise([1.0, value])


@pytest.mark.parametrize("value", [32, 32.5, -99, -32.001])
def test_values_that_do_not_fit_are_refused(value):
    """Clipped, they would rank items by something else than the network, in silence."""
    with pytest.raises(DataError, match=rf"value {value}; .* -32 to 31\.999.*--lr"):
        quantise([1.0, value])


def test_scores_are_sums_of_integers():
    """A score equals the sum of integers, also at the limits, and in whatever order."""
    random = np.random.default_rng(3)
    width = 257
    users = random.integers(-32768, 32768, (3, width)).astype(np.int16)
    items = random.integers(-32768, 32768, (50, width)).astype(np.int16)
    users[0], items[0] = -32768, -32768  # the greatest sum there is
    exact = [
        [sum(int(a) * int(b) for a, b in zip(u, i, strict=True)) for i in items] for u in users
    ]
    assert (score(users, items) * 2**20).tolist() == exact
    order = random.permutation(width)
    assert (score(users[:, order], items[:, order]) == score(users, items)).all()
    assert (score(users[1], items) == score(users, items)[1]).all()


def test_the_bias_is_added():
    """The last component of an item is its bias, that of a user is 1."""
    users = with_last([[0.5, 2.0]], 1)
    items = with_last([[1.0, 1.0], [0.0, 0.0]], [0.25, -3.0])
    assert score(users[0], items).tolist() == [2.75, -3.0]


def test_stored_vectors_are_equal():
    """Bytes and back."""
    vectors = quantise([[1, -2, 3], [0.5, 30, -31]])
    assert (from_bytes([as_bytes(one) for one in vectors], 3) == vectors).all()
    assert from_bytes([], 3).shape == (0, 3)
    with pytest.raises(ValueError, match="3 components"):
        from_bytes([b"1234"], 3)


def test_items_are_found_by_number():
    """Unknown items are marked and have zeros; order and repetition are those of the question."""
    known = ItemVectors(np.array([3, 5, 9]), np.array([[1, 1], [2, 2], [3, 3]], np.int16), ALL)
    vectors, found = known.of([9, 4, 3, 9, 11, 1])
    assert vectors[:, 0].tolist() == [3, 0, 1, 3, 0, 0]
    assert found.tolist() == [True, False, True, True, False, False]
    assert known.of([])[0].shape == (0, 2)
    none = ItemVectors(np.zeros(0, np.int64), np.zeros((0, 2), np.int16), ALL[:0])
    vectors, found = none.of([1, 2])
    assert vectors.shape == (2, 2)
    assert not found.any()
