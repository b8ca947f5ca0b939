import numpy as np
import pytest

from gpt4rec_es.lab.evaluation import union
from gpt4rec_es.metrics.lists import NOTHING


@pytest.mark.parametrize("pairs", [1, 40, 50_000_000])
def test_lists_are_joined_by_blocks_of_users_with_no_item_twice(
    monkeypatch: pytest.MonkeyPatch, pairs: int
) -> None:
    monkeypatch.setattr(union, "_PAIRS", pairs)
    first = np.array([[1, 2], [3, NOTHING], [5, 6]])
    second = np.array([[2, 7], [3, 4], [6, 5]])
    third = np.array([[7], [8], [9]])
    assert union._merged([first, second, third]).tolist() == [
        [1, 2, NOTHING, 7, NOTHING],
        [3, NOTHING, NOTHING, 4, 8],
        [5, 6, NOTHING, NOTHING, 9],
    ]
