"""Builds on the real server: complete, verified, swapped, pruned, and deleted on failure."""

from dataclasses import replace
from decimal import Decimal

import pytest
from elasticsearch import Elasticsearch
from sqlalchemy import Engine, text

from gpt4rec_es.db.locks import hold_lock
from gpt4rec_es.elastic.alias import alias_targets, swap_alias
from gpt4rec_es.elastic.names import new_index_name
from gpt4rec_es.elastic.retries import Backoff
from gpt4rec_es.errors import ConflictError, DataError, DependencyError, UsageError
from gpt4rec_es.index import building
from gpt4rec_es.index.bm25 import set_bm25
from gpt4rec_es.index.building import BuildOptions
from gpt4rec_es.index.builds import list_builds, rollback_index
from gpt4rec_es.index.bulk import BulkLimits
from gpt4rec_es.index.current import ensure_current
from gpt4rec_es.index.inspect import count_active, describe_index
from gpt4rec_es.index.live import live_build
from gpt4rec_es.index.mapping import Analysis
from gpt4rec_es.index.prune import find_orphans
from gpt4rec_es.index.reindex import ReindexOptions, plan_reindex, reindex
from gpt4rec_es.records import Bm25
from tests.databases import Database
from tests.elastic.catalogs import (
    SHIRTS,
    add_items,
    add_shirts,
    build_index,
    builds_of,
    find,
    pin_by_run,
    swaps_of,
)
from tests.indexes import index_names


@pytest.fixture
def engine(database: Database) -> Engine:
    return database.engine


