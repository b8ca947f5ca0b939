"""Leaking splits are refused, and valid splits pass."""

from dataclasses import replace

import pytest

from gpt4rec_es.errors import DataError
from gpt4rec_es.lab.splits.histories import History
from gpt4rec_es.lab.splits.hold_out import by_users, leave_one_out
from gpt4rec_es.lab.splits.split import Split, check_split

HISTORIES = [History(user, tuple(range(user, user + 5)), None) for user in range(1, 40)]


def splits() -> list[Split]:
    return [leave_one_out(HISTORIES), by_users(HISTORIES, seed=3)]


@pytest.mark.parametrize("split", splits(), ids=["leave-one-out", "users"])
@pytest.mark.parametrize("part", ["validation", "test"])
def test_a_split_keeps_its_own_parts_apart(split: Split, part: str) -> None:
    check_split(split)
    eval_user = getattr(split, part)[1]
    planted = {**split.train, eval_user.user_no: (*eval_user.history, *eval_user.targets)}
    with pytest.raises(DataError, match=f"user {eval_user.user_no}"):
        check_split(replace(split, train=planted))
    looking = replace(eval_user, history=(*eval_user.history, *eval_user.targets))
    with pytest.raises(DataError, match="known beforehand"):
        check_split(replace(split, **{part: (looking,)}))


def test_a_test_before_its_validation_is_found() -> None:
    split = leave_one_out(HISTORIES)
    early = replace(split.test[0], history=split.validation[0].history)
    with pytest.raises(DataError, match="lies before its validation"):
        check_split(replace(split, test=(early,)))


def test_a_held_out_user_may_not_be_learned_even_in_part() -> None:
    split = by_users(HISTORIES, seed=3)
    eval_user = split.validation[0]
    with pytest.raises(DataError, match="held out for validation"):
        check_split(replace(split, train={**split.train, eval_user.user_no: eval_user.history[:1]}))
