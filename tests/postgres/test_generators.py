import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from gpt4rec_es.db.rows import generators
from gpt4rec_es.errors import UsageError
from gpt4rec_es.generation.registry import add_generator, list_generators, use_generator
from tests.databases import Database


def register(database: Database, name: str, content_hash: str, path: str | None = None) -> None:
    with database.engine.begin() as connection:
        generators.register(
            connection,
            name=name,
            kind="titles",
            path=path,
            content_hash=content_hash,
            card={"seed": 1, "text": "ü"},
        )


def test_registering_is_idempotent_by_name_and_content(database: Database) -> None:
    register(database, "a", "1")
    register(database, "a", "1")
    register(database, "b", "1")
    rows = list_generators(database.engine)
    assert [(row.name, row.content_hash, row.is_current) for row in rows] == [
        ("a", "1", False),
        ("b", "1", False),
    ]
    assert rows[0].card == {"seed": 1, "text": "ü"}


def test_a_folder_that_moved_is_noted(database: Database) -> None:
    register(database, "a", "1", "/old")
    register(database, "a", "1", "/new")
    assert [row.path for row in list_generators(database.engine)] == ["/new"]


def test_a_name_with_other_content_is_refused(database: Database) -> None:
    register(database, "a", "1")
    with pytest.raises(UsageError, match="with other content"):
        register(database, "a", "2")


def test_one_generator_is_current_and_the_change_is_in_the_audit(database: Database) -> None:
    register(database, "a", "1")
    register(database, "b", "2")
    with database.engine.begin() as connection:
        assert generators.current(connection) is None
        assert generators.use(connection, "a", actor="ann").is_current
        generators.use(connection, "b", actor="ben")
        generators.use(connection, "b", actor="ben")
        found = generators.current(connection)
        assert found is not None
        assert found.name == "b"
        assert generators.load(connection, found.generator_no) == found
        audit = connection.execute(
            text("SELECT actor, object, before, after FROM audit ORDER BY audit_no")
        ).all()
    assert [tuple(row) for row in audit] == [
        ("ann", "a", None, {"generator": "a", "content_hash": "1"}),
        ("ben", "b", {"generator": "a"}, {"generator": "b", "content_hash": "2"}),
    ]


def test_two_at_once_leave_one_current(database: Database) -> None:
    names = [f"g{n}" for n in range(6)]
    for name in names:
        register(database, name, name)
    start = threading.Barrier(len(names))
    errors: list[Exception] = []

    def use(name: str) -> None:
        start.wait()
        try:
            with database.engine.begin() as connection:
                generators.use(connection, name, actor="test")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=use, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert sum(row.is_current for row in list_generators(database.engine)) == 1


def test_an_unknown_generator_is_named_with_those_there_are(database: Database) -> None:
    with pytest.raises(UsageError, match=r"no generator 'x'.*gpt4rec train"):
        use_generator(database.engine, "x", actor="test")
    register(database, "a", "1")
    with pytest.raises(UsageError, match=r"no generator 'x'.*There are: a\."):
        use_generator(database.engine, "x", actor="test")


def test_the_titles_generator_needs_no_folder(database: Database) -> None:
    assert add_generator(database.engine, "titles", None, dry_run=True) is None
    assert list_generators(database.engine) == []
    added = add_generator(database.engine, "titles", None)
    assert added is not None
    assert (added.kind, added.path) == ("titles", None)
    assert add_generator(database.engine, "titles", None) == added
    assert use_generator(database.engine, "titles", actor="t", dry_run=True).is_current is False
    assert use_generator(database.engine, "titles", actor="t").is_current


def test_a_checkpoint_is_looked_at_before_it_is_used(
    database: Database, trained_folder: Path, tmp_path: Path
) -> None:
    added = add_generator(database.engine, "tiny", trained_folder)
    assert added is not None
    assert added.path == str(trained_folder)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE generators SET content_hash = 'other'"))
    with pytest.raises(UsageError, match="changed since it was registered"):
        use_generator(database.engine, "tiny", actor="test")
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE generators SET path = :path"), {"path": str(tmp_path)})
    with pytest.raises(UsageError, match="is no checkpoint"):
        use_generator(database.engine, "tiny", actor="test")
    with pytest.raises(UsageError, match="is no checkpoint"):
        add_generator(database.engine, "empty", tmp_path)


@pytest.mark.parametrize("name", ["../../../x", "/tmp/x", "a/b", "", ".x", "x" * 64, "a\nb"])
def test_a_name_that_is_no_folder_name_is_refused(database: Database, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a generator"):
        add_generator(database.engine, name, None)
    assert list_generators(database.engine) == []
