"""Planted leaks must be found, and clean material must pass."""

from dataclasses import replace

import pytest

from gpt4rec_es.errors import DataError
from gpt4rec_es.splits.histories import History
from gpt4rec_es.splits.leaks import Leak, check_no_leak, check_split, find_leaks
from gpt4rec_es.splits.split import Split, by_users, leave_one_out, next_basket

HISTORIES = [History(user, tuple(range(user, user + 5)), None) for user in range(1, 40)]


def splits() -> list[Split]:
    return [leave_one_out(HISTORIES), by_users(HISTORIES, seed=3)]


@pytest.mark.parametrize("split", splits(), ids=["leave-one-out", "users"])
def test_the_training_part_is_clean(split: Split) -> None:
    check_no_leak(split.train.items(), split)


@pytest.mark.parametrize("split", splits(), ids=["leave-one-out", "users"])
@pytest.mark.parametrize("part", ["validation", "test"])
def test_a_planted_target_is_found(split: Split, part: str) -> None:
    case = getattr(split, part)[2]
    material = dict(split.train)
    material[case.user] = (*split.train.get(case.user, ()), case.targets[0])
    assert find_leaks(material.items(), split) == [Leak(case.user, case.targets[0], part)]
    with pytest.raises(DataError, match=f"1 held-out purchases: item {case.targets[0]} of user"):
        check_no_leak(material.items(), split)


def test_of_a_held_out_user_even_the_history_is_a_leak() -> None:
    split = by_users(HISTORIES, seed=3)
    case = split.test[0]
    assert find_leaks([(case.user, case.history[:1])], split) == [
        Leak(case.user, case.history[0], "test")
    ]


def test_reading_whole_histories_is_found_for_every_user() -> None:
    split = leave_one_out(HISTORIES)
    leaks = find_leaks([(history.user, history.items) for history in HISTORIES], split)
    assert len(leaks) == 2 * len(HISTORIES)
    assert leaks[0] == Leak(1, 4, "validation")
    assert leaks[1] == Leak(1, 5, "test")
    with pytest.raises(DataError, match=r"78 held-out purchases: .* and more"):
        check_no_leak([(history.user, history.items) for history in HISTORIES], split)


def test_what_a_user_had_bought_before_is_no_leak() -> None:
    history = History(1, (7, 8, 7), (1.0, 2.0, 3.0))
    split = next_basket([history, History(2, (1, 2, 3), (1.0, 2.0, 3.0))], only_new=False)
    assert split.test[0].targets == (7,)
    assert find_leaks([(1, (7,))], split) == []


@pytest.mark.parametrize("split", splits(), ids=["leave-one-out", "users"])
def test_a_split_keeps_its_own_parts_apart(split: Split) -> None:
    check_split(split)
    case = split.test[1]
    planted = {**split.train, case.user: (*case.history, *case.targets)}
    with pytest.raises(DataError, match=f"user {case.user}"):
        check_split(replace(split, train=planted))
    looking = replace(case, history=(*case.history, *case.targets))
    with pytest.raises(DataError, match="known beforehand"):
        check_split(replace(split, test=(looking,)))


def test_a_test_before_its_validation_is_found() -> None:
    split = leave_one_out(HISTORIES)
    early = replace(split.test[0], history=split.validation[0].history)
    with pytest.raises(DataError, match="lies before its validation"):
        check_split(replace(split, test=(early,)))


def test_a_held_out_user_may_not_be_learned_even_in_part() -> None:
    split = by_users(HISTORIES, seed=3)
    case = split.validation[0]
    with pytest.raises(DataError, match="held out for validation"):
        check_split(replace(split, train={**split.train, case.user: case.history[:1]}))
