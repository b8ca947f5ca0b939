"""Stored splits: list, show, delete, and load for training and evaluation."""

from typing import Any

from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import audit, evaluations
from gpt4rec_es.db.rows import splits as rows
from gpt4rec_es.db.rows.splits import SplitRow
from gpt4rec_es.errors import ConflictError
from gpt4rec_es.lab.splits.split import EvalUser, Split, check_split


def list_splits(engine: Engine) -> list[SplitRow]:
    """Return all splits, the oldest first."""
    with transaction(engine) as connection:
        return rows.load_all(connection)


def show_split(engine: Engine, name: str) -> dict[str, Any]:
    """Return a split's row and the sizes of its parts, as plain values.

    Raises:
        UsageError: there is no split of that name.
    """
    with transaction(engine) as connection:
        row = rows.find(connection, name)
        parts = rows.part_sizes(connection, row.split_no)
    shown = {field: getattr(row, field) for field in row.__slots__ if field != "split_no"}
    return shown | {"parts": [part._asdict() for part in parts]}


def drop_split(
    engine: Engine, name: str, *, actor: str, force: bool = False, dry_run: bool = False
) -> SplitRow:
    """Delete a split with its users and return it; ``force``: delete its evaluations, too.

    Raises:
        UsageError: there is no split of that name.
        ConflictError: it has evaluations.
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
    """Return a split's row and content, with user and item numbers, checked for leaks.

    parts: parts to load; others stay empty.

    Raises:
        UsageError: there is no split of that name.
        DataError: the split leaks.
    """
    snapshot = engine.execution_options(isolation_level="REPEATABLE READ")
    with transaction(snapshot) as connection:
        row = rows.find(connection, name)
        train, baskets = {}, {}
        for user_no, item_nos, own in rows.stream_train(connection, row.split_no):
            train[user_no] = tuple(item_nos)
            if own is not None:
                baskets[user_no] = tuple(own)
        eval_users = {
            part: tuple(map(_eval_user, rows.stream_eval_users(connection, row.split_no, part)))
            for part in parts
        }
    split = Split(
        row.protocol,
        train,
        eval_users.get("validation", ()),
        eval_users.get("test", ()),
        row.n_left_out,
        baskets,
    )
    check_split(split)
    return row, split


def _eval_user(row: rows.EvalUserRow) -> EvalUser:
    user_no, known, targets, gap, baskets = row
    return EvalUser(
        user_no, tuple(known), tuple(targets), gap, None if baskets is None else tuple(baskets)
    )
