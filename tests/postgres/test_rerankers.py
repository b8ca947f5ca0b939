"""Rows of re-rankers and their vectors: registered once, made once, exact for older versions."""

import pytest
from sqlalchemy import Connection, Engine, text

from gpt4rec_es.db import locks
from gpt4rec_es.db.rows import encoders, rerankers, runs
from gpt4rec_es.db.rows import item_vectors as rows
from gpt4rec_es.errors import ConflictError, LockedError, UsageError
from gpt4rec_es.night.inputs import item_vectors
from gpt4rec_es.night.inputs.item_vectors import (
    ensure_item_vectors,
    load_item_vectors,
    load_run_items,
    load_run_vectors,
)
from gpt4rec_es.night.publish import old_vectors
from gpt4rec_es.night.publish.collect import collect
from gpt4rec_es.night.publish.prune_lock import lock_alone
from gpt4rec_es.night.publish.remove_reranker import remove_reranker
from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.options.recipe import NamedRecipe, Recipe, with_vectors
from gpt4rec_es.ranking.vectors import quantise
from gpt4rec_es.recipes.lacks import lacks
from tests.databases import Database
from tests.rows import add_run
from tests.shop import use_recipe
from tests.vector_maker import TitleVectors, register

RERANKED = Recipe(
    fusion=Fusion(
        (("history_titles", 1.0),), method="learned", coefficients=(("rerank", 0.5),), history=2
    ),
    reranker="titles",
)


@pytest.fixture
def shop(database: Database) -> Database:
    """A catalog of six items at version 1, one of them inactive and one without a title."""
    with database.engine.begin() as connection:
        connection.execute(
            text("""
            INSERT INTO items (item_id, title, is_active, version) VALUES
                ('a', 'aa lamp', true, 1), ('b', 'bb lamp', true, 1), ('c', 'cc lamp', false, 1),
                ('d', NULL, true, 1), ('e', 'ee lamp', true, 1), ('f', 'ff lamp', true, 1);
            UPDATE catalog_state SET catalog_version = 1
            """)
        )
        register(connection)
    return database


def change(shop: Database, statement: str) -> None:
    """Change items as an import does: their rows and the catalog have the next version."""
    with shop.engine.begin() as connection:
        connection.execute(text("UPDATE catalog_state SET catalog_version = catalog_version + 1"))
        connection.execute(
            text(statement.replace(":version", "(SELECT catalog_version FROM catalog_state)"))
        )


def ensure(engine: Engine, maker: TitleVectors, name: str = "titles") -> int:
    with engine.connect() as connection:
        row = rerankers.get(connection, name)
    return ensure_item_vectors(engine, row, maker)


def stored(shop: Database) -> int:
    with shop.engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM item_vectors")).scalar_one())


def test_registering_is_idempotent_and_a_folder_that_moved_is_noted(database: Database) -> None:
    with database.engine.begin() as connection:
        first = register(connection)
        again = register(connection, path="/elsewhere", gpt2="/gpt2")
        assert (again.reranker_no, again.path, again.gpt2) == (1, "/elsewhere", "/gpt2")
        assert first.vectors_version is None
        register(connection, "second")
        assert [one.name for one in rerankers.load_all(connection)] == ["titles", "second"]
        with pytest.raises(UsageError, match="other content exists already"):
            register(connection, content_hash="other")
        with pytest.raises(UsageError, match="cannot be the name"):
            register(connection, "a/b")
        with pytest.raises(UsageError, match="There are: titles, second"):
            rerankers.get(connection, "third")


