"""What a split is: what may be learned from and what is held out, kept apart.

Whoever makes or loads a split checks it first; who learns gets the training part and nothing else.
"""

from dataclasses import dataclass, field, replace
from typing import NoReturn

from gpt4rec_es.errors import DataError

# Protocols that hold out whole users: nothing at all is learned from those.
BY_USERS = frozenset({"users", "gpt4rec"})


@dataclass(frozen=True, slots=True)
class Case:
    """One user to recommend to: what is known, oldest first, and what was bought next.

    gap: seconds from the newest known event to the first held-out one; None without times.
    steps: parallel to ``history``, as ``Split.steps``; None: each purchase is a step of its own.
    """

    user: int
    history: tuple[int, ...]
    targets: tuple[int, ...]
    gap: float | None = None
    steps: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """What may be learned from, and what is held out.

    train: what may be learned from, by user. left_out: users with too little to be measured.
    steps: parallel to ``train``, which of the user's moments each purchase was of, counted from 0,
    so that purchases of one moment share a step. A user who is not in it is known by order only:
    each purchase is a step of its own.
    """

    protocol: str
    train: dict[int, tuple[int, ...]]
    validation: tuple[Case, ...]
    test: tuple[Case, ...]
    left_out: int = 0
    steps: dict[int, tuple[int, ...]] = field(default_factory=dict)


def with_validation(split: Split) -> Split:
    """Return the split whose training part has validation in it: for a last fit before the test.

    Whatever was chosen on validation stays chosen; nothing of the test is touched. All targets of a
    case count as one basket, since a case does not say when each was bought: the step after those
    that are known, or the last of these if the first target was bought at that same moment.
    """
    train, steps = dict(split.train), dict(split.steps)
    for case in split.validation:
        train[case.user] = case.history + case.targets
        if case.steps is None:
            steps.pop(case.user, None)
        else:
            step = case.steps[-1] + (case.gap != 0)
            steps[case.user] = case.steps + (step,) * len(case.targets)
    return replace(split, train=train, steps=steps, validation=())


def check_split(split: Split) -> None:
    """Pass if the split's own parts are kept apart.

    What is learned of a user must be the beginning of what each of the user's cases knows (nothing
    where whole users are held out), no target may be in it, and the test must know all that
    validation asks for.

    Raises:
        DataError: they are not; the message names a user, by number.
    """
    for part, cases in (("validation", split.validation), ("test", split.test)):
        for case in cases:
            learned = split.train.get(case.user, ())
            if learned and split.protocol in BY_USERS:
                _refuse(f"training knows user {case.user}, who is held out for {part}")
            if case.history[: len(learned)] != learned:
                _refuse(f"training knows more of user {case.user} than its {part} case does")
            if not set(case.targets).isdisjoint((*learned, *case.history)):
                _refuse(f"the {part} targets of user {case.user} are known beforehand")
    validation = {case.user: case for case in split.validation}
    for case in split.test:
        before = validation.get(case.user)
        if before and not {*before.history, *before.targets} <= set(case.history):
            _refuse(f"the test of user {case.user} lies before its validation")


def _refuse(what: str) -> NoReturn:
    raise DataError(f"The split leaks: {what}.", "Make the split again, under another name.")
