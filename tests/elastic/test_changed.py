"""Reindexing by changes: equal to a full build in what it holds; what it came from stays."""

from dataclasses import replace

import pytest
from elasticsearch import Elasticsearch
from sqlalchemy import Engine, text

from gpt4rec_es.db.rows.builds import Build
from gpt4rec_es.elastic.alias import alias_targets
from gpt4rec_es.errors import DataError, DependencyError, UsageError
from gpt4rec_es.index import building, reindex_changed
from gpt4rec_es.index import inspect as room
from gpt4rec_es.index.bm25 import set_bm25
from gpt4rec_es.index.building import BuildOptions
from gpt4rec_es.index.builds import rollback_index
from gpt4rec_es.index.current import ensure_current
from gpt4rec_es.index.inspect import deleted_on_disk, describe_index
from gpt4rec_es.index.live import live_build
from gpt4rec_es.index.mapping import Analysis
from gpt4rec_es.index.reindex import ReindexOptions, ReindexReport
from gpt4rec_es.index.reindex_changed import plan_changes, reindex_changes
from gpt4rec_es.records import Bm25
from tests.databases import Database
from tests.elastic.catalogs import add_items, add_shirts, build_index, builds_of, find, pin_by_run
from tests.indexes import index_names


@pytest.fixture
def engine(database: Database) -> Engine:
    return database.engine


def change(engine: Engine, item_id: str, **fields: object) -> None:
    """Change an item as an import does."""
    assignments = ", ".join(f"{name} = :{name}" for name in fields)
    with engine.begin() as connection:
        connection.execute(text("UPDATE catalog_state SET catalog_version = catalog_version + 1"))
        changed = connection.execute(
            text(
                f"UPDATE items SET {assignments}, version = (SELECT catalog_version FROM "
                "catalog_state) WHERE item_id = :id"
            ),
            {"id": item_id, **fields},
        )
        assert changed.rowcount == 1


def bring_in(engine: Engine, client: Elasticsearch, alias: str, **options: object) -> ReindexReport:
    chosen = replace(ReindexOptions(alias=alias, max_deleted_share=0.45), **options)  # type: ignore[arg-type]
    return reindex_changes(engine, client, chosen, actor="tester", reason="changes")


def sources(client: Elasticsearch, index: str) -> list[object]:
    found = client.search(index=index, sort=["item_id"], size=100)["hits"]["hits"]
    return [hit["_source"] for hit in found]


