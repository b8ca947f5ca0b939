"""A split: training data and held-out items.

A split is checked for leaks when it is created or loaded; training receives the training part only.
"""

from dataclasses import dataclass, field, replace
from typing import NoReturn

from gpt4rec_es.errors import DataError

# Protocols that hold out whole users, none of whose purchases are training data.
BY_USERS = frozenset({"users", "gpt4rec"})


@dataclass(frozen=True, slots=True)
class EvalUser:
    """An evaluation user: the known history, oldest first, and the held-out targets.

    gap: seconds from the newest known event to the first held-out one; None without times.
    baskets: parallel to ``history``, as ``Split.baskets``; None: each purchase is one basket.
    """

    user_no: int
    history: tuple[int, ...]
    targets: tuple[int, ...]
    gap: float | None = None
    baskets: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """Training data and held-out items.

    train: training data by user. left_out: users with too few items for evaluation. baskets:
    parallel to ``train``, the basket number of each purchase, counted from 0 per user, so that
    purchases of equal time share a basket. Users missing from it have no times: each purchase is
    one basket.
    """

    protocol: str
    train: dict[int, tuple[int, ...]]
    validation: tuple[EvalUser, ...]
    test: tuple[EvalUser, ...]
    left_out: int = 0
    baskets: dict[int, tuple[int, ...]] = field(default_factory=dict)


def with_validation(split: Split) -> Split:
    """Return the split with validation added to the training part, for a final fit.

    The test part does not change. All validation targets of a user count as one basket, because
    their times are not stored: the basket after the known ones, or the last of these if the first
    target has the same time.
    """
    train, baskets = dict(split.train), dict(split.baskets)
    for eval_user in split.validation:
        train[eval_user.user_no] = eval_user.history + eval_user.targets
        if eval_user.baskets is None:
            baskets.pop(eval_user.user_no, None)
        else:
            basket = eval_user.baskets[-1] + (eval_user.gap != 0)
            baskets[eval_user.user_no] = eval_user.baskets + (basket,) * len(eval_user.targets)
    return replace(split, train=train, baskets=baskets, validation=())


def bought_before(split: Split, part: str) -> dict[int, tuple[int, ...]]:
    """Return the purchases by which segments of a part are told apart, whatever methods learned."""
    return (with_validation(split) if part == "test" else split).train


def check_split(split: Split) -> None:
    """Check that no held-out item leaks into training.

    A user's training items must be a prefix of the history of the evaluation user (empty if whole
    users are held out) without any target, and the test history must contain the validation
    targets.

    Raises:
        DataError: there is a leak; the message names a user number.
    """
    for part, eval_users in (("validation", split.validation), ("test", split.test)):
        for eval_user in eval_users:
            learned = split.train.get(eval_user.user_no, ())
            if learned and split.protocol in BY_USERS:
                _refuse(f"training knows user {eval_user.user_no}, a user held out for {part}")
            if eval_user.history[: len(learned)] != learned:
                _refuse(
                    f"training knows more of user {eval_user.user_no} than its {part} user does"
                )
            if not set(eval_user.targets).isdisjoint((*learned, *eval_user.history)):
                _refuse(f"the {part} targets of user {eval_user.user_no} are known beforehand")
    validation = {eval_user.user_no: eval_user for eval_user in split.validation}
    for eval_user in split.test:
        before = validation.get(eval_user.user_no)
        if before and not {*before.history, *before.targets} <= set(eval_user.history):
            _refuse(f"the test of user {eval_user.user_no} lies before its validation")


def _refuse(what: str) -> NoReturn:
    raise DataError(f"The split leaks: {what}.", "Make the split again, under another name.")
