"""What a split is: what may be learned from and what is held out, kept apart.

A split is checked when it is made or loaded; training gets the training part only.
"""

from dataclasses import dataclass, field, replace
from typing import NoReturn

from gpt4rec_es.errors import DataError

# Protocols that hold out whole users: nothing at all is learned from those.
BY_USERS = frozenset({"users", "gpt4rec"})


@dataclass(frozen=True, slots=True)
class EvalUser:
    """One user to recommend to: what is known, oldest first, and what was bought next.

    gap: seconds from the newest known event to the first held-out one; None without times.
    baskets: parallel to ``history``, as ``Split.baskets``; None: each purchase is its own basket.
    """

    user_no: int
    history: tuple[int, ...]
    targets: tuple[int, ...]
    gap: float | None = None
    baskets: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """What may be learned from, and what is held out.

    train: what may be learned from, by user. left_out: users with too little to be measured.
    baskets: parallel to ``train``, the basket number of each purchase, counted from 0 per user, so
    that purchases of one moment share a basket. A user missing from it is known by order only: each
    purchase is a basket of its own.
    """

    protocol: str
    train: dict[int, tuple[int, ...]]
    validation: tuple[EvalUser, ...]
    test: tuple[EvalUser, ...]
    left_out: int = 0
    baskets: dict[int, tuple[int, ...]] = field(default_factory=dict)


def with_validation(split: Split) -> Split:
    """Return the split whose training part has validation in it: for a last fit before the test.

    Whatever was chosen on validation stays chosen; nothing of the test is touched. All targets of a
    user count as one basket, since a user does not say when each was bought: the basket after those
    that are known, or the last of these if the first target was bought at that same moment.
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


def check_split(split: Split) -> None:
    """Pass if the split's own parts are kept apart.

    What is learned of a user must be the beginning of what each of the user's users knows (nothing
    where whole users are held out), no target may be in it, and the test must know all that
    validation asks for.

    Raises:
        DataError: they are not; the message names a user, by number.
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