def test_what_changed_is_found_and_what_went_is_not(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    add_shirts(engine)
    set_before = build_index(engine, elastic, alias).build
    set_bm25(engine, elastic, alias, Bm25(0.9, 0.4), actor="me", reason="test")
    parent = live_build(engine, elastic, alias)
    change(engine, "S0", title="red trousers")
    change(engine, "S1", title=None)
    change(engine, "S2", is_active=False)
    change(engine, "S3", price=5)
    add_items(engine, [("N", "red hat"), ("M", None)])

    planned = plan_changes(engine, elastic, ReindexOptions(alias=alias, max_deleted_share=0.45))
    assert (planned.documents, planned.live) == (6, [parent.index_name])
    report = bring_in(engine, elastic, alias)
    build = report.build
    assert (build.kind, build.parent_build_no, build.bm25) == (
        "changed",
        parent.build_no,
        Bm25(0.9, 0.4),
    )
    assert (report.documents, build.document_count, build.deleted_documents) == (6, 6, 4)
    assert build.deleted_share == 0.4
    assert live_build(engine, elastic, alias) == build
    assert find(engine, elastic, alias, "hat") == ["N"]
    assert find(engine, elastic, alias, "trousers") == ["S0"]
    # What it came from is as it was, for the runs that pin it, and to go back to.
    assert describe_index(elastic, parent.index_name).documents == 6
    assert deleted_on_disk(elastic, parent.index_name) == 0
    full = build_index(engine, elastic, alias).build
    assert full.deleted_documents == 0
    assert sources(elastic, build.index_name) == sources(elastic, full.index_name)
    assert {"price": 5.0, "item_id": "S3"}.items() <= {
        **sources(elastic, build.index_name)[3]  # type: ignore[dict-item]
    }.items()
    with pytest.raises(Exception, match="index write"):
        elastic.index(index=build.index_name, document={"item_id": "x"})
    back = rollback_index(
        engine, elastic, alias, build_no=parent.build_no, actor="me", reason="test"
    )
    assert back[1] == parent
    assert find(engine, elastic, alias, "trousers") == []
    assert set_before.build_no < parent.build_no


def test_a_chain_of_changes_adds_up_until_a_full_build_is_asked_for(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    add_items(engine, [(f"I{n}", f"item number {n}") for n in range(20)])
    first = build_index(engine, elastic, alias).build
    with engine.begin() as connection:
        pin_by_run(connection, first.build_no, "generating")
    for n in range(3):
        change(engine, f"I{n}", title=f"thing number {n}")
        build = bring_in(engine, elastic, alias, max_deleted_share=0.15).build
        assert build.deleted_documents == n + 1
    change(engine, "I3", title="thing number 3")
    for use_case in (plan_changes, reindex_changes):
        with pytest.raises(UsageError, match=r"16.7% of the documents.*Run `gpt4rec reindex`"):
            use_case(  # type: ignore[operator]
                engine,
                elastic,
                ReindexOptions(alias=alias, max_deleted_share=0.15),
                **({} if use_case is plan_changes else {"actor": "me"}),
            )
    assert live_build(engine, elastic, alias) == build
    assert sorted(find(engine, elastic, alias, "thing")) == ["I0", "I1", "I2"]
    # The first is pinned by a run; two are kept to go back to.
    assert index_names(elastic, alias) == sorted(
        b.index_name for b in builds_of(engine, alias) if b.state == "ready"
    )
    assert first.index_name in index_names(elastic, alias)
    assert deleted_on_disk(elastic, first.index_name) == 0
    assert deleted_on_disk(elastic, build.index_name) == build.deleted_documents


def test_an_item_that_changes_again_and_again_counts_once(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    add_shirts(engine)
    build_index(engine, elastic, alias)
    for price in range(4):
        change(engine, "S3", price=price)
        # Each part that held but the last state of it is dropped as a whole.
        assert bring_in(engine, elastic, alias).build.deleted_documents == 1


def test_other_k1_and_b_of_a_build_by_changes_are_its_own(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    add_shirts(engine)
    build_index(engine, elastic, alias)
    change(engine, "S0", title="red trousers")
    changed = bring_in(engine, elastic, alias).build
    tuned = set_bm25(engine, elastic, alias, Bm25(0.5, 0.1), actor="me", reason="t").after
    assert tuned is not None
    assert (tuned.kind, tuned.deleted_documents) == ("derived", 1)
    full = build_index(engine, elastic, alias).build
    # A full build of the same catalog has other statistics: neither is taken for it.
    again = set_bm25(engine, elastic, alias, changed.bm25, actor="me", reason="t").after
    assert again is not None
    assert again.parent_build_no == full.build_no
    assert again.deleted_documents == 0


def test_nothing_changed_is_nothing_to_do(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    add_shirts(engine)
    live = build_index(engine, elastic, alias).build
    report = bring_in(engine, elastic, alias)
    assert (report.build, report.documents, report.replaced) == (live, 0, [])
    assert len(builds_of(engine, alias)) == 1
    # A new version without a change of documents is another build: runs ask for the version.
    add_items(engine, [("M", None)])
    report = bring_in(engine, elastic, alias)
    assert report.build.catalog_version == live.catalog_version + 1
    assert report.build.document_count == live.document_count


def test_a_full_build_is_asked_for_where_changes_cannot_do(
    engine: Engine, elastic: Elasticsearch, alias: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_shirts(engine)
    with pytest.raises(UsageError, match="points nowhere"):
        bring_in(engine, elastic, alias)
    build_index(engine, elastic, alias)
    add_items(engine, [("N", "red hat")])
    other = BuildOptions(analysis=Analysis("english"))
    with pytest.raises(UsageError, match="analyzer changed"):
        bring_in(engine, elastic, alias, build=other)
    assert len(builds_of(engine, alias)) == 1
    monkeypatch.setattr(reindex_changed, "_MOST_SEGMENTS", 1)
    report = bring_in(engine, elastic, alias)
    assert report.documents == 1
    add_items(engine, [("O", "blue hat")])
    with pytest.raises(UsageError, match="more than 1 parts"):
        bring_in(engine, elastic, alias)
    build_index(engine, elastic, alias)
    add_items(engine, [("P", "green hat")])
    assert bring_in(engine, elastic, alias).documents == 1


def test_a_build_that_does_not_hold_the_changes_is_removed(
    engine: Engine, elastic: Elasticsearch, alias: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_shirts(engine)
    live = build_index(engine, elastic, alias).build
    change(engine, "S3", price=5)
    real = building.load_documents

    def lose_all(client: object, index: object, documents: object, **options: object) -> object:
        list(documents)  # type: ignore[call-overload]
        return real(client, index, [], **options)  # type: ignore[arg-type]

    monkeypatch.setattr(building, "load_documents", lose_all)
    with pytest.raises(DataError, match="does not hold the item 'S3' as it is now"):
        bring_in(engine, elastic, alias)
    assert index_names(elastic, alias) == [live.index_name]
    assert live_build(engine, elastic, alias) == live
    change(engine, "S3", title=None)
    monkeypatch.setattr(
        building, "load_documents", lambda *a, **o: real(*a, **{**o, "deletions": ()})
    )
    with pytest.raises(DataError, match="still holds items"):
        bring_in(engine, elastic, alias)
    assert alias_targets(elastic, alias) == [live.index_name]


def test_too_little_room_is_said_before_anything_is_made(
    engine: Engine, elastic: Elasticsearch, alias: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_shirts(engine)
    monkeypatch.setattr(room, "_FIRST_BYTES_PER_DOCUMENT", 10**15)
    with pytest.raises(DependencyError, match=r"too little disk space: 10.7 PB are needed on 1"):
        build_index(engine, elastic, alias)
    assert builds_of(engine, alias) == []
    # Once there is a build, it tells how large a document is.
    monkeypatch.setattr(room, "_FIRST_BYTES_PER_DOCUMENT", 100)
    build_index(engine, elastic, alias)
    monkeypatch.setattr(room, "_FIRST_BYTES_PER_DOCUMENT", 10**15)
    build_index(engine, elastic, alias)
    monkeypatch.setattr(room, "_TWICE", 10**13)
    change(engine, "S3", price=5)
    with pytest.raises(DependencyError, match="index prune --keep 0"):
        bring_in(engine, elastic, alias)
    assert {build.state for build in builds_of(engine, alias)} == {"ready"}


def test_a_night_takes_in_changes_alone_where_that_will_do(
    engine: Engine, elastic: Elasticsearch, alias: str, caplog: pytest.LogCaptureFixture
) -> None:
    options = ReindexOptions(alias=alias, max_deleted_share=0.2, prefers_changes=True)

    def ensure(chosen: ReindexOptions = options) -> Build:
        return ensure_current(engine, elastic, chosen, actor="night")

    add_items(engine, [(f"I{n}", f"item number {n}") for n in range(10)])
    first = ensure()
    assert (first.kind, caplog.messages) == ("full", [])
    change(engine, "I0", title="thing number 0")
    second = ensure()
    assert (second.kind, second.parent_build_no) == ("changed", first.build_no)
    assert ensure() == second
    for n in range(1, 3):
        change(engine, f"I{n}", title=f"thing number {n}")
    third = ensure()
    assert (third.kind, third.deleted_documents) == ("full", 0)
    assert sorted(find(engine, elastic, alias, "thing")) == ["I0", "I1", "I2"]
    (said,) = caplog.messages
    for told in (said, str(third.reason)):
        assert "23.1% of the documents would be replaced or deleted ones" in told
    assert str(third.reason).startswith("the catalog changed: version 4, indexed 2; ")
    english = replace(options, build=BuildOptions(analysis=Analysis("english")))
    assert ensure(english).reason == "the mapping or the analyzer changed"
    change(engine, "I3", title="thing number 3")
    assert ensure(replace(options, prefers_changes=False)).kind == "full"
