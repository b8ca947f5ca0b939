"""Split protocols by name, each with its preparation of histories."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.splits.histories import (
    PAPER,
    History,
    Preparation,
    UserEvents,
    order_histories,
    prepare,
)
from gpt4rec_es.lab.splits.hold_out import (
    by_users,
    global_time,
    leave_one_out,
    next_basket,
    time_quantiles,
)
from gpt4rec_es.lab.splits.split import Split, check_split

_FRACTIONS = (0.1, 0.1)
# Protocols that hold out purchases of every user, so fractions do not apply.
_OF_EVERY_USER = frozenset({"leave-one-out", "next-basket"})
# Protocols that hold out whole users, so that training knows none of the evaluation users.
OF_NEW_USERS = frozenset({"users", "gpt4rec"})


@dataclass(frozen=True, slots=True)
class SplitOptions:
    """Options of a split.

    seed: of a split by users. shuffle_ties: seed to shuffle purchases of equal time; None keeps
    their stored order. fractions: of users, or of events by time, for validation and for test.
    moments: start of validation and test, in seconds since 1970; None: by ``fractions``. newest,
    longest_title: number of events kept per user, and maximum characters of a title; None: the
    protocol's default.
    """

    protocol: str
    seed: int = 1
    shuffle_ties: int | None = None
    fractions: tuple[float, float] = _FRACTIONS
    moments: tuple[float, float] | None = None
    newest: int | None = None
    longest_title: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the options as plain values."""
        return asdict(self)


def _split_in_time(histories: list[History], options: SplitOptions) -> Split:
    moments = options.moments or time_quantiles(histories, options.fractions)
    return global_time(histories, *moments)


# name -> (preparation of histories, protocol)
_PROTOCOLS: dict[str, tuple[Preparation, Callable[[list[History], SplitOptions], Split]]] = {
    "leave-one-out": (Preparation(), lambda h, _: leave_one_out(h)),
    "users": (Preparation(), lambda h, o: by_users(h, o.seed, o.fractions)),
    "gpt4rec": (PAPER, lambda h, o: by_users(h, o.seed, o.fractions)),
    # Repeated purchases of an item count.
    "next-basket": (Preparation(once=False), lambda h, _: next_basket(h)),
    "global-time": (Preparation(once=False), _split_in_time),
}
PROTOCOLS = tuple(_PROTOCOLS)


def make_split(
    users: Iterable[UserEvents],
    options: SplitOptions,
    title_lengths: Mapping[int, int],
    *,
    has_times: bool,
) -> Split:
    """Return the split of ``users`` (numbers and stored events), checked for leaks.

    title_lengths: number of characters of the title, by item with a title.

    Raises:
        UsageError: there is no such protocol, the options are invalid or have no effect, times are
        needed and unknown, or histories are too short.
    """
    if options.protocol not in _PROTOCOLS:
        raise UsageError(
            f"There is no protocol {options.protocol!r}.", f"There are: {', '.join(PROTOCOLS)}."
        )
    _refuse_unused(options, has_times=has_times)
    preparation, split = _PROTOCOLS[options.protocol]
    how = Preparation(
        with_title=preparation.with_title or options.longest_title is not None,
        longest_title=options.longest_title or preparation.longest_title,
        once=preparation.once,
        newest=preparation.newest if options.newest is None else options.newest,
    )
    histories = order_histories(users, has_times=has_times, shuffle=options.shuffle_ties)
    found = split(prepare(histories, how, title_lengths), options)
    check_split(found)
    return found


def _refuse_unused(options: SplitOptions, *, has_times: bool) -> None:
    """Refuse options that have no effect on the split."""
    if options.shuffle_ties is not None and not has_times:
        raise UsageError(
            "There are no times, so it is not known which purchases are tied.",
            "Leave --shuffle-ties out: evaluations show last pairs that ascend by item id apart.",
        )
    if options.moments is not None and options.protocol != "global-time":
        raise UsageError(
            f"A split by {options.protocol} has no moments to begin at.",
            "Take the protocol global-time, or leave --validation-from and --test-from out.",
        )
    if options.fractions != _FRACTIONS and options.protocol in _OF_EVERY_USER:
        raise UsageError(
            f"A split by {options.protocol} holds out something of every user.",
            "Leave --validation-fraction and --test-fraction out.",
        )