def test_the_index_holds_every_item_with_a_title(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    add_items(engine, [("A", "red shirt"), ("B", None)], price=Decimal("9.90"))
    add_items(engine, [("C", "green shirt")], is_active=False)
    done: list[tuple[int, int | None]] = []
    report = reindex(
        engine,
        elastic,
        ReindexOptions(alias=alias),
        actor="me",
        reason="first",
        progress=lambda *state: done.append(state),
    )
    index = report.build.index_name
    documents = elastic.search(index=index, sort=["item_id"])["hits"]["hits"]
    assert [hit["_source"] for hit in documents] == [
        {
            "item_id": "A",
            "item_no": 1,
            "title": "red shirt",
            "brand": None,
            "category": None,
            "price": 9.9,
            "is_active": True,
        },
        {
            "item_id": "C",
            "item_no": 3,
            "title": "green shirt",
            "brand": None,
            "category": None,
            "price": None,
            "is_active": False,
        },
    ]
    assert count_active(elastic, index, ["A", "B", "C", "nowhere"]) == 1
    assert count_active(elastic, index, []) == 0
    assert done == [(2, 2)]
    build = live_build(engine, elastic, alias)
    assert (build.document_count, build.catalog_version, build.kind) == (2, 2, "full")
    assert (build.actor, build.reason, build.index_uuid) == (
        "me",
        "first",
        describe_index(elastic, index).uuid,
    )


def test_a_finished_index_is_one_segment_and_cannot_be_written(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    add_items(engine, [(f"I{n}", f"item number {n}") for n in range(60)])
    options = ReindexOptions(alias=alias, build=BuildOptions(limits=BulkLimits(documents=7)))
    report = build_index(engine, elastic, alias, options)
    assert report.requests == 9
    index = report.build.index_name
    shards = elastic.indices.segments(index=index)["indices"][index]["shards"]["0"]
    assert [shard["num_search_segments"] for shard in shards] == [1]
    with pytest.raises(Exception, match="index write"):
        elastic.index(index=index, document={"item_id": "x"})


def test_a_change_of_the_catalog_is_found_after_the_next_reindex_only(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    add_shirts(engine)
    first = build_index(engine, elastic, alias)
    add_items(engine, [("N", "red hat")])
    assert find(engine, elastic, alias, "hat") == []
    second = build_index(engine, elastic, alias)
    assert find(engine, elastic, alias, "hat") == ["N"]
    assert second.replaced == [first.build.index_name]
    assert alias_targets(elastic, alias) == [second.build.index_name]


def test_tuned_values_survive_a_reindex(engine: Engine, elastic: Elasticsearch, alias: str) -> None:
    add_shirts(engine)
    options = ReindexOptions(alias=alias, bm25=Bm25(0.7, 0.2))
    assert build_index(engine, elastic, alias, options).build.bm25 == Bm25(0.7, 0.2)
    set_bm25(engine, elastic, alias, Bm25(0.9, 0.4), actor="me", reason="test")
    again = build_index(engine, elastic, alias, options).build
    assert again.kind == "full"
    assert describe_index(elastic, again.index_name).bm25 == Bm25(0.9, 0.4) == again.bm25


def test_two_builds_before_the_live_one_are_kept_and_pinned_ones_always(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    add_shirts(engine)
    first = build_index(engine, elastic, alias).build
    pin(engine, first.build_no, "generating")
    names = [first.index_name]
    names += [build_index(engine, elastic, alias).build.index_name for _ in range(4)]
    assert index_names(elastic, alias) == sorted([names[0], *names[2:]])
    plan = plan_reindex(engine, elastic, ReindexOptions(alias=alias))
    assert plan.would_delete == [names[2]]
    unpin(engine)
    last = build_index(engine, elastic, alias)
    assert last.deleted == sorted([names[0], names[2]])
    states = {build.index_name: build.state for build in builds_of(engine, alias)}
    assert [states[name] for name in names] == ["deleted", "deleted", "deleted", "ready", "ready"]


def test_what_is_published_and_what_a_rollback_would_show_are_pinned(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    add_shirts(engine)
    published = [build_index(engine, elastic, alias).build for _ in range(2)]
    for build in published:
        pin(engine, build.build_no, "published")
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO publications (kind, run_no, previous_run_no) VALUES ('x', 2, 1)")
        )
    for _ in range(3):
        build_index(engine, elastic, alias)
    kept = set(index_names(elastic, alias))
    assert {build.index_name for build in published} < kept
    assert len(kept) == 5


def pin(engine: Engine, build_no: int, state: str) -> None:
    with engine.begin() as connection:
        pin_by_run(connection, build_no, state)


def unpin(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE runs SET state = 'failed'"))


def test_a_failed_build_is_removed_and_recorded_and_the_old_one_stays_live(
    engine: Engine, elastic: Elasticsearch, alias: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_shirts(engine)
    good = build_index(engine, elastic, alias).build

    def drop_last_document(*args: object, **options: object) -> object:
        documents = list(args[2])[:-1]  # type: ignore[call-overload]
        return load(args[0], args[1], documents, **options)  # type: ignore[arg-type]

    load = building.load_documents
    with monkeypatch.context() as patch:
        patch.setattr(building, "load_documents", drop_last_document)
        with pytest.raises(DataError, match="holds 5 documents instead of 6"):
            build_index(engine, elastic, alias)
    assert index_names(elastic, alias) == [good.index_name]
    assert live_build(engine, elastic, alias) == good
    failed = builds_of(engine, alias)[0]
    assert failed.state == "failed"
    assert "holds 5 documents" in (failed.error or "")


def test_a_document_that_is_refused_fails_the_build(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    add_items(engine, [("A", "red"), ("ü" * 257, "an id too long for an index")])
    with pytest.raises(DataError, match="longer than 512 bytes"):
        build_index(engine, elastic, alias)
    assert index_names(elastic, alias) == []
    assert [build.state for build in builds_of(engine, alias)] == ["failed"]


def test_an_empty_catalog_is_no_index(engine: Engine, elastic: Elasticsearch, alias: str) -> None:
    add_items(engine, [("A", None)])
    for use_case in (plan_reindex, build_plain):
        with pytest.raises(DataError, match="no item with a title"):
            use_case(engine, elastic, ReindexOptions(alias=alias))
    assert builds_of(engine, alias) == []


def build_plain(engine: Engine, client: Elasticsearch, options: ReindexOptions) -> object:
    return reindex(engine, client, options, actor="me")


def test_titles_that_the_analyzer_leaves_nothing_of_fail_the_build(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    add_items(engine, [("A", "???"), ("B", "!!!")])
    with pytest.raises(DataError, match=r"No title in .* has a term"):
        build_index(engine, elastic, alias)
    add_items(engine, [(f"C{n}", "...") for n in range(9)] + [("D", "a word")])
    assert build_index(engine, elastic, alias).documents == 12


def test_a_second_reindex_beside_a_running_one_is_refused(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    add_shirts(engine)
    with (
        hold_lock(engine, f"index {alias}"),
        pytest.raises(ConflictError, match="is already held by tests writer"),
    ):
        build_index(engine, elastic, alias)


def test_a_dry_run_changes_nothing(engine: Engine, elastic: Elasticsearch, alias: str) -> None:
    add_shirts(engine)
    plan = plan_reindex(engine, elastic, ReindexOptions(alias=alias, bm25=Bm25(0.5, 0.5)))
    assert (plan.live, plan.documents, plan.catalog_version) == ([], len(SHIRTS), 1)
    assert (plan.bm25, plan.would_delete) == (Bm25(0.5, 0.5), [])
    assert index_names(elastic, alias) == []
    assert builds_of(engine, alias) == []


def test_ensure_current_reindexes_exactly_when_needed(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    options = ReindexOptions(alias=alias)

    def ensure(chosen: ReindexOptions = options) -> int:
        return ensure_current(engine, elastic, chosen, actor="night").build_no

    add_shirts(engine)
    first = ensure()
    assert ensure() == first
    tuned = set_bm25(engine, elastic, alias, Bm25(0.9, 0.4), actor="me", reason=None).after
    assert tuned is not None
    assert ensure() == tuned.build_no
    add_items(engine, [("N", "red hat")])
    second = ensure()
    assert second not in {first, tuned.build_no}
    assert ensure() == second
    english = replace(options, build=BuildOptions(analysis=Analysis("english")))
    third = ensure(english)
    assert ensure(english) == third != second
    assert builds_of(engine, alias)[0].reason == "the mapping or the analyzer changed"


def test_ensure_current_repairs_what_was_changed_by_hand(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    add_shirts(engine)
    first = build_index(engine, elastic, alias).build
    elastic.indices.put_settings(
        index=first.index_name,
        settings={"index.similarity.catalog_bm25.k1": 3},
        reopen=True,
    )
    elastic.cluster.health(index=first.index_name, wait_for_status="green")
    with pytest.raises(DataError, match=r"k1, b are 3, 0.75 although no command set them"):
        live_build(engine, elastic, alias)
    repaired = ensure_current(engine, elastic, ReindexOptions(alias=alias), actor="night")
    assert repaired.build_no != first.build_no
    assert describe_index(elastic, repaired.index_name).bm25 == Bm25()


def test_an_alias_that_cannot_be_used_is_told_and_reindex_repairs_it(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    add_shirts(engine)
    with pytest.raises(UsageError, match=r"points nowhere.*gpt4rec reindex"):
        live_build(engine, elastic, alias)
    foreign = [new_index_name(alias) for _ in range(2)]
    for name in foreign:
        elastic.indices.create(index=name, settings={"number_of_replicas": 0})
    swap_alias(elastic, alias, [], foreign[0])
    with pytest.raises(UsageError, match="is no finished build of this database"):
        live_build(engine, elastic, alias)
    elastic.indices.put_alias(index=foreign[1], name=alias)
    with pytest.raises(UsageError, match="points to 2 indices"):
        live_build(engine, elastic, alias)
    report = build_index(engine, elastic, alias, ReindexOptions(alias=alias, take_over=True))
    assert report.replaced == sorted(foreign)
    assert live_build(engine, elastic, alias) == report.build
    assert set(foreign) < set(index_names(elastic, alias))  # not ours: not deleted


def test_an_index_in_the_place_of_the_alias_is_told(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    add_shirts(engine)
    elastic.indices.create(index=alias, settings={"number_of_replicas": 0})
    with pytest.raises(UsageError, match=r"An index named .* is where the alias should be"):
        live_build(engine, elastic, alias)
    with pytest.raises(UsageError, match=r"An index named .* is where the alias should be"):
        build_index(engine, elastic, alias)
    assert index_names(elastic, alias) == [alias]


def test_an_index_replaced_behind_our_back_is_noticed(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    add_shirts(engine)
    build = build_index(engine, elastic, alias).build
    elastic.indices.delete(index=build.index_name)
    elastic.indices.create(
        index=build.index_name,
        settings={
            "number_of_replicas": 0,
            "similarity": {"catalog_bm25": {"type": "BM25", "k1": 1.2, "b": 0.75}},
        },
        aliases={alias: {}},
    )
    with pytest.raises(DataError, match="another index of that name; it holds 0 documents, not 6"):
        live_build(engine, elastic, alias)


def test_orphans_of_killed_builds_go_and_live_or_foreign_indices_stay(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    add_shirts(engine)
    build_index(engine, elastic, alias)
    orphan, unknown = new_index_name(alias), new_index_name(alias)
    for name in (orphan, unknown, f"{alias}-backup"):
        elastic.indices.create(index=name, settings={"number_of_replicas": 0})
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO builds (index_name, alias, kind, state, catalog_version, k1, b, "
                "mapping_hash, actor) VALUES (:name, :alias, 'full', 'building', 1, 1, 1, 'x', 'y')"
            ),
            {"name": orphan, "alias": alias},
        )
    options = ReindexOptions(alias=alias)
    assert plan_reindex(engine, elastic, options).would_delete == [orphan]
    assert find_orphans(engine, elastic, alias) == [orphan]
    assert build_index(engine, elastic, alias).deleted == [orphan]
    assert {unknown, f"{alias}-backup"} < set(index_names(elastic, alias))
    killed = next(build for build in builds_of(engine, alias) if build.index_name == orphan)
    assert (killed.state, killed.error) == ("failed", "its process was killed")


def test_rollback_goes_back_and_forth_and_is_recorded(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    add_shirts(engine)
    first = build_index(engine, elastic, alias).build
    add_items(engine, [("N", "red hat")])
    second = build_index(engine, elastic, alias).build
    before, after = rollback_index(engine, elastic, alias, actor="me", reason="bad titles")
    assert (before, after) == (second, first)
    assert find(engine, elastic, alias, "hat") == []
    swap = swaps_of(engine, alias)[0]
    assert (swap.from_build_no, swap.to_build_no, swap.action, swap.actor, swap.reason) == (
        second.build_no,
        first.build_no,
        "rollback",
        "me",
        "bad titles",
    )
    with engine.connect() as connection:
        entry = connection.execute(
            text("SELECT action, object, before, after FROM audit ORDER BY audit_no DESC LIMIT 1")
        ).one()
    assert (entry.action, entry.object) == ("index_rollback", alias)
    assert entry.before["index_name"] == second.index_name
    assert entry.after["index_name"] == first.index_name
    status = {s.build.build_no: s for s in list_builds(engine, elastic, alias)}
    assert status[first.build_no].is_live
    assert not status[second.build_no].is_live
    with pytest.raises(UsageError, match="is live already"):
        rollback_index(engine, elastic, alias, build_no=first.build_no, actor="me", reason=None)
    rollback_index(engine, elastic, alias, build_no=second.build_no, actor="me", reason=None)
    assert find(engine, elastic, alias, "hat") == ["N"]
    with pytest.raises(UsageError, match="not a build 999"):
        rollback_index(engine, elastic, alias, build_no=999, actor="me", reason=None)


def test_a_server_that_goes_away_leaves_a_row_that_the_next_reindex_closes(
    engine: Engine, elastic: Elasticsearch, alias: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_shirts(engine)

    def unreachable(*_args: object, **_options: object) -> None:
        raise DependencyError("Elasticsearch is away.")

    with monkeypatch.context() as patch:
        patch.setattr(building, "seal_index", unreachable)
        patch.setattr(building, "delete_index", unreachable)
        with pytest.raises(DependencyError, match="is away"):
            build_index(engine, elastic, alias)
    (orphan,) = index_names(elastic, alias)
    assert [build.state for build in builds_of(engine, alias)] == ["building"]
    options = ReindexOptions(alias=alias, build=BuildOptions(backoff=Backoff(attempts=1)))
    report = reindex(engine, elastic, options, actor="me")
    assert report.deleted == [orphan]
    assert [build.state for build in builds_of(engine, alias)] == ["ready", "failed"]


def test_an_alias_of_others_is_not_taken_unasked(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    add_shirts(engine)
    theirs = f"{alias}-products-v3"
    elastic.indices.create(index=theirs, settings={"number_of_replicas": 0}, aliases={alias: {}})
    for act in (
        lambda: build_index(engine, elastic, alias),
        lambda: plan_reindex(engine, elastic, ReindexOptions(alias=alias)),
    ):
        with pytest.raises(UsageError, match=f"points to {theirs}, which this database did not"):
            act()
    assert alias_targets(elastic, alias) == [theirs]
    report = build_index(engine, elastic, alias, ReindexOptions(alias=alias, take_over=True))
    assert alias_targets(elastic, alias) == [report.build.index_name]
    assert theirs in index_names(elastic, alias)
    with engine.connect() as connection:
        taken = connection.execute(
            text("SELECT before FROM audit WHERE action = 'index_take_over'")
        ).scalar_one()
    assert taken == {"indices": [theirs]}
