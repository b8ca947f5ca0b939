import numpy as np

from gpt4rec_es.lab.splits.segments import all_segments, segments
from gpt4rec_es.lab.splits.split import EvalUser

# Ids against the order of numbers.
IDS = {number: f"{99 - number}" for number in range(1, 11)}
# Item 4 is bought most, then 9 and 1; 4 was bought with 2, and 9 by itself.
TRAIN = {1: (4, 2), 2: (4,), 3: (4,), 4: (9,), 5: (9,), 6: (1,)}


def named(eval_users: list[EvalUser]) -> dict[str, list[bool]]:
    return {name: mask.tolist() for name, mask in segments(eval_users, IDS, TRAIN).items()}


def test_segments_by_hand() -> None:
    eval_users = [
        EvalUser(1, (2, 3), (4,), 0.0),
        EvalUser(2, tuple(range(2, 9)), (1, 9), 86_399.0),
        EvalUser(3, (2,) * 20, (1,), 86_400.0),
    ]
    assert named(eval_users) == {
        "history 1-4": [True, False, False],
        "history 5-9": [False, True, False],
        "history 20+": [False, False, True],
        "target in head": [True, False, False],
        "target in tail": [False, False, True],
        "target co-purchased": [True, False, False],
        "target not co-purchased": [False, True, True],
        "target at the same moment": [True, False, False],
        "target within a day": [True, True, False],
        "target later than a day": [False, False, True],
        "last pair ascending": [False, True, True],
        "last pair descending": [True, False, False],
    }


def test_without_times_there_are_no_segments_by_time() -> None:
    names = named([EvalUser(1, (2, 3), (4,))])
    assert not any("moment" in name or "day" in name for name in names)


def test_of_no_cases_there_are_no_segments() -> None:
    assert segments([], IDS, TRAIN) == {}
    assert all(
        mask.dtype == np.bool_ for mask in segments([EvalUser(1, (2,), (3,))], IDS, {}).values()
    )


def test_a_segment_without_users_is_known() -> None:
    one = [EvalUser(1, (2, 3), (4,))]
    every = all_segments(one, IDS, TRAIN)
    assert not every["history 20+"].any()
    kept = segments(one, IDS, TRAIN)
    assert set(kept) < set(every)
    assert all(mask.any() for mask in kept.values())
