"""Splits as rows: made once from the histories as they are, read by all who learn or measure.

Making one is the only moment at which held-out purchases and training meet; from then on each
reads its own rows.
"""

import hashlib
import re
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, text

from gpt4rec_es.db import audit, evaluations, history
from gpt4rec_es.db import splits as rows
from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.splits import SplitRow
from gpt4rec_es.errors import ConflictError, UsageError
from gpt4rec_es.protocols import Progress, no_progress
from gpt4rec_es.splits.histories import UserEvents
from gpt4rec_es.splits.leaks import check_split
from gpt4rec_es.splits.protocols import SplitOptions, make_split
from gpt4rec_es.splits.split import Case, Split

_NAME = re.compile(r"[\w][\w.-]{0,62}")
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class SplitReport:
    """A split that was made, or would be (``created_at`` None).

    unfindable_targets: held-out items of the test without a title or not active, which no search
    can find.
    """

    name: str
    protocol: str
    options: dict[str, Any]
    content_hash: str
    has_times: bool
    users_to_learn_from: int
    purchases_to_learn_from: int
    validation_cases: int
    test_cases: int
    users_left_out: int
    unfindable_targets: int
    created_at: Any


@dataclass(frozen=True, slots=True)
class _Users:
    """Users by their place in the order of ids, which is what ``splits`` numbers them by.

    Numbers of this database depend on the order of imports; places do not, so equal data and
    seeds give equal splits anywhere.
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
    """Split the histories as they are now, store that as ``name`` and return what came of it.

    Raises:
        UsageError: the name is taken or odd, the protocol does not fit the data, or histories are
            too short.
        DataError: the split leaks; nothing was stored.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot name a split.", "Use letters, digits, dots, dashes, at most 63."
        )
    snapshot = engine.execution_options(isolation_level="REPEATABLE READ")
    with transaction(snapshot) as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        rows.require_free(connection, name)
        has_times = history.has_times(connection)
        users, events = _read(connection, has_times, progress)
        split = make_split(events, options, _title_lengths(connection), has_times=has_times)
        content_hash = _content_hash(connection, users, split)
        values = {
            "name": name,
            "protocol": options.protocol,
            "options": options.as_dict(),
            "content_hash": content_hash,
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
        return SplitReport(
            name=name,
            protocol=options.protocol,
            options=options.as_dict(),
            content_hash=content_hash,
            has_times=has_times,
            users_to_learn_from=len(split.train),
            purchases_to_learn_from=sum(map(len, split.train.values())),
            validation_cases=len(split.validation),
            test_cases=len(split.test),
            users_left_out=split.left_out,
            unfindable_targets=_unfindable(connection, split),
            created_at=created_at,
        )


def list_splits(engine: Engine) -> list[SplitRow]:
    """Return all splits, the oldest first."""
    with transaction(engine) as connection:
        return rows.load_all(connection)


def show_split(engine: Engine, name: str) -> dict[str, Any]:
    """Return a split's row with sizes of its parts, as plain values.

    Raises:
        UsageError: there is none of that name.
    """
    with transaction(engine) as connection:
        row = rows.find(connection, name)
        parts = connection.execute(_SIZES, {"no": row.split_no}).mappings().all()
    shown = {field: getattr(row, field) for field in row.__slots__ if field != "split_no"}
    return shown | {"parts": [dict(part) for part in parts]}


_SIZES = text("""
SELECT 'training' AS part, count(*) AS users, 0 AS targets,
       coalesce(avg(cardinality(item_nos)), 0)::float8 AS mean_history
FROM split_train WHERE split_no = :no
UNION ALL
(SELECT part, count(*), sum(cardinality(targets)), avg(cardinality(history))::float8
 FROM split_cases WHERE split_no = :no GROUP BY part ORDER BY part DESC)
""")


def drop_split(
    engine: Engine, name: str, *, actor: str, force: bool = False, dry_run: bool = False
) -> SplitRow:
    """Delete a split with its cases and return what it was; ``force``: its evaluations, too.

    Raises:
        UsageError: there is none of that name.
        ConflictError: evaluations were made on it.
    """
    with transaction(engine) as connection:
        row = rows.find(connection, name)
        made = evaluations.load_all(connection, name)
        if made and not force:
            raise ConflictError(
                f"{len(made)} evaluations were made on the split {name!r}.",
                "Deleting it with --force deletes them, too.",
            )
        if not dry_run:
            evaluations.drop_of_split(connection, row.split_no)
            rows.drop(connection, row.split_no)
            audit.record(
                connection,
                actor,
                "split_drop",
                name,
                before={"content_hash": row.content_hash, "evaluations": len(made)},
            )
    return row


def load_split(
    engine: Engine, name: str, parts: tuple[str, ...] = rows.PARTS
) -> tuple[SplitRow, Split]:
    """Return a split's row and content, by numbers of this database, checked for leaks.

    parts: those wanted; others are left empty.

    Raises:
        UsageError: there is none of that name.
        DataError: rows were changed so that the split leaks.
    """
    snapshot = engine.execution_options(isolation_level="REPEATABLE READ")
    with transaction(snapshot) as connection:
        row = rows.find(connection, name)
        train = {
            user_no: tuple(item_nos)
            for user_no, item_nos in rows.stream_train(connection, row.split_no)
        }
        cases = {
            part: tuple(
                Case(user_no, tuple(known), tuple(targets), gap)
                for user_no, known, targets, gap in rows.stream_cases(
                    connection, row.split_no, part
                )
            )
            for part in parts
        }
    split = Split(
        row.protocol,
        train,
        cases.get("validation", ()),
        cases.get("test", ()),
        row.n_left_out,
    )
    check_split(split)
    return row, split


def _read(
    connection: Connection, has_times: bool, progress: Progress
) -> tuple[_Users, Iterator[UserEvents]]:
    """Return the users and, as they are asked for, the events of each, by the user's place."""
    total = history.count_users(connection)
    # Packed: a list of Python numbers would take eight times as much memory.
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


def _title_lengths(connection: Connection) -> dict[int, int]:
    found = connection.execute(
        text("SELECT item_no, char_length(title) FROM items WHERE title IS NOT NULL")
    )
    return {row[0]: row[1] for row in found}


def _store(connection: Connection, values: dict[str, Any], users: _Users, split: Split) -> SplitRow:
    def cases() -> Iterator[tuple[str, int, tuple[int, ...], tuple[int, ...], float | None]]:
        for part in rows.PARTS:
            for case in getattr(split, part):
                user_no = users.user_nos[case.user]
                yield part, user_no, case.history, case.targets, case.gap

    train = ((users.user_nos[place], items) for place, items in split.train.items())
    return rows.store(connection, values, train, cases())


def _content_hash(connection: Connection, users: _Users, split: Split) -> str:
    """Return a hash of all parts, by ids of users and items."""
    found = connection.execute(text("SELECT item_no, item_id FROM items"))
    item_ids: Mapping[int, str] = {row[0]: row[1] for row in found}
    digest = hashlib.blake2b(digest_size=16)

    def add(*columns: str) -> None:
        digest.update("\t".join(columns).encode() + b"\n")

    def ids(item_nos: tuple[int, ...]) -> str:
        return " ".join(item_ids[item_no] for item_no in item_nos)

    for place, items in sorted(split.train.items()):
        add("train", users.user_ids[place], ids(items))
    for part in rows.PARTS:
        for case in sorted(getattr(split, part), key=lambda case: case.user):
            add(part, users.user_ids[case.user], ids(case.history), ids(case.targets))
    return digest.hexdigest()


def _unfindable(connection: Connection, split: Split) -> int:
    found = connection.execute(
        text("SELECT item_no FROM items WHERE title IS NULL OR NOT is_active")
    )
    unfindable = set(found.scalars())
    return sum(item in unfindable for case in split.test for item in case.targets)
