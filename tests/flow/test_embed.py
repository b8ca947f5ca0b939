"""Nights with a re-ranker: vectors of items before planning, of users in a stage of their own."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from gpt4rec_es.cli.main import run as run_command
from gpt4rec_es.db import locks
from gpt4rec_es.db.rows import rerankers, runs
from gpt4rec_es.db.rows.history import stream_histories
from gpt4rec_es.db.rows.metadata import ItemFields
from gpt4rec_es.db.rows.shards import claim
from gpt4rec_es.errors import ConflictError, DataError, GateError, UsageError
from gpt4rec_es.night import plan
from gpt4rec_es.night.drain import drain
from gpt4rec_es.night.inprocess import plan_summary, run_night
from gpt4rec_es.night.inputs.item_vectors import (
    ensure_item_vectors,
    load_item_vectors,
    load_run_items,
    load_run_vectors,
)
from gpt4rec_es.night.inputs.parts import NightParts
from gpt4rec_es.night.publish.collect import collect
from gpt4rec_es.night.publish.prune import prune
from gpt4rec_es.night.stages.advance import advance, queue_of
from gpt4rec_es.night.start import start_night
from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.options.recipe import Recipe
from gpt4rec_es.ranking.vectors import Fixed, with_last
from gpt4rec_es.records import Decoding
from tests.databases import Database
from tests.flow.conftest import use_titles
from tests.servers import Servers
from tests.shop import Shop, make_shop, use_recipe
from tests.vector_maker import TitleVectors, register

DAY = dt.date(2026, 11, 22)
USERS = 39  # with purchases
RECIPE = Recipe(
    decoding=Decoding(num_queries=3, num_beams=4, max_new_tokens=8),
    fusion=Fusion(
        (("queries", 1.0), ("history_titles", 1.0)),
        method="learned",
        coefficients=(("query_best", 1.0), ("rerank", 0.5)),
        history=2,
    ),
    reranker="titles",
)


@pytest.fixture
def maker() -> TitleVectors:
    return TitleVectors()


@pytest.fixture
def shop(servers: Servers, database: Database, alias: str) -> Shop:
    """A shop whose live recipe names a registered re-ranker; some users have a gender."""
    use_titles(database)
    made = make_shop(servers, database, alias)
    with database.engine.begin() as connection:
        register(connection)
        use_recipe(connection, "reranked", RECIPE)
        connection.execute(
            text('UPDATE users SET attributes = \'{"gender": "F"}\' WHERE user_no % 3 = 0')
        )
    return made


def parts_with(shop: Shop, maker: Any) -> NightParts:
    return replace(shop.runtime().night_parts(), open_reranker=lambda _: maker)


def night(shop: Shop, maker: Any, date: dt.date = DAY, **settings: object) -> str:
    options = shop.runtime(**settings).night_options()
    return run_night(parts_with(shop, maker), options, date).state


def vectors(database: Database, run_no: int = 1) -> dict[int, bytes]:
    with database.engine.connect() as connection:
        found = connection.execute(
            text("SELECT user_no, vector FROM run_user_vectors WHERE run_no = :n"), {"n": run_no}
        )
        return {row.user_no: bytes(row.vector) for row in found}


def expected(database: Database, maker: TitleVectors) -> dict[int, Fixed]:
    """Return the vectors by one call with all histories."""
    with database.engine.connect() as connection:
        histories = {
            user_no: [item_no for item_no, _, _ in history[::-1]]
            for user_no, _, history in stream_histories(connection)
            if history
        }
        items = load_run_items(connection, runs.load(connection, 1))
    places = {int(item): place for place, item in enumerate(items.item_nos)}
    rows = [[places[item] for item in history] for history in histories.values()]
    attributes = [{"gender": "F"} if user_no % 3 == 0 else {} for user_no in histories]
    made = maker.user_vectors(rows, items.vectors, attributes)
    return dict(zip(histories, made, strict=True))


def shards(database: Database, stage: str = "embed") -> list[Any]:
    with database.engine.connect() as connection:
        found = connection.execute(
            text("SELECT state, attempt, members FROM shards WHERE stage = :stage"),
            {"stage": stage},
        )
        return list(found)


def test_users_with_purchases_get_the_vectors_of_their_newest_items(
    shop: Shop,
    database: Database,
    maker: TitleVectors,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
) -> None:
    assert night(shop, maker) == "published"
    assert len(maker.read) == 60
    with database.engine.connect() as connection:
        run = runs.load(connection, 1)
        loaded = load_run_vectors(connection, run, list(range(1, 41)))
        assert loaded.items.of(np.arange(1, 61))[1].all()
    wanted = expected(database, maker)
    assert len(wanted) == USERS
    assert loaded.users.keys() == wanted.keys()
    assert all((loaded.users[user] == wanted[user]).all() for user in wanted)
    assert run.reranker_no == 1
    assert run.manifest["reranker"] == {
        "reranker_no": 1,
        "name": "titles",
        "content_hash": maker.content_hash,
        "catalog_version": 1,
    }
    # The fusion reads two purchases, the re-ranker three.
    assert run.manifest["frozen_history"] == 3
    assert [row.state for row in shards(database)] == ["done"] * 5
    shop.enter(monkeypatch)
    assert run_command(["runs", "show", "latest", "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    stages = {row["stage"]: (row["done"], row["total"], row["unit"]) for row in status["stages"]}
    assert list(stages) == ["generate", "embed", "search", "merge"]
    assert stages["embed"] == (USERS, USERS, "users")
    assert status["reranker"] == "titles"
    assert run_command(["runs", "show", "latest"]) == 0
    assert "titles" in capsys.readouterr().out
    with database.analyst_engine.connect() as connection:
        row = connection.execute(text("SELECT reranker_name, reranker_hash FROM analytics.runs"))
        assert tuple(row.one()) == ("titles", maker.content_hash)


def test_an_unchanged_catalog_costs_nothing_and_older_nights_stay_exact(
    shop: Shop, database: Database, maker: TitleVectors
) -> None:
    night(shop, maker)
    night(shop, maker, DAY + dt.timedelta(days=1))
    assert len(maker.read) == 60
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE items SET title = 'x', version = 2 WHERE item_no = 4"))
        connection.execute(text("UPDATE catalog_state SET catalog_version = 2"))
    night(shop, maker, DAY + dt.timedelta(days=2))
    assert maker.read[60:] == ["i004"]
    with database.engine.connect() as connection:
        first, third = (load_run_items(connection, runs.load(connection, n)) for n in (1, 3))
    assert (first.of([4])[0] != third.of([4])[0]).any()
    assert (first.of([5])[0] == third.of([5])[0]).all()


def test_a_prune_leaves_the_vectors_that_kept_nights_froze(
    shop: Shop, database: Database, maker: TitleVectors
) -> None:
    for n in range(4):
        night(shop, maker, DAY + dt.timedelta(days=n))
        with database.engine.begin() as connection:
            connection.execute(
                text("UPDATE items SET title = :title, version = :v WHERE item_no = 4"),
                {"title": f"x{n}", "v": n + 2},
            )
            connection.execute(text("UPDATE catalog_state SET catalog_version = :v"), {"v": n + 2})

    def kept(run_no: int) -> Any:
        with database.engine.connect() as connection:
            return load_run_items(connection, runs.load(connection, run_no))

    before = {n: kept(n) for n in (3, 4)}
    parts = parts_with(shop, maker)
    assert prune(parts, keep_published=2, keep_rejected=0).item_vectors == 2
    for n, items in before.items():
        assert (kept(n).item_nos == items.item_nos).all()
        assert (kept(n).vectors == items.vectors).all()
    assert vectors(database, 1) == {}
    assert len(vectors(database, 3)) == USERS
    assert prune(parts, keep_published=2, keep_rejected=0).item_vectors == 0
    # Made for the next night, which is not planned yet: nothing of it is deleted.
    with database.engine.connect() as connection:
        row = rerankers.get(connection, "titles")
    version = ensure_item_vectors(parts.engine, row, maker)
    assert prune(parts, keep_published=0, keep_rejected=0).item_vectors == 0
    with database.engine.connect() as connection:
        assert len(load_item_vectors(connection, 1, version).item_nos) == 60


def test_the_first_vectors_are_made_in_sight_and_keep_nobody_waiting(
    shop: Shop, database: Database
) -> None:
    class Watching(TitleVectors):
        def item_vectors(self, *given: Any) -> Fixed:
            for lock in ("plan nightly", "prune"):  # those of `users forget`
                with locks.hold_lock(database.engine, lock):
                    pass
            return super().item_vectors(*given)

    seen: list[tuple[int, int | None]] = []
    parts, options = parts_with(shop, Watching()), shop.runtime().night_options()
    start_night(parts, options, DAY, progress=lambda *state: seen.append(state))
    assert seen[0] == (60, 60)  # items
    assert seen[-1] == (40, 40)  # users
    with database.engine.connect() as connection:
        assert rerankers.get(connection, "titles").vectors_version == 1


def test_a_prune_during_planning_is_planned_again(
    shop: Shop, database: Database, maker: TitleVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The night's recipe is not the live one, so a prune thinks that nothing uses the vectors."""
    options = shop.runtime().night_options()
    with database.engine.begin() as connection:
        use_recipe(connection, "plain")
    make, pruned = plan.vectors_version, []

    def prune_after(*given: Any) -> int | None:
        version = make(*given)
        pruned.append(collect(database.engine).item_vectors if len(pruned) < 2 else 0)
        return version

    monkeypatch.setattr(plan, "vectors_version", prune_after)
    run = start_night(parts_with(shop, maker), options, DAY).run
    assert pruned[0] == 60
    with database.engine.connect() as connection:
        assert len(load_run_items(connection, run).item_nos) == 60
    assert collect(database.engine).item_vectors == 0


