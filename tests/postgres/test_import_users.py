"""Importing users: new ones, attributes, and that every user is in the cohort of a night."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gpt4rec_es.catalog.import_job import ImportReport
from gpt4rec_es.catalog.import_users import import_users
from gpt4rec_es.db.rows.history import stream_histories
from gpt4rec_es.errors import UsageError
from tests.databases import Database


class Users:
    """A database without users; imports texts as files."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.engine = database.engine
        self.path = folder / "users.csv"

    def load(self, content: str, **options: Any) -> ImportReport:
        self.path.write_text(content)
        return import_users(self.engine, [self.path], actor="tester", **options)

    @property
    def stored(self) -> list[tuple[Any, ...]]:
        with self.engine.begin() as connection:
            rows = connection.execute(text("SELECT user_id, attributes FROM users ORDER BY 1"))
            return [tuple(row) for row in rows]


@pytest.fixture
def users(database: Database, tmp_path: Path) -> Users:
    return Users(database, tmp_path)


def test_users_and_attributes(users: Users) -> None:
    content = "id,segment,age\nann,gold,31\nbob,,NULL\nann,,32\n"
    options: dict[str, Any] = {"columns": {"user_id": "id"}, "attributes": ["segment", "age"]}
    report = users.load(content, **options)
    assert (report.records, report.inserted, report.users_created) == (3, 2, 2)
    assert (report.duplicates, report.updated, report.version) == (1, 0, 0)
    assert users.stored == [("ann", {"age": "32", "segment": "gold"}), ("bob", None)]
    report = users.load(content, **options)
    assert (report.inserted, report.updated, report.unchanged) == (0, 0, 2)
    report = users.load("id,segment,age\nbob,silver,\n", **options)
    assert (report.inserted, report.updated) == (0, 1)
    assert users.stored[1] == ("bob", {"segment": "silver"})


def test_a_user_without_purchases_has_an_empty_history(users: Users) -> None:
    users.load("user_id\nann\n")
    with users.engine.connect() as connection, connection.begin():
        assert [row[1:] for row in stream_histories(connection)] == [("ann", [])]


def test_a_dry_run_and_rejects(users: Users) -> None:
    report = users.load("user_id,note\nann,x\nNULL,y\n", max_rejects=0.5, dry_run=True)
    assert (report.inserted, report.rejected) == (1, {"missing_id": 1})
    assert users.stored == []
    with pytest.raises(UsageError, match="no column segment"):
        users.load("user_id\nann\n", attributes=["segment"])
    with pytest.raises(UsageError, match="2 columns named age"):
        users.load("user_id,age,age\nann,1,2\n", attributes=["age"])


def test_typed_attributes(users: Users, tmp_path: Path) -> None:
    users.path = tmp_path / "users.jsonl"
    rows = [
        {"user_id": 7, "age": 31, "is_member": True, "score": 0.5},
        {"user_id": "8", "age": [1]},
        {"user_id": "9", "age": "x" * 2001},
    ]
    report = users.load(
        "\n".join(map(json.dumps, rows)), attributes=["age", "is_member", "score"], max_rejects=1
    )
    assert report.rejected == {"bad_text": 1, "field_too_long": 1}
    assert users.stored == [("7", {"age": 31, "is_member": True, "score": 0.5})]
