from hypothesis import given
from hypothesis import strategies as st

from gpt4rec_es.encoders.batches import plan_batches


def test_batches_by_hand() -> None:
    # 2 beams: lengths 9, 8 cost 36 places together, 5, 5, 4 cost 30.
    assert plan_batches([5, 9, 5, 4, 8], beams=2, token_budget=36) == [[1, 4], [0, 2, 3]]


def test_one_that_exceeds_the_budget_is_alone() -> None:
    assert plan_batches([50, 2, 60], beams=4, token_budget=100) == [[2], [0], [1]]


def test_nothing() -> None:
    assert plan_batches([], beams=4, token_budget=100) == []


@given(st.lists(st.integers(0, 40), max_size=60), st.integers(1, 8), st.integers(1, 500))
def test_everyone_once_within_the_budget(lengths: list[int], beams: int, budget: int) -> None:
    batches = plan_batches(lengths, beams, budget)
    assert sorted(place for batch in batches for place in batch) == list(range(len(lengths)))
    flat = [lengths[place] for batch in batches for place in batch]
    assert flat == sorted(flat, reverse=True)
    for batch in batches:
        assert len(batch) == 1 or lengths[batch[0]] * len(batch) * beams <= budget
