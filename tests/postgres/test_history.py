from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text

from gpt4rec_es.db.rows import history
from gpt4rec_es.db.rows.history import item_numbers, load_trainable_titles, stream_histories
from tests.databases import Database


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with database.engine.begin() as connection:
        yield connection


def fill(connection: Connection, events: list[tuple[str, str, int, int, int]]) -> None:
    """Insert users, items and (user, item, event_no, ordinal, version) in the given order."""
    for user_id in sorted({event[0] for event in events} | {"nobody"}):
        connection.execute(text("INSERT INTO users (user_id) VALUES (:id)"), {"id": user_id})
    for item_id in sorted({event[1] for event in events}, reverse=True):
        title = {"untitled": None, "spam": "x" * 401}.get(item_id, f"title {item_id}")
        connection.execute(
            text("INSERT INTO items (item_id, title, version) VALUES (:id, :title, 1)"),
            {"id": item_id, "title": title},
        )
    for user_id, item_id, event_no, ordinal, version in events:
        connection.execute(
            text(
                "INSERT INTO interactions (user_no, item_no, event_no, ordinal, version) "
                "SELECT user_no, item_no, :event_no, :ordinal, :version FROM users, items "
                "WHERE user_id = :user_id AND item_id = :item_id"
            ),
            {
                "user_id": user_id,
                "item_id": item_id,
                "event_no": event_no,
                "ordinal": ordinal,
                "version": version,
            },
        )


def read(connection: Connection, version: int | None = None) -> dict[str, list[str | None]]:
    found = stream_histories(connection, history_version=version)
    return {user_id: [title for _, title, _ in bought] for _, user_id, bought in found}


EVENTS = [
    ("u", "b", 10, 0, 1),
    ("u", "a", 20, 2, 1),
    ("u", "c", 20, 1, 1),
    ("u", "b", 30, 0, 2),  # bought again: only this event is used
    ("v", "Z", 5, 0, 1),  # equal time and ordinal: by the bytes of the id
    ("v", "a", 5, 0, 1),
    ("v", "é", 5, 0, 1),
    ("v", "untitled", 7, 0, 1),
    ("v", "spam", 8, 0, 2),
]


def test_each_item_once_at_its_latest_event_in_time_order(connection: Connection) -> None:
    fill(connection, EVENTS)
    assert read(connection) == {
        "nobody": [],
        "u": ["title c", "title a", "title b"],
        "v": ["title Z", "title a", "title é", None, "x" * 401],
    }


def test_up_to_a_version(connection: Connection) -> None:
    fill(connection, EVENTS)
    assert read(connection, 1)["u"] == ["title b", "title c", "title a"]
    assert read(connection, 1)["v"][-1] is None
    assert set(map(len, read(connection, 0).values())) == {0}


def test_trainable_titles_are_marked(connection: Connection) -> None:
    fill(connection, EVENTS)
    bought = {user_id: items for _, user_id, items in stream_histories(connection)}
    assert [trainable for _, _, trainable in bought["v"]] == [True, True, True, False, False]
    assert load_trainable_titles(connection) == [
        "title Z",
        "title a",
        "title b",
        "title c",
        "title é",
    ]


def test_slices_and_forgotten_titles_change_nothing(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [
        (f"u{n:03d}", f"i{(n * step) % 37}", step, 0, 1) for n in range(60) for step in (1, 2)
    ]
    fill(connection, events)
    whole = list(stream_histories(connection))
    monkeypatch.setattr(history, "_SLICE", 7)
    monkeypatch.setattr(history, "_KEPT_TITLES", 20)
    assert list(stream_histories(connection)) == whole
    assert [user_no for user_no, _, _ in whole] == sorted(user_no for user_no, _, _ in whole)
    assert len(whole) == 61


def test_an_empty_shop(connection: Connection) -> None:
    assert read(connection) == {}
    assert load_trainable_titles(connection) == []
    assert item_numbers(connection, []) == {}


def test_item_numbers_of_known_ids(connection: Connection) -> None:
    fill(connection, EVENTS)
    found = item_numbers(connection, ["a", "b", "nothing"])
    assert set(found) == {"a", "b"}
    assert len(set(found.values())) == 2