def test_vectors_that_do_not_fit_are_refused_before_a_run_exists(
    shop: Shop, database: Database
) -> None:
    class TooLarge(TitleVectors):
        def item_vectors(self, item_ids: Sequence[str], rows: Sequence[ItemFields]) -> Fixed:
            return with_last(np.full((len(rows), 2), 33.5), 0)

    with pytest.raises(DataError, match=r"value 33\.5; .*Train it again"):
        night(shop, TooLarge())
    with database.engine.connect() as connection:
        for table in ("runs", "item_vectors"):
            count = connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
            assert count == 0, table


def test_a_night_without_a_reranker_has_no_such_stage(
    shop: Shop, database: Database, maker: TitleVectors
) -> None:
    with database.engine.begin() as connection:
        use_recipe(connection, "plain")
    assert night(shop, maker) == "published"
    assert shards(database) == []
    assert maker.read == []
    with database.engine.connect() as connection:
        run = runs.load(connection, 1)
    assert run.reranker_no is None
    assert "reranker" not in run.manifest


class Stopping(TitleVectors):
    """A re-ranker whose process stops at its second batch of users."""

    calls = 0

    def user_vectors(self, *given: Any) -> Fixed:
        self.calls += 1
        if self.calls == 2:
            raise KeyboardInterrupt
        return super().user_vectors(*given)


