import numpy as np
import pytest

from gpt4rec_es.errors import UsageError
from gpt4rec_es.metrics.lists import as_lists, is_empty, list_length


def test_short_lists_are_padded() -> None:
    lists = as_lists([[5, 3], [], [1, 2, 0]], 3)
    assert lists.tolist() == [[5, 3, -1], [-1, -1, -1], [1, 2, 0]]
    assert list_length(lists).tolist() == [2, 0, 3]
    assert is_empty(lists).tolist() == [0, 1, 0]
    assert np.mean(is_empty(lists)) == pytest.approx(1 / 3)


def test_no_users_is_an_array_too() -> None:
    assert as_lists([], 4).shape == (0, 4)


def test_lists_made_for_another_k_or_with_doubles_are_refused() -> None:
    with pytest.raises(UsageError, match="4 items, more than 3"):
        as_lists([[1, 2, 3, 4]], 3)
    with pytest.raises(UsageError, match="List 1 holds an item twice"):
        as_lists([[1, 2], [3, 3]], 2)
    with pytest.raises(UsageError, match="k is 0"):
        as_lists([], 0)
