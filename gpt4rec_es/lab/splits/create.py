"""Create a split from the current histories.

Training and evaluation read the rows stored here, never the histories.
"""

import datetime as dt
import hashlib
import re
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine

from gpt4rec_es.db.engine import transaction, untimed
from gpt4rec_es.db.rows import audit, history
from gpt4rec_es.db.rows import items as item_rows
from gpt4rec_es.db.rows import splits as rows
from gpt4rec_es.db.rows.splits import EvalUserRow, SplitRow
from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.splits.histories import UserEvents
from gpt4rec_es.lab.splits.protocols import SplitOptions, make_split
from gpt4rec_es.lab.splits.split import Split
from gpt4rec_es.protocols import Progress, no_progress

_NAME = re.compile(r"[\w][\w.-]{0,62}")
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class SplitReport:
    """A created split, or one that would be created (``created_at`` None).

    unfindable_targets: number of held-out test items without a title or not active, which no search
    finds. tied_users: number of validation and test users whose target has the same time as their
    last known purchase, so that only the order of ties makes it the target.
    """

    name: str
    protocol: str
    options: dict[str, Any]
    content_hash: str
    has_times: bool
    users_to_learn_from: int
    purchases_to_learn_from: int
    validation_users: int
    test_users: int
    users_left_out: int
    unfindable_targets: int
    tied_users: int
    created_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class _Users:
    """Users by their rank in the order of ids, which ``splits`` uses as numbers.

    User numbers of a database depend on the order of imports; ranks do not, so equal data and seeds
    give equal splits in any database.
    """

    user_nos: list[int]
    user_ids: list[str]


def create_split(
    engine: Engine,
    name: str,
    options: SplitOptions,
    *,
    actor: str,
    dry_run: bool = False,
    progress: Progress = no_progress,
) -> SplitReport:
    """Split the current histories, store the split as ``name`` and return a report.

    Raises:
        UsageError: the name is taken or invalid, the protocol does not fit the data, or histories
        are too short. DataError: the split leaks; nothing was stored.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot name a split.", "Use letters, digits, dots, dashes, at most 63."
        )
    snapshot = engine.execution_options(isolation_level="REPEATABLE READ")
    with transaction(snapshot) as connection:
        untimed(connection)
        rows.require_free(connection, name)
        has_times = history.has_times(connection)
        users, events = _read(connection, has_times, progress)
        lengths = item_rows.title_lengths(connection)
        split = make_split(events, options, lengths, has_times=has_times)
        values = {
            "name": name,
            "protocol": options.protocol,
            "options": options.as_dict(),
            "content_hash": _content_hash(item_rows.load_ids(connection), users, split),
            "has_times": has_times,
            **history.data_versions(connection),
            "n_train": len(split.train),
            "n_validation": len(split.validation),
            "n_test": len(split.test),
            "n_left_out": split.left_out,
            "actor": actor,
        }
        created_at = None
        if not dry_run:
            created_at = _store(connection, values, users, split).created_at
            audit.record(connection, actor, "split_create", name)
        hidden = item_rows.unfindable(connection)
        unfindable = sum(item in hidden for eval_user in split.test for item in eval_user.targets)
    return _report(values, split, unfindable, created_at)


def _report(
    values: Mapping[str, Any], split: Split, unfindable: int, created_at: dt.datetime | None
) -> SplitReport:
    return SplitReport(
        name=values["name"],
        protocol=values["protocol"],
        options=values["options"],
        content_hash=values["content_hash"],
        has_times=values["has_times"],
        users_to_learn_from=len(split.train),
        purchases_to_learn_from=sum(map(len, split.train.values())),
        validation_users=len(split.validation),
        test_users=len(split.test),
        users_left_out=split.left_out,
        unfindable_targets=unfindable,
        tied_users=sum(eval_user.gap == 0 for eval_user in (*split.validation, *split.test)),
        created_at=created_at,
    )


def _read(
    connection: Connection, has_times: bool, progress: Progress
) -> tuple[_Users, Iterator[UserEvents]]:
    """Return the users and an iterator over the events of each, by the user's rank."""
    total = history.count_users(connection)
    # Arrays: lists of Python numbers would take eight times the memory.
    found: list[tuple[str, int, array[int], array[int]]] = []
    for user_no, user_id, item_nos, event_nos in history.stream_events(connection):
        found.append((user_id, user_no, array("i", item_nos), array("q", event_nos)))
        if len(found) % 1000 == 0:
            progress(len(found), total)
    if not found:
        raise UsageError(
            "There are no purchases to split.", "Load some: `gpt4rec import interactions FILE`."
        )
    progress(total, total)
    found.sort(key=lambda user: user[0])
    unit = _MICROSECONDS if has_times else 1

    def events() -> Iterator[UserEvents]:
        for place, (_, _, item_nos, event_nos) in enumerate(found):
            yield place, [(item, no / unit) for item, no in zip(item_nos, event_nos, strict=True)]

    return _Users([user[1] for user in found], [user[0] for user in found]), events()


def _store(connection: Connection, values: dict[str, Any], users: _Users, split: Split) -> SplitRow:
    def eval_users() -> Iterator[tuple[str, EvalUserRow]]:
        for part in rows.PARTS:
            for eval_user in getattr(split, part):
                user_no = users.user_nos[eval_user.user_no]
                yield (
                    part,
                    (
                        user_no,
                        eval_user.history,
                        eval_user.targets,
                        eval_user.gap,
                        eval_user.baskets,
                    ),
                )

    train = (
        (users.user_nos[place], items, split.baskets.get(place))
        for place, items in split.train.items()
    )
    return rows.store(connection, values, train, eval_users())


def _content_hash(item_ids: Mapping[int, str], users: _Users, split: Split) -> str:
    """Return a hash of all parts, by ids of users and items.

    Gaps and baskets are excluded: the hash covers training data and held-out items, and must equal
    that of splits made before baskets were stored.
    """
    digest = hashlib.blake2b(digest_size=16)

    def add(*columns: str) -> None:
        digest.update("\t".join(columns).encode() + b"\n")

    def ids(item_nos: tuple[int, ...]) -> str:
        return " ".join(item_ids[item_no] for item_no in item_nos)

    for place, items in sorted(split.train.items()):
        add("train", users.user_ids[place], ids(items))
    for part in rows.PARTS:
        for eval_user in sorted(getattr(split, part), key=lambda eval_user: eval_user.user_no):
            add(
                part,
                users.user_ids[eval_user.user_no],
                ids(eval_user.history),
                ids(eval_user.targets),
            )
    return digest.hexdigest()
