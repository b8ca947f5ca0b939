"""Four protocols to hold out purchases."""

import datetime as dt
import random
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.splits.histories import History, baskets_of
from gpt4rec_es.lab.splits.split import EvalUser, Split


def leave_one_out(histories: Sequence[History]) -> Split:
    """Return the split in which each user's last item is test, the one before validation.

    Users with fewer than three items are in neither; their items are training data.

    Raises:
        UsageError: no user has three items.
    """
    long = [history for history in histories if len(history.items) >= 3]
    return _checked(
        "leave-one-out",
        [(one, len(one.items) - 2 if len(one.items) >= 3 else len(one.items)) for one in histories],
        [_eval_user(history, len(history.items) - 2, len(history.items) - 1) for history in long],
        [_last(history) for history in long],
        len(histories) - len(long),
    )


def by_users(
    histories: Sequence[History], seed: int, fractions: tuple[float, float] = (0.1, 0.1)
) -> Split:
    """Return the split by users (GPT4Rec, section 4.1): held-out users' last items are targets.

    fractions: fractions of users for validation and test. Whole histories of training users are
    training data, and nothing of the others. Users with fewer than two items go to training.

    Raises:
        UsageError: the fractions leave training, validation or test without users.
    """
    validation_fraction, test_fraction = fractions
    if min(fractions) <= 0 or sum(fractions) >= 1:
        raise UsageError(f"The fractions {fractions} leave a part empty.", "Usual are 0.1 and 0.1.")
    long = sorted(
        (history for history in histories if len(history.items) >= 2),
        key=lambda history: history.user,
    )
    random.Random(seed).shuffle(long)  # noqa: S311 # a seed is what makes it repeatable
    n_test, n_validation = int(len(long) * test_fraction), int(len(long) * validation_fraction)
    held = {history.user for history in long[: n_test + n_validation]}
    return _checked(
        "users",
        [(history, len(history.items)) for history in histories if history.user not in held],
        [_last(history) for history in long[n_test : n_test + n_validation]],
        [_last(history) for history in long[:n_test]],
        len(histories) - len(long),
    )


def next_basket(histories: Sequence[History], *, only_new: bool = True) -> Split:
    """Return the split in which each user's last basket is test, the one before validation.

    A basket is all events of one user at one time. only_new: items that the user bought before are
    no targets, because recommendations exclude bought items; users without a target are left out of
    the part. Users with fewer than three baskets are left out.

    Raises:
        UsageError: there are no times, or no user has three baskets with a target.
    """
    learned: list[tuple[History, int]] = []
    validation, test = [], []
    left_out = 0
    for history in histories:
        starts = _basket_starts(_times(history))
        if len(starts) < 3:
            learned.append((history, len(history.items)))
            left_out += 1
            continue
        before, last = starts[-2:]
        learned.append((history, before))
        validation.append(_eval_user(history, before, last, only_new=only_new))
        test.append(_eval_user(history, last, None, only_new=only_new))
    return _checked("next-basket", learned, validation, test, left_out)


def global_time(
    histories: Sequence[History], first: float, second: float, *, only_new: bool = True
) -> Split:
    """Return the split at two times, so that training data contains no user's later purchases.

    Validation: purchases from ``first`` on by users with a history; test: from ``second`` on.
    only_new as in ``next_basket``. left_out: users in neither part.

    Raises:
        UsageError: there are no times, the two times do not ascend, or a part is empty.
    """
    if not first < second:
        shown = " and ".join(f"{_date(moment):%Y-%m-%d %H:%M:%S}" for moment in (first, second))
        raise UsageError(
            f"The moments {shown} do not ascend.", "Validation begins before the test."
        )
    learned: list[tuple[History, int]] = []
    validation, test = [], []
    left_out = 0
    for history in histories:
        times = _times(history)
        known, old = bisect_left(times, second), bisect_left(times, first)
        if old:
            learned.append((history, old))
        if 0 < old < known:
            validation.append(_eval_user(history, old, known, only_new=only_new))
        if 0 < known < len(times):
            test.append(_eval_user(history, known, None, only_new=only_new))
        elif not 0 < old < known:
            left_out += 1
    return _checked("global-time", learned, validation, test, left_out)


def time_quantiles(
    histories: Sequence[History], fractions: tuple[float, float] = (0.1, 0.1)
) -> tuple[float, float]:
    """Return the times from which on the last fractions of all events lie, for both parts.

    Raises:
        UsageError: there are no times, or no events.
    """
    times = sorted(at for history in histories for at in _times(history))
    if not times:
        raise UsageError("There are no interactions.", "Import some first.")
    validation, test = fractions
    places = (1 - validation - test, 1 - test)
    first, second = (times[min(int(len(times) * place), len(times) - 1)] for place in places)
    return first, second


def _date(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def _times(history: History) -> tuple[float, ...]:
    if history.times is None:
        raise UsageError(
            "This split needs times, and only the order of purchases is known.",
            "Import interactions with times, or split by leave-one-out or by users.",
        )
    return history.times


def _basket_starts(times: tuple[float, ...]) -> list[int]:
    return [n for n, at in enumerate(times) if n == 0 or at != times[n - 1]]


def _last(history: History) -> EvalUser:
    return _eval_user(history, len(history.items) - 1, None)


def _eval_user(
    history: History, start: int, end: int | None, *, only_new: bool = False
) -> EvalUser:
    """Return the evaluation user whose targets are the items from ``start`` to ``end``."""
    known = history.items[:start]
    targets = tuple(dict.fromkeys(history.items[start:end]))
    if only_new:
        targets = tuple(item for item in targets if item not in set(known))
    times = history.times
    if times is None:
        return EvalUser(history.user, known, targets)
    gap = times[start] - times[start - 1]
    return EvalUser(history.user, known, targets, gap, baskets_of(times[:start]))


def _checked(
    protocol: str,
    learned: Iterable[tuple[History, int]],
    validation: list[EvalUser],
    test: list[EvalUser],
    left_out: int,
) -> Split:
    """Return the split without evaluation users that have no target.

    learned: histories, each with the number of first purchases that are training data.
    """
    train, baskets = {}, {}
    for history, n in learned:
        train[history.user] = history.items[:n]
        if history.times is not None:
            baskets[history.user] = baskets_of(history.times[:n])
    split = Split(
        protocol,
        train,
        tuple(eval_user for eval_user in validation if eval_user.targets),
        tuple(eval_user for eval_user in test if eval_user.targets),
        left_out,
        baskets,
    )
    for name in ("train", "validation", "test"):
        if not getattr(split, name):
            raise UsageError(
                f"The split {protocol} leaves {name} empty.",
                "There must be users with enough purchases, one after the other.",
            )
    return split