def test_all_items_get_vectors_once(shop: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_vectors, "_STEP", 4)
    monkeypatch.setattr(rows, "_SLICE", 4)
    maker = TitleVectors()
    assert ensure(shop.engine, maker) == 1
    assert maker.read == ["a", "b", "c", "d", "e", "f"]  # also those that cannot be recommended
    assert ensure(shop.engine, maker) == 1
    assert len(maker.read) == 6
    with shop.engine.connect() as connection:
        found = load_item_vectors(connection, 1, 1)
    assert found.item_nos.tolist() == [1, 2, 3, 4, 5, 6]
    assert (found.vectors[0] == quantise([0.97, 0.97, 0.07])).all()
    assert stored(shop) == 6


def test_changed_items_get_new_vectors_and_older_versions_keep_theirs(shop: Database) -> None:
    maker = TitleVectors()
    ensure(shop.engine, maker)
    change(shop, "UPDATE items SET title = 'bright', version = :version WHERE item_id = 'b'")
    change(shop, "UPDATE items SET price = 5, version = :version")
    change(shop, "UPDATE items SET is_active = false, version = :version WHERE item_id = 'a'")
    change(shop, "INSERT INTO items (item_id, title, version) VALUES ('g', 'gg', :version)")
    maker.read.clear()
    assert ensure(shop.engine, maker) == 5
    # A price is not read by this re-ranker; whether an item can be recommended is kept, too.
    assert maker.read == ["a", "b", "g"]
    assert stored(shop) == 9
    with shop.engine.connect() as connection:
        before, now = (load_item_vectors(connection, 1, version) for version in (1, 5))
        assert rerankers.load(connection, 1).vectors_version == 5
    assert (before.is_findable[0], now.is_findable[0]) == (True, False)
    assert len(before.item_nos) == 6
    assert len(now.item_nos) == 7
    assert (before.of([2])[0] == quantise([0.98, 0.98, 0.07])).all()
    assert (now.of([2])[0] == quantise([0.98, 1.14, 0.06])).all()
    assert (now.of([1])[0] == before.of([1])[0]).all()


def test_a_killed_process_loses_one_step(shop: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_vectors, "_STEP", 2)

    class Killed(TitleVectors):
        def item_vectors(self, item_ids, rows):  # type: ignore[no-untyped-def]
            if "e" in item_ids:
                raise KeyboardInterrupt
            return super().item_vectors(item_ids, rows)

    with pytest.raises(KeyboardInterrupt):
        ensure(shop.engine, Killed())
    assert stored(shop) == 4
    change(shop, "UPDATE items SET title = 'dd', version = :version WHERE item_id = 'd'")
    maker = TitleVectors()
    assert ensure(shop.engine, maker) == 2
    assert maker.read == ["d", "e", "f"]
    with shop.engine.connect() as connection:
        assert load_item_vectors(connection, 1, 2).item_nos.tolist() == [1, 2, 3, 4, 5, 6]


def test_an_import_in_between_is_noticed(shop: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_vectors, "_STEP", 2)

    class Slow(TitleVectors):
        imports = 1

        def item_vectors(self, item_ids, rows):  # type: ignore[no-untyped-def]
            if self.imports:
                self.imports -= 1
                change(shop, "UPDATE items SET title = 'xx', version = :version WHERE item_no < 4")
            return super().item_vectors(item_ids, rows)

    assert ensure(shop.engine, Slow()) == 2
    with shop.engine.connect() as connection:
        first, now = (load_item_vectors(connection, 1, version) for version in (1, 2))
    assert (now.of([1])[0] == quantise([1.2, 1.2, 0.02])).all()
    assert (first.of([1])[0] == quantise([0.97, 0.97, 0.07])).all()
    endless = Slow()
    endless.imports = 99
    change(shop, "UPDATE items SET title = 'yy', version = :version")
    with pytest.raises(ConflictError, match="Imports changed the catalog"):
        ensure(shop.engine, endless)


