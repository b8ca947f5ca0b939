"""Refuses splits whose parts are not kept apart: a model would know what it is measured on.

Whoever makes or loads a split asks this first; who learns gets the training part and nothing else.
"""

from typing import NoReturn

from gpt4rec_es.errors import DataError
from gpt4rec_es.lab.splits.split import BY_USERS, Split


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