def test_a_stopped_and_a_killed_shard_are_repeated(
    shop: Shop, database: Database, maker: TitleVectors
) -> None:
    with pytest.raises(KeyboardInterrupt):
        night(shop, Stopping())
    assert len(vectors(database)) == 8
    parts, options = parts_with(shop, maker), shop.runtime(lease_seconds=2).night_options()
    run = start_night(parts, options, DAY).run
    assert (run.state, queue_of(run)) == ("embedding", "generation")
    # Killed at work: only its lease is left.
    with database.engine.begin() as connection:
        dead = claim(connection, run.run_no, "embed", "dead", 0.1)
    assert dead is not None
    drain(parts, options, run.run_no, "other", ["generate", "embed"])
    assert maker.read == []  # all item vectors were stored at planning
    rows = shards(database)
    assert [row.state for row in rows] == ["done"] * 5
    assert sorted(row.attempt for row in rows) == [1, 1, 1, 1, 3]
    wanted = expected(database, maker)
    assert vectors(database) == {user: one.astype("<i2").tobytes() for user, one in wanted.items()}
    now = advance(parts.engine, run.run_no)
    assert (now.state, queue_of(now)) == ("searching", "retrieval")
    assert drain(parts, options, run.run_no, "other").run.state == "published"


def test_a_worker_that_lost_its_shard_stores_nothing(
    shop: Shop, database: Database, maker: TitleVectors
) -> None:
    class Late(TitleVectors):
        """While it works, another worker takes its shard over and finishes it."""

        helped = False

        def user_vectors(self, *given: Any) -> Fixed:
            if not self.helped:
                self.helped = True
                with database.engine.begin() as connection:
                    connection.execute(
                        text("UPDATE shards SET lease_until = now() WHERE stage = 'embed'")
                    )
                drain(parts_with(shop, maker), options, 1, "other", ["embed"])
            return super().user_vectors(*given)

    options = shop.runtime().night_options()
    assert night(shop, Late()) == "published"
    assert len(vectors(database)) == USERS
    assert sorted(row.attempt for row in shards(database)) == [1, 1, 1, 1, 2]


