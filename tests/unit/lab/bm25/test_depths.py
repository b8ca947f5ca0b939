"""A search must be deep enough for the merge, and depths few enough for users to share them."""

from gpt4rec_es.lab.bm25.depths import by_depth
from gpt4rec_es.retrieval.body import MAX_DEPTH


def test_users_who_bought_much_are_searched_deeper() -> None:
    bought = [range(250), (0,), range(11), range(12), (4,) * 99]
    assert by_depth(bought, 5) == {16: [1, 2, 4], 32: [3], 256: [0]}


def test_nobody_is_searched_deeper_than_the_server_allows() -> None:
    assert by_depth([range(3 * MAX_DEPTH)], 5) == {MAX_DEPTH: [0]}
