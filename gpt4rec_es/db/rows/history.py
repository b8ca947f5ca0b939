"""Reads of histories: each user's items, each once at its latest event, in time order.

Training and planning both use it, so they see the same histories. Memory is bounded: users are read
in slices, and the title cache has a maximum size.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, TextClause, text

# (item number, title or None, whether a language model may be trained on the title)
Bought = tuple[int, str | None, bool]

_SLICE = 1000
_KEPT_TITLES = 500_000

_USERS = text(
    "SELECT user_no, user_id FROM users WHERE user_no > :after ORDER BY user_no LIMIT :most"
)
# The inner query uses the primary key (user_no, item_no, event_no); ties of time and ordinal are
# ordered by item_id with COLLATE "C", as in all other queries.
_HISTORY = """
    SELECT latest.user_no,
           array_agg(latest.item_no ORDER BY latest.event_no, latest.ordinal, items.item_id)
           AS item_nos {moments}
    FROM (
        SELECT DISTINCT ON (user_no, item_no) user_no, item_no, event_no, ordinal
        FROM interactions
        WHERE {users} AND (cast(:version AS bigint) IS NULL OR version <= :version)
        ORDER BY user_no, item_no, event_no DESC
    ) AS latest
    JOIN items USING (item_no)
    GROUP BY latest.user_no
"""
_MOMENTS = """,
           array_agg(latest.event_no ORDER BY latest.event_no, latest.ordinal, items.item_id)
           AS event_nos
"""
_SLICE_OF_USERS = "user_no BETWEEN :first AND :last"
_HISTORIES = text(_HISTORY.format(users=_SLICE_OF_USERS, moments=""))
_PURCHASES = text(_HISTORY.format(users=_SLICE_OF_USERS, moments=_MOMENTS))
_HISTORIES_OF = text(_HISTORY.format(users="user_no = ANY(:users)", moments=""))
# Every event, not only an item's latest: the split protocol selects events.
_EVENTS = text("""
    SELECT user_no, user_id,
           array_agg(item_no ORDER BY event_no, ordinal, item_id) AS item_nos,
           array_agg(event_no ORDER BY event_no, ordinal, item_id) AS event_nos
    FROM interactions JOIN users USING (user_no) JOIN items USING (item_no)
    WHERE user_no BETWEEN :first AND :last
    GROUP BY user_no, user_id ORDER BY user_no