def test_a_user_that_cannot_be_embedded_gets_a_list_without(shop: Shop, database: Database) -> None:
    class Poisoned(TitleVectors):
        def user_vectors(
            self,
            histories: Sequence[Sequence[int]],
            item_vectors: Fixed,
            attributes: Sequence[Mapping[str, Any]] | None = None,
        ) -> Fixed:
            if any(one.get("poison") for one in attributes or ()):
                raise ValueError("poison")
            return super().user_vectors(histories, item_vectors, attributes)

    with database.engine.begin() as connection:
        connection.execute(
            text("UPDATE users SET attributes = '{\"poison\": true}' WHERE user_no = 5")
        )
    with pytest.raises(GateError, match="re ranker took part: 1 of 39 users with purchases"):
        night(shop, Poisoned(), max_failures=1)
    assert night(shop, Poisoned(), max_failures=1, gate_limits="failed=0.03") == "published"
    found = vectors(database, 2)
    assert len(found) == USERS - 1
    assert 5 not in found
    with database.engine.connect() as connection:
        lists = connection.execute(text("SELECT count(DISTINCT user_no) FROM recommendations"))
        assert lists.scalar_one() == 40


def test_what_cannot_be_used_is_refused_before_any_work(
    shop: Shop, database: Database, maker: TitleVectors, caplog: pytest.LogCaptureFixture
) -> None:
    maker.content_hash = "other"
    with pytest.raises(ConflictError, match="files of re-ranker 'titles' changed"):
        night(shop, maker)
    # Of the registered folder nothing is there.
    parts, options = shop.runtime().night_parts(), shop.runtime().night_options()
    with pytest.raises(UsageError, match="folder of re-ranker 'titles' is gone: /there"):
        run_night(parts, options, DAY)
    plan_summary(parts, options, DAY)
    assert "a night here would be refused. The folder of re-ranker titles is gone" in caplog.text
    with database.engine.begin() as connection:
        use_recipe(connection, "missing", replace(RECIPE, reranker="none"))
    with pytest.raises(UsageError, match=r"no re-ranker 'none'.*There are: titles"):
        night(shop, maker)
    with pytest.raises(UsageError, match="no re-ranker 'none'"):
        plan_summary(parts, shop.runtime().night_options(), DAY)
    with database.engine.connect() as connection:
        for table in ("runs", "item_vectors", "builds"):
            count = connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
            assert count == 0, table


def test_an_import_during_planning_is_planned_again(
    shop: Shop, database: Database, maker: TitleVectors
) -> None:
    parts = parts_with(shop, maker)
    imports = iter(["late"])

    def ensure_index(encoder: str | None) -> int:
        build_no = parts.ensure_index(encoder)
        for title in imports:  # after the build, before the vectors
            with database.engine.begin() as connection:
                connection.execute(
                    text("INSERT INTO items (item_id, title, version) VALUES ('new', :t, 2)"),
                    {"t": title},
                )
                connection.execute(text("UPDATE catalog_state SET catalog_version = 2"))
        return build_no

    options = shop.runtime().night_options()
    run = start_night(replace(parts, ensure_index=ensure_index), options, DAY).run
    assert run.manifest["reranker"]["catalog_version"] == 2
    assert run.manifest["build"]["catalog_version"] == 2
