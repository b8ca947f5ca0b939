"""Rows of builds: a pinned build is not deleted, a deleted build cannot be pinned."""

import threading

import pytest
from sqlalchemy import Engine, text

from gpt4rec_es.db.rows import builds as rows
from gpt4rec_es.db.rows.builds import Build
from gpt4rec_es.db.rows.pins import load_pins, pin, pinnable, retire, set_pinned
from gpt4rec_es.errors import ConflictError, UsageError
from gpt4rec_es.records import Bm25
from tests.databases import Database, wait_for_lock
from tests.elastic.catalogs import pin_by_run


@pytest.fixture
def engine(database: Database) -> Engine:
    return database.engine


def make(engine: Engine, name: str, parent: Build | None = None) -> Build:
    with engine.begin() as connection:
        build = rows.start(
            connection,
            index_name=name,
            alias="items",
            kind="full" if parent is None else "derived",
            parent=parent,
            catalog_version=3,
            bm25=Bm25(0.9, 0.4),
            mapping_hash="m",
            actor="me",
            reason=None,
        )
        return rows.finish(connection, build.build_no, "uuid", 12)


def test_a_build_is_read_as_it_was_stored(engine: Engine) -> None:
    first = make(engine, "items-1")
    second = make(engine, "items-2", first)
    with engine.connect() as connection:
        assert rows.load(connection, first.build_no) == first
        assert rows.find_by_index(connection, "items-2") == second
        assert rows.find_by_index(connection, "items-3") is None
        assert rows.list_builds(connection, "items") == [second, first]
        assert rows.list_builds(connection, "items", ["failed"]) == []
        assert rows.list_builds(connection, "other") == []
        with pytest.raises(UsageError, match="There is no build 99"):
            rows.load(connection, 99)
    assert (first.kind, second.kind, second.parent_build_no) == ("full", "derived", first.build_no)
    assert (first.bm25, first.state, first.document_count) == (Bm25(0.9, 0.4), "ready", 12)
    assert first.ready_at is not None


def test_only_an_unfinished_build_fails(engine: Engine) -> None:
    ready = make(engine, "items-1")
    with engine.begin() as connection:
        rows.fail(connection, ready.build_no, "too late")
        assert rows.load(connection, ready.build_no) == ready


def test_what_is_retired_cannot_be_pinned(engine: Engine) -> None:
    build = make(engine, "items-1")
    with engine.begin() as connection:
        assert retire(connection, build.build_no)
        assert not retire(connection, build.build_no)
    with engine.begin() as connection, pytest.raises(ConflictError, match="cannot be searched"):
        pin(connection, build.build_no)


def test_what_is_pinned_is_not_retired_not_even_while_the_run_is_being_planned(
    engine: Engine,
) -> None:
    build = make(engine, "items-1")
    retired: list[bool] = []

    def try_to_retire() -> None:
        with engine.begin() as connection:
            retired.append(retire(connection, build.build_no))

    with engine.begin() as planner:
        assert pin(planner, build.build_no) == build
        thread = threading.Thread(target=try_to_retire)
        thread.start()
        wait_for_lock(engine)
        pin_by_run(planner, build.build_no, "planned")
    thread.join()
    assert retired == [False]
    with engine.begin() as connection:
        assert load_pins(connection) == {build.build_no: [f"run {build.build_no}"]}
        connection.execute(text("UPDATE runs SET state = 'failed'"))
        set_pinned(connection, build.build_no, True)
        assert load_pins(connection) == {build.build_no: ["hand"]}
        assert not retire(connection, build.build_no)
        set_pinned(connection, build.build_no, False)
        assert load_pins(connection) == {}
        assert retire(connection, build.build_no)
        with pytest.raises(UsageError, match="is deleted; it cannot be pinned"):
            pinnable(connection, build.build_no, True)
        assert pinnable(connection, build.build_no, False).state == "deleted"
