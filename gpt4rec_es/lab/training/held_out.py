"""Measuring lists against purchases that were kept back: hit rate on items new to the user.

A small honest yardstick for the demo and for a first look; the evaluation harness does the rest.
"""

import csv
import gzip
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, text

from gpt4rec_es.errors import UsageError
from gpt4rec_es.protocols import Retriever


@dataclass(frozen=True, slots=True)
class HitRate:
    """Share of ``users`` with at least one new held-out item among the first k."""

    method: str
    users: int
    hits: int

    @property
    def rate(self) -> float:
        """Return hits per user; 0 when nobody could be measured."""
        return self.hits / self.users if self.users else 0.0


def read_held_out(path: Path) -> dict[str, set[str]]:
    """Return user id -> item ids of a CSV (plain or gz) with columns user_id and item_id.

    Raises:
        UsageError: the file cannot be read or lacks a column.
    """
    try:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8", newline="") as lines:
            held: dict[str, set[str]] = {}
            for row in csv.DictReader(lines):
                held.setdefault(row["user_id"], set()).add(row["item_id"])
            return held
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", "Check the path.") from error
    except KeyError as error:
        raise UsageError(f"{path} has no column {error}.", "It needs user_id,item_id.") from error


def new_items(connection: Connection, held: Mapping[str, set[str]]) -> dict[int, set[int]]:
    """Return user number -> held-out item numbers that the user had not bought before.

    Users without any such item are left out, as are unknown users and items.
    """
    found = connection.execute(
        text("""
        SELECT u.user_no, i.item_no
        FROM unnest(cast(:users AS text[]), cast(:items AS text[])) AS h(user_id, item_id)
        JOIN users AS u USING (user_id) JOIN items AS i USING (item_id)
        WHERE NOT EXISTS (SELECT FROM interactions AS x
                          WHERE x.user_no = u.user_no AND x.item_no = i.item_no)
        """),
        {
            "users": [user for user, item_ids in held.items() for _ in item_ids],
            "items": [item for item_ids in held.values() for item in item_ids],
        },
    )
    targets: dict[int, set[int]] = {}
    for row in found:
        targets.setdefault(row.user_no, set()).add(row.item_no)
    return targets


def measure(
    connection: Connection,
    retriever: Retriever,
    run_no: int,
    k: int,
    targets: Mapping[int, set[int]],
) -> list[HitRate]:
    """Return the hit rates at ``k`` of a run and of two simple methods, on the same users.

    The simple methods also leave out what was bought: the newest title as the one query, and the
    run's frozen popular items.
    """
    users = sorted(targets)
    bought = _bought(connection, users)
    return [
        _rate("generated queries", targets, _stored(connection, run_no, users)),
        _rate(
            "newest title as query",
            targets,
            _last_titles(connection, retriever, run_no, users, bought, k),
        ),
        _rate("popular items", targets, _popular(connection, run_no, users, bought, k)),
    ]


def _rate(
    method: str, targets: Mapping[int, set[int]], lists: Mapping[int, Iterable[int]]
) -> HitRate:
    hits = sum(not wanted.isdisjoint(lists.get(user, ())) for user, wanted in targets.items())
    return HitRate(method, len(targets), hits)


def _bought(connection: Connection, users: Sequence[int]) -> dict[int, set[int]]:
    found = connection.execute(
        text("""
        SELECT user_no, array_agg(DISTINCT item_no) AS item_nos FROM interactions
        WHERE user_no = ANY(:users) GROUP BY user_no
        """),
        {"users": list(users)},
    )
    return {row.user_no: set(row.item_nos) for row in found}


def _stored(connection: Connection, run_no: int, users: Sequence[int]) -> dict[int, list[int]]:
    found = connection.execute(
        text("""
        SELECT user_no, array_agg(item_no) AS item_nos FROM recommendations
        WHERE run_no = :run_no AND user_no = ANY(:users) GROUP BY user_no
        """),
        {"run_no": run_no, "users": list(users)},
    )
    return {row.user_no: row.item_nos for row in found}


def _last_titles(
    connection: Connection,
    retriever: Retriever,
    run_no: int,
    users: Sequence[int],
    bought: Mapping[int, set[int]],
    k: int,
) -> dict[int, list[int]]:
    found = connection.execute(
        text("""
        SELECT u.user_no, q.text FROM run_users AS u
        JOIN queries AS q ON q.query_no = u.last_query_no
        WHERE u.run_no = :run_no AND u.user_no = ANY(:users)
        """),
        {"run_no": run_no, "users": list(users)},
    )
    texts = {row.user_no: row.text for row in found}
    distinct = sorted(set(texts.values()))
    depth = min(k + max((len(items) for items in bought.values()), default=0), 10_000)
    results = dict(zip(distinct, retriever.search(distinct, depth), strict=True))
    return {
        user: [n for n in results[query].item_nos if n not in bought.get(user, ())][:k]
        for user, query in texts.items()
    }


def _popular(
    connection: Connection,
    run_no: int,
    users: Sequence[int],
    bought: Mapping[int, set[int]],
    k: int,
) -> dict[int, list[int]]:
    found = connection.execute(
        text("SELECT item_no FROM run_popular WHERE run_no = :run_no ORDER BY rank"),
        {"run_no": run_no},
    )
    ranked = list(found.scalars())
    return {user: [n for n in ranked if n not in bought.get(user, ())][:k] for user in users}
