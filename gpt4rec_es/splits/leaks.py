"""Finds held-out purchases in what a model is about to learn from.

A split alone does not keep a stage from reading the full histories; so whoever learns hands over
what it read, and this says whether it may.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from gpt4rec_es.errors import DataError
from gpt4rec_es.splits.split import BY_USERS, Split

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Leak:
    """An item that training knows of a user, held out in ``part``: validation or test."""

    user: int
    item: int
    part: str


def find_leaks(material: Iterable[tuple[int, Sequence[int]]], split: Split) -> list[Leak]:
    """Return what ``material``, items learned from by user, holds that ``split`` holds out.

    That is, of a user who is not in training, any item; of others, the targets, unless the user
    had bought the item before, too.
    """
    held: dict[int, dict[int, Leak]] = {}
    for part, cases in (("test", split.test), ("validation", split.validation)):
        for case in cases:
            known = split.train.get(case.user, ())
            items = [item for item in (*case.history, *case.targets) if item not in known]
            # Written last, so that what validation holds out is called so in both.
            held.setdefault(case.user, {}).update(
                (item, Leak(case.user, item, part)) for item in items
            )
    return [
        leak
        for user, items in material
        if user in held
        for item in dict.fromkeys(items)
        if (leak := held[user].get(item)) is not None
    ]


def check_no_leak(
    material: Iterable[tuple[int, Sequence[int]]], split: Split, what: str = "The training data"
) -> None:
    """Pass if ``material`` holds nothing of what ``split`` holds out.

    Raises:
        DataError: it does; the message names some of it, by number.
    """
    leaks = find_leaks(material, split)
    if leaks:
        shown = ", ".join(f"item {x.item} of user {x.user} ({x.part})" for x in leaks[:_SHOWN])
        raise DataError(
            f"{what} would learn from {len(leaks)} held-out purchases: {shown}"
            f"{' and more' if len(leaks) > _SHOWN else ''}.",
            "Learn from the split's training part alone.",
        )


def check_split(split: Split) -> None:
    """Pass if the split's own parts are kept apart; whoever makes or loads one asks this first.

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