""")
_ITEMS = text("SELECT item_no, title, is_trainable FROM items WHERE item_no = ANY(:numbers)")
_TRAINABLE = text("SELECT title FROM items WHERE is_trainable ORDER BY item_id")


def stream_histories(
    connection: Connection, *, history_version: int | None = None
) -> Iterator[tuple[int, str, list[Bought]]]:
    """Yield (user_no, user_id, history) for every user, by user number; a history may be empty.

    A history is ordered by (event_no, ordinal, item_id bytes) of each item's latest event among
    those up to ``history_version`` (None: all). It runs several statements: for a consistent
    snapshot during imports, the caller's transaction must be REPEATABLE READ.
    """
    known: dict[int, Bought] = {}
    for users, found in _slices(connection, history_version, _HISTORIES):
        item_nos = {row.user_no: row.item_nos for row in found}
        _cache_items(connection, known, item_nos.values())
        for user in users:
            history = [known[number] for number in item_nos.get(user.user_no, ())]
            yield user.user_no, user.user_id, history


def stream_purchases(
    connection: Connection, *, history_version: int
) -> Iterator[tuple[list[int], list[int]]]:
    """Yield (item numbers, event numbers), oldest first, of every user with purchases.

    Ordered by user number. Purchases of equal time have the same event number. The histories and
    the isolation level are those of ``stream_histories``.
    """
    for _, found in _slices(connection, history_version, _PURCHASES):
        for row in sorted(found, key=lambda row: row.user_no):
            yield row.item_nos, row.event_nos


def load_item_numbers(
    connection: Connection, user_nos: Sequence[int], history_version: int
) -> dict[int, list[int]]:
    """Return user number -> item numbers of the whole history, oldest first."""
    found = connection.execute(_HISTORIES_OF, {"users": list(user_nos), "version": history_version})
    return {row.user_no: row.item_nos for row in found}


def load_histories(
    connection: Connection, user_nos: Sequence[int], history_version: int
) -> dict[int, list[Bought]]:
    """Return user number -> history, as ``stream_histories`` yields it, of users with purchases."""
    item_nos = load_item_numbers(connection, user_nos, history_version)
    known: dict[int, Bought] = {}
    _cache_items(connection, known, item_nos.values())
    return {user: [known[number] for number in own] for user, own in item_nos.items()}


def _slices(
    connection: Connection, history_version: int | None, statement: TextClause
) -> Iterator[tuple[Sequence[Row[Any]], Sequence[Row[Any]]]]:
    """Yield slices of users, as (user_no, user_id), with the rows of users with purchases."""
    last = -1
    while users := connection.execute(_USERS, {"after": last, "most": _SLICE}).all():
        first, last = users[0].user_no, users[-1].user_no
        found = connection.execute(
            statement, {"first": first, "last": last, "version": history_version}
        )
        yield users, found.all()


def stream_events(connection: Connection) -> Iterator[tuple[int, str, list[int], list[int]]]:
    """Yield (user_no, user_id, item numbers, event numbers) of users with purchases.

    Ordered by user number, events in history order. For a consistent snapshot, the caller's
    transaction must be REPEATABLE READ.
    """
    last = -1
    while users := connection.execute(_USERS, {"after": last, "most": _SLICE}).all():
        first, last = users[0].user_no, users[-1].user_no
        yield from map(tuple, connection.execute(_EVENTS, {"first": first, "last": last}))


def has_times(connection: Connection) -> bool:
    """Return whether every purchase has a time; False: only the order within a user is known."""
    found = connection.execute(
        text("SELECT NOT EXISTS (SELECT FROM interactions WHERE event_at IS NULL)")
    )
    return bool(found.scalar_one())


def _cache_items(
    connection: Connection, known: dict[int, Bought], item_nos: Iterable[list[int]]
) -> None:
    """Add missing items to the cache ``known``, after clearing it if it is full."""
    wanted = set().union(*item_nos)
    missing = wanted - known.keys()
    if len(known) + len(missing) > _KEPT_TITLES:
        known.clear()
        missing = wanted
    if missing:
        rows = connection.execute(_ITEMS, {"numbers": sorted(missing)})
        known.update((row[0], (row[0], row[1], row[2])) for row in rows)


def load_trainable_titles(connection: Connection) -> list[str]:
    """Return the titles that a language model may be trained on, in order of item id."""
    return list(connection.execute(_TRAINABLE).scalars())


def count_users(connection: Connection) -> int:
    """Return the number of users."""
    return int(connection.execute(text("SELECT count(*) FROM users")).scalar_one())


def user_number(connection: Connection, user_id: str) -> int | None:
    """Return the number of the user with this id; None: there is none."""
    found = connection.execute(
        text("SELECT user_no FROM users WHERE user_id = :user_id"), {"user_id": user_id}
    ).scalar_one_or_none()
    return None if found is None else int(found)


def user_numbers(connection: Connection, user_ids: Iterable[str]) -> dict[str, int]:
    """Return user id -> user number for the ids that exist."""
    found = connection.execute(
        text("SELECT user_id, user_no FROM users WHERE user_id = ANY(:ids)"),
        {"ids": sorted(user_ids)},
    )
    return {row.user_id: row.user_no for row in found}


def item_numbers(connection: Connection, item_ids: Iterable[str]) -> dict[str, int]:
    """Return item id -> item number for the ids that are in the catalog."""
    found = connection.execute(
        text("SELECT item_id, item_no FROM items WHERE item_id = ANY(:ids)"),
        {"ids": sorted(item_ids)},
    )
    return {row.item_id: row.item_no for row in found}


def data_versions(connection: Connection) -> dict[str, int]:
    """Return the versions of catalog and histories that this transaction sees."""
    row = connection.execute(text("SELECT catalog_version, history_version FROM catalog_state"))
    return dict(row.mappings().one())
