import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt4rec_es.prompts.examples import target_positions, windows


@pytest.mark.parametrize(
    ("n_titles", "last", "every", "two_newest"),
    [
        (0, [], [], []),
        (1, [], [], []),
        (2, [1], [1], [1]),
        (5, [4], [1, 2, 3, 4], [3, 4]),
    ],
)
def test_target_positions(
    n_titles: int, last: list[int], every: list[int], two_newest: list[int]
) -> None:
    assert list(target_positions(n_titles, "last")) == last
    assert list(target_positions(n_titles, "every-prefix")) == every
    assert list(target_positions(n_titles, "every-prefix", 2)) == two_newest


def test_windows_by_hand() -> None:
    assert windows([2, 2, 2, 2, 2], room=4, max_titles=15) == [(0, 2), (3, 4)]
    assert windows([1] * 5, room=100, max_titles=2) == [(0, 2), (3, 4)]
    assert windows([9, 1], room=4, max_titles=15) == [(0, 0), (1, 1)]
    assert windows([], room=4, max_titles=15) == []


@given(st.lists(st.integers(1, 9), max_size=60), st.integers(1, 30), st.integers(1, 15))
def test_windows_hold_every_title_once_within_the_limits(
    counts: list[int], room: int, max_titles: int
) -> None:
    found = windows(counts, room, max_titles)
    assert [n for first, target in found for n in range(first, target + 1)] == list(
        range(len(counts))
    )
    assert all(sum(counts[first:target]) <= room for first, target in found)
    assert all(target - first <= max_titles for first, target in found)
