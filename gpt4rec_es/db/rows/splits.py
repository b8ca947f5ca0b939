"""Reads and writes of splits.

Training and evaluation read only the stored split and never the interactions, so held-out items
cannot leak into training.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, insert, select, text

from gpt4rec_es.db.copy import copy_rows
from gpt4rec_es.db.tables import splits
from gpt4rec_es.errors import UsageError

PARTS = ("validation", "test")
# Rows per fetch of the server-side cursor.
_STREAMED = {"yield_per": 5000}


@dataclass(frozen=True, slots=True)
class SplitRow:
    """One row of ``splits``."""

    split_no: int
    name: str
    protocol: str
    options: dict[str, Any]
    content_hash: str
    has_times: bool
    history_version: int
    catalog_version: int
    n_train: int
    n_validation: int
    n_test: int
    n_left_out: int
    actor: str
    created_at: dt.datetime


# (user number, item numbers oldest first, baskets of the items)
TrainRow = tuple[int, Sequence[int], Sequence[int] | None]
# (user number, history, targets, gap in seconds, baskets of the history)
EvalUserRow = tuple[int, Sequence[int], Sequence[int], float | None, Sequence[int] | None]


def store(
    connection: Connection,
    values: dict[str, Any],
    train: Iterable[TrainRow],
    eval_users: Iterable[tuple[str, EvalUserRow]],
) -> SplitRow:
    """Store a split and return its row; ``values`` are the columns that have no default.

    eval_users: (part, user) pairs. The name must be free.
    """
    row = connection.execute(insert(splits).values(**values).returning(splits)).one()
    split_no = row.split_no
    copy_rows(
        connection,
        "split_train",
        ["split_no", "user_no", "item_nos", "baskets"],
        ((split_no, *row) for row in train),
    )
    copy_rows(
        connection,
        "split_eval_users",
        ["split_no", "part", "user_no", "history", "targets", "gap_s", "baskets"],
        ((split_no, part, *row) for part, row in eval_users),
    )
    for table in ("split_train", "split_eval_users"):
        connection.execute(text("SELECT analyze_table(:name)"), {"name": table})
    return SplitRow(**row._mapping)  # noqa: SLF001 -- SQLAlchemy's public name for it


def load_all(connection: Connection) -> list[SplitRow]:
    """Return all splits, the oldest first."""
    found = connection.execute(select(splits).order_by(splits.c.split_no)).mappings()
    return [SplitRow(**row) for row in found]


def find(connection: Connection, name: str) -> SplitRow:
    """Return the split called ``name``.

    Raises:
        UsageError: there is none; the hint lists the existing names.
    """
    row = connection.execute(select(splits).where(splits.c.name == name)).mappings().first()
    if row is not None:
        return SplitRow(**row)
    names = list(connection.execute(select(splits.c.name).order_by(splits.c.name)).scalars())
    hint = f"There are: {', '.join(names)}." if names else "Make one with `gpt4rec split create`."
    raise UsageError(f"There is no split {name!r}.", hint)


def require_free(connection: Connection, name: str) -> None:
    """Raise if a split is called ``name``.

    Raises:
        UsageError: there is one.
    """
    if connection.execute(select(splits.c.split_no).where(splits.c.name == name)).first():
        raise UsageError(
            f"A split {name!r} exists already.",
            f"Choose another name, or remove it: `gpt4rec split drop {name}`.",
        )


def drop(connection: Connection, split_no: int) -> None:
    """Delete a split with its users; a prune may then delete its prompts."""
    connection.execute(delete(splits).where(splits.c.split_no == split_no))


def stream_train(connection: Connection, split_no: int) -> Iterator[TrainRow]:
    """Yield the training histories, by user number."""
    rows = connection.execute(
        text(
            "SELECT user_no, item_nos, baskets FROM split_train "
            "WHERE split_no = :no ORDER BY user_no"
        ),
        {"no": split_no},
        execution_options=_STREAMED,
    )
    for row in rows:
        yield row.user_no, row.item_nos, row.baskets


def stream_eval_users(connection: Connection, split_no: int, part: str) -> Iterator[EvalUserRow]:
    """Yield the evaluated users of a part, by user number."""
    rows = connection.execute(
        text(
            "SELECT user_no, history, targets, gap_s, baskets FROM split_eval_users "
            "WHERE split_no = :no AND part = :part ORDER BY user_no"
        ),
        {"no": split_no, "part": part},
        execution_options=_STREAMED,
    )
    for row in rows:
        yield row.user_no, row.history, row.targets, row.gap_s, row.baskets


def keep_prompts(connection: Connection, split_no: int, prompt_nos: Iterable[int]) -> None:
    """Record that the split needs these prompts and their generations."""
    connection.execute(
        text("""
        INSERT INTO split_prompts (split_no, prompt_no)
        SELECT :split_no, p FROM unnest(cast(:numbers AS bigint[])) AS x(p) ORDER BY p
        ON CONFLICT DO NOTHING
        """),
        {"split_no": split_no, "numbers": list(prompt_nos)},
    )


class PartSize(NamedTuple):
    """Size of one part of a split: users, held-out items, and mean length of histories."""

    part: str
    users: int
    targets: int
    mean_history: float


def part_sizes(connection: Connection, split_no: int) -> list[PartSize]:
    """Return the sizes of the training part, then of the parts with evaluated users."""
    found = connection.execute(
        text("""
        SELECT 'training' AS part, count(*) AS users, 0 AS targets,
               coalesce(avg(cardinality(item_nos)), 0)::float8 AS mean_history
        FROM split_train WHERE split_no = :no
        UNION ALL
        (SELECT part, count(*), sum(cardinality(targets)), avg(cardinality(history))::float8
         FROM split_eval_users WHERE split_no = :no GROUP BY part ORDER BY part DESC)
        """),
        {"no": split_no},
    )
    return [PartSize(*row) for row in found]


class NamedEvalUser(NamedTuple):
    """One evaluated user, by external ids. newest_title: last title of the history, or None."""

    user_no: int
    user_id: str
    history: list[str]
    targets: list[str]
    newest_title: str | None


# Column with the user ids to write, by ``as_analyst``; the only name put into the statement.
USER_ID = {False: "u.user_id", True: "u.shown_id AS user_id"}
_NAMED_CASES = """
SELECT c.user_no, {user_id},
    (SELECT array_agg(i.item_id ORDER BY h.place)
     FROM unnest(c.history) WITH ORDINALITY AS h (item_no, place)
     JOIN items AS i USING (item_no)) AS history,
    (SELECT array_agg(i.item_id ORDER BY t.place)
     FROM unnest(c.targets) WITH ORDINALITY AS t (item_no, place)
     JOIN items AS i USING (item_no)) AS targets,
    (SELECT i.title FROM unnest(c.history) WITH ORDINALITY AS h (item_no, place)
     JOIN items AS i USING (item_no) WHERE i.title IS NOT NULL
     ORDER BY h.place DESC LIMIT 1) AS newest_title
FROM split_eval_users AS c JOIN users AS u USING (user_no)
WHERE c.split_no = :split_no AND c.part = :part ORDER BY 2
"""


def stream_named_eval_users(
    connection: Connection, split_no: int, part: str, *, as_analyst: bool
) -> Iterator[NamedEvalUser]:
    """Yield the evaluated users of a part, by user id.

    as_analyst: with the user ids that analysts see, else with the shop's ids.
    """
    found = connection.execute(
        text(_NAMED_CASES.format(user_id=USER_ID[as_analyst])),
        {"split_no": split_no, "part": part},
        execution_options={"yield_per": 1000},
    )
    for row in found:
        yield NamedEvalUser(row[0], row[1], row[2] or [], row[3], row[4])