def test_two_processes_do_not_make_the_same_vectors(
    shop: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(item_vectors, "_WAIT_S", 0.1)
    with locks.hold_lock(shop.engine, "item vectors titles"), pytest.raises(LockedError):
        ensure(shop.engine, TitleVectors())


def test_vectors_of_a_run(shop: Database) -> None:
    ensure(shop.engine, TitleVectors())
    change(shop, "UPDATE items SET title = 'zz', version = :version WHERE item_no = 1")
    ensure(shop.engine, TitleVectors())
    with shop.engine.begin() as connection:
        add_run(connection)
        connection.execute(
            text(
                "UPDATE runs SET reranker_no = 1, "
                'manifest = \'{"reranker": {"catalog_version": 1}}\''
            )
        )
        rows.store_user_vectors(connection, 1, [(7, b"\x00\x04\x00\x00\x00\x04")])
        run = runs.load(connection, 1)
        found = load_run_vectors(connection, run, [7, 8])
        assert found.users.keys() == {7}
        assert found.users[7].tolist() == [1024, 0, 1024]
        assert (found.items.of([1])[0] == quantise([0.97, 0.97, 0.07])).all()
        again = load_run_vectors(connection, run, [8], load_run_items(connection, run))
        assert not again.users
        connection.execute(text("UPDATE runs SET reranker_no = NULL"))
        none = load_run_vectors(connection, runs.load(connection, 1), [7])
        assert none.scorer(7) is None


def give_run(shop: Database, version: int) -> None:
    with shop.engine.begin() as connection:
        add_run(connection)
        connection.execute(
            text(
                "UPDATE runs SET reranker_no = 1, manifest = jsonb_build_object('reranker', "
                "jsonb_build_object('catalog_version', :version, 'name', 'titles'))"
            ),
            {"version": version},
        )


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A list with one entry per batch of deletions of vectors."""
    seen: list[float] = []

    def count(connection: Connection, max_wait_s: float) -> None:
        seen.append(max_wait_s)
        lock_alone(connection, max_wait_s)

    monkeypatch.setattr(old_vectors, "lock_alone", count)
    return seen


def test_replaced_vectors_are_deleted_in_batches(shop: Database, batches: list[float]) -> None:
    for _ in range(3):
        ensure(shop.engine, TitleVectors())
        change(shop, "UPDATE items SET title = title || 'x', version = :version")
    ensure(shop.engine, TitleVectors())
    give_run(shop, 3)
    assert stored(shop) == 4 * 5 + 1  # an item without a title does not change
    with shop.engine.connect() as connection:
        before = load_item_vectors(connection, 1, 3)
    assert collect(shop.engine, batch=8).item_vectors == 2 * 5
    assert len(batches) == 4  # slices of two items, the last of them empty
    with shop.engine.connect() as connection:
        after = load_item_vectors(connection, 1, 3)
    assert (before.vectors == after.vectors).all()
    assert before.item_nos.tolist() == after.item_nos.tolist()


def test_all_vectors_of_a_re_ranker_that_nothing_uses_are_deleted(
    shop: Database, batches: list[float]
) -> None:
    with shop.engine.begin() as connection:
        register(connection, "second")
        use_recipe(connection, "reranked", RERANKED)
    ensure(shop.engine, TitleVectors())
    ensure(shop.engine, TitleVectors(), "second")
    give_run(shop, 1)
    # A run has the first one and nothing the second; then only the live recipe names the first.
    assert collect(shop.engine, batch=4).item_vectors == 6
    assert len(batches) == 1 + 3 + 3
    with shop.engine.begin() as connection:
        connection.execute(text("UPDATE runs SET pruned_at = now()"))
        versions = [one.vectors_version for one in rerankers.load_all(connection)]
    assert versions == [1, None]
    assert collect(shop.engine).item_vectors == 0
    with shop.engine.begin() as connection:
        use_recipe(connection, "plain")
    # Being made now, so a night is about to use it.
    with locks.hold_lock(shop.engine, "item vectors titles"):
        assert collect(shop.engine).item_vectors == 0
    assert collect(shop.engine).item_vectors == 6
    assert stored(shop) == 0
    maker = TitleVectors()
    assert ensure(shop.engine, maker) == 1
    assert len(maker.read) == stored(shop) == 6


def test_vectors_stay_while_the_live_recipe_cannot_be_read(shop: Database) -> None:
    ensure(shop.engine, TitleVectors())
    with shop.engine.begin() as connection:
        use_recipe(connection, "newer")
        connection.execute(text("UPDATE recipes SET document = '{\"version\": 99}'"))
    assert collect(shop.engine).item_vectors == 0
    assert stored(shop) == 6


def test_a_re_ranker_that_nothing_uses_is_removed(shop: Database, batches: list[float]) -> None:
    def remove(name: str = "titles", *, dry_run: bool = False) -> int:
        return remove_reranker(shop.engine, name, actor="ops", dry_run=dry_run).item_vectors

    ensure(shop.engine, TitleVectors())
    with pytest.raises(UsageError, match="no re-ranker 'other'"):
        remove("other")
    with shop.engine.begin() as connection:
        use_recipe(connection, "reranked", RERANKED)
    for dry_run in (True, False):
        with pytest.raises(UsageError, match="live recipe reranked names the re-ranker 'titles'"):
            remove(dry_run=dry_run)
    with shop.engine.begin() as connection:
        use_recipe(connection, "plain")
        tower = encoders.register(
            connection,
            name="tower",
            kind="reranker",
            content_hash="x",
            dims=2,
            path=None,
            source="titles",
            actor="ops",
        )
    with pytest.raises(UsageError, match="encoder 'tower' is made of the re-ranker 'titles'"):
        remove()
    with shop.engine.begin() as connection:
        (lack,) = lacks(connection, NamedRecipe("v", with_vectors(Recipe(), "tower")))
        assert "The folder of re-ranker titles is gone" in lack.what
        encoders.mark_removed(connection, tower.encoder_no)
    give_run(shop, 1)
    with pytest.raises(UsageError, match="Runs that are kept have the re-ranker 'titles'"):
        remove()
    with shop.engine.begin() as connection:
        connection.execute(text("UPDATE runs SET pruned_at = now()"))
    with locks.hold_lock(shop.engine, "item vectors titles"), pytest.raises(LockedError):
        remove()
    assert remove(dry_run=True) == stored(shop) == 6
    with shop.engine.connect() as connection:
        row = rerankers.get(connection, "titles")
    assert remove() == 6
    assert stored(shop) == 0
    with shop.engine.connect() as connection:
        assert rerankers.load_all(connection) == []
        run = runs.load(connection, 1)
        entry = connection.execute(
            text("SELECT actor, object, before FROM audit WHERE action = 'reranker_remove'")
        ).one()
        shown = connection.execute(text("SELECT reranker_name FROM analytics.runs")).scalar_one()
    assert run.reranker_no is None
    assert run.manifest["reranker"] == {"catalog_version": 1, "name": "titles"}
    assert shown == "titles"
    assert entry.before["content_hash"] == row.content_hash
    assert tuple(entry)[:2] == ("ops", "titles")
    # A planner that opened it before says so.
    with pytest.raises(UsageError, match="no re-ranker 'titles'"):
        ensure_item_vectors(shop.engine, row, TitleVectors())


def test_vectors_of_users_are_dropped_with_the_run(shop: Database) -> None:
    with shop.engine.begin() as connection:
        add_run(connection, state="cancelled")
        rows.store_user_vectors(connection, 1, [(7, b"\x00\x04\x00\x00\x00\x04")])
        connection.execute(text("SELECT drop_run_partitions(1, true)"))
        assert rows.load_user_vectors(connection, 1, [7]) == {}
        connection.execute(text("UPDATE runs SET pruned_at = NULL, state = 'embedding'"))
    with shop.engine.connect() as connection, pytest.raises(Exception, match="is unfinished"):
        connection.execute(text("SELECT drop_run_partitions(1)"))
