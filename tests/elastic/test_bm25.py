"""Changing k1 and b on the real server: verified, recorded, undone, without failed searches."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from elasticsearch import Elasticsearch
from sqlalchemy import Engine, text

from gpt4rec_es.elastic.alias import alias_targets, swap_alias
from gpt4rec_es.elastic.client import make_client
from gpt4rec_es.errors import DataError, UsageError
from gpt4rec_es.index import building
from gpt4rec_es.index.bm25 import set_bm25, show_bm25, undo_bm25
from gpt4rec_es.index.inspect import describe_index
from gpt4rec_es.index.live import live_build
from gpt4rec_es.records import Bm25
from tests.databases import Database
from tests.elastic.catalogs import SHIRTS, add_shirts, build_index, builds_of, swaps_of
from tests.indexes import index_names
from tests.servers import Servers


@pytest.fixture
def engine(database: Database) -> Engine:
    add_shirts(database.engine)
    return database.engine


@contextmanager
def searching(url: str, alias: str) -> Iterator[Counter[str]]:
    """Search ``alias`` continuously; count complete responses by index, and all others."""
    seen: Counter[str] = Counter()
    stop = threading.Event()

    def search() -> None:
        client = make_client(url)
        while not stop.is_set():
            try:
                answer = client.search(
                    index=alias,
                    query={"match": {"title": "shirt"}},
                    allow_partial_search_results=False,
                )
                hits = answer["hits"]["hits"]
                whole = len(hits) == len(SHIRTS) // 2 and len({h["_index"] for h in hits}) == 1
                seen[hits[0]["_index"] if whole else f"hits {len(hits)}"] += 1
            except Exception as error:
                seen[repr(error)] += 1
        client.close()

    threads = [threading.Thread(target=search) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def wait_until_searched(seen: Counter[str], index: str) -> None:
    """Wait until several searches have reached ``index``."""
    before = seen[index]
    end = time.monotonic() + 30
    while seen[index] < before + 20:
        assert time.monotonic() < end, seen
        time.sleep(0.005)


def test_no_search_fails_while_values_are_set_undone_and_reindexed(
    engine: Engine, elastic: Elasticsearch, alias: str, servers: Servers
) -> None:
    names = [build_index(engine, elastic, alias).build.index_name]
    with searching(servers.elasticsearch_url, alias) as seen:
        wait_until_searched(seen, names[0])
        tuned = set_bm25(engine, elastic, alias, Bm25(0.9, 0.4), actor="me", reason="trial").after
        assert tuned is not None
        names.append(tuned.index_name)
        wait_until_searched(seen, names[1])
        undo_bm25(engine, elastic, alias, actor="me", reason="worse")
        wait_until_searched(seen, names[0])
        names.append(build_index(engine, elastic, alias).build.index_name)
        wait_until_searched(seen, names[2])
    assert set(seen) == set(names)


def test_set_makes_a_verified_clone_live_and_leaves_the_source_alone(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    first = build_index(engine, elastic, alias).build
    change = set_bm25(engine, elastic, alias, Bm25(0.9, 0.4), actor="ann", reason="recall")
    tuned = change.after
    assert tuned is not None
    assert (change.before, tuned.kind, tuned.parent_build_no) == (first, "derived", first.build_no)
    assert (tuned.catalog_version, tuned.mapping_hash, tuned.document_count) == (
        first.catalog_version,
        first.mapping_hash,
        first.document_count,
    )
    assert describe_index(elastic, tuned.index_name).bm25 == Bm25(0.9, 0.4)
    assert describe_index(elastic, first.index_name).bm25 == Bm25()
    live, moves = show_bm25(engine, elastic, alias)
    assert live == tuned
    assert [(m.action, m.actor, m.reason) for m in moves] == [
        ("bm25", "ann", "recall"),
        ("reindex", "tester", None),
    ]
    with engine.connect() as connection:
        entry = connection.execute(text("SELECT * FROM audit WHERE action = 'index_bm25'")).one()
    assert (entry.actor, entry.object, entry.reason) == ("ann", alias, "recall")
    assert (entry.before["k1"], entry.before["b"]) == (1.2, 0.75)
    assert (entry.after["k1"], entry.after["b"]) == (0.9, 0.4)


@pytest.mark.parametrize("replicas", [0, 2])
def test_a_clone_has_the_replicas_of_its_source(
    engine: Engine, elastic: Elasticsearch, alias: str, replicas: int
) -> None:
    source = build_index(engine, elastic, alias).build.index_name
    # As an operator may do at any time; it is allowed on a write-blocked index.
    elastic.indices.put_settings(index=source, settings={"index.number_of_replicas": replicas})
    tuned = set_bm25(engine, elastic, alias, Bm25(0.9, 0.4), actor="me", reason=None).after
    assert tuned is not None
    found = elastic.indices.get_settings(index=f"{alias}-*").body
    assert {index["settings"]["index"]["number_of_replicas"] for index in found.values()} == {
        str(replicas)
    }
    assert len(found) == 2


def test_undo_goes_back_one_set_after_the_other(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    first = build_index(engine, elastic, alias).build
    for bm25 in (Bm25(0.9, 0.4), Bm25(0.5, 0.1)):
        set_bm25(engine, elastic, alias, bm25, actor="me", reason=None)
    dry = undo_bm25(engine, elastic, alias, actor="me", reason=None, dry_run=True)
    assert dry.bm25 == Bm25(0.9, 0.4)
    assert live_build(engine, elastic, alias).bm25 == Bm25(0.5, 0.1)
    undo_bm25(engine, elastic, alias, actor="me", reason=None)
    assert live_build(engine, elastic, alias).bm25 == Bm25(0.9, 0.4)
    undo_bm25(engine, elastic, alias, actor="me", reason=None)
    assert live_build(engine, elastic, alias) == first
    with pytest.raises(UsageError, match="no change of k1, b to undo"):
        undo_bm25(engine, elastic, alias, actor="me", reason=None)
    assert [swap.action for swap in swaps_of(engine, alias)] == [
        "undo",
        "undo",
        "bm25",
        "bm25",
        "reindex",
    ]


def test_values_that_were_live_before_need_no_new_clone(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    first = build_index(engine, elastic, alias).build
    set_bm25(engine, elastic, alias, Bm25(0.9, 0.4), actor="me", reason=None)
    again = set_bm25(engine, elastic, alias, Bm25(), actor="me", reason=None).after
    assert again == first
    assert len(index_names(elastic, alias)) == 2


def test_old_clones_are_pruned_and_undo_then_says_which_values_they_had(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    build_index(engine, elastic, alias)
    for k1 in (0.1, 0.2, 0.3, 0.4):
        change = set_bm25(engine, elastic, alias, Bm25(k1, 0.5), actor="me", reason=None)
    assert len(change.deleted) == 1
    assert len(index_names(elastic, alias)) == 3
    for _ in range(2):
        undo_bm25(engine, elastic, alias, actor="me", reason=None)
    with pytest.raises(UsageError, match=r"was deleted; it had k1 0.1, b 0.5. Run .* --k1 0.1 --b"):
        undo_bm25(engine, elastic, alias, actor="me", reason=None)


def test_a_dry_run_and_values_that_are_live_change_nothing(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    first = build_index(engine, elastic, alias).build
    change = set_bm25(engine, elastic, alias, Bm25(0.9, 0.4), actor="me", reason=None, dry_run=True)
    assert (change.before, change.after, change.bm25) == (first, None, Bm25(0.9, 0.4))
    with pytest.raises(UsageError, match=r"k1 1.2, b 0.75 are live already"):
        set_bm25(engine, elastic, alias, Bm25(), actor="me", reason=None)
    assert index_names(elastic, alias) == [first.index_name]
    assert len(swaps_of(engine, alias)) == 1


@pytest.mark.parametrize(("k1", "b"), [(-1, 0.5), (1, 1.5), (float("nan"), 0.5), (1, -0.1)])
def test_values_that_make_no_sense_are_refused_before_anything_is_asked(
    k1: float, b: float
) -> None:
    with pytest.raises(UsageError, match="must"):
        Bm25(k1, b)


def test_a_clone_that_does_not_use_the_values_is_removed(
    engine: Engine, elastic: Elasticsearch, alias: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build_index(engine, elastic, alias).build
    clone = building.clone_index

    def forget(client: Elasticsearch, source: str, target: str, *_: object) -> None:
        clone(client, source, target, Bm25(1.1, 0.5))

    monkeypatch.setattr(building, "clone_index", forget)
    with pytest.raises(DataError, match=r"has k1 1.1, b 0.5, not k1 0.9, b 0.4"):
        set_bm25(engine, elastic, alias, Bm25(0.9, 0.4), actor="me", reason=None)
    assert index_names(elastic, alias) == [first.index_name]
    assert live_build(engine, elastic, alias) == first
    assert [build.state for build in builds_of(engine, alias)] == ["failed", "ready"]


def test_a_swap_whose_record_was_lost_is_recorded_by_the_next(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    first = build_index(engine, elastic, alias).build
    second = build_index(engine, elastic, alias).build
    # As if a process had been killed between the alias swap and its record.
    swap_alias(elastic, alias, [second.index_name], first.index_name)
    set_bm25(engine, elastic, alias, Bm25(0.9, 0.4), actor="me", reason=None)
    assert [(s.from_build_no, s.to_build_no) for s in swaps_of(engine, alias)][1:] == [
        (second.build_no, first.build_no),
        (first.build_no, second.build_no),
        (None, first.build_no),
    ]
    undo_bm25(engine, elastic, alias, actor="me", reason=None)
    assert alias_targets(elastic, alias) == [first.index_name]


def test_nothing_can_be_set_before_the_first_reindex(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    with pytest.raises(UsageError, match=r"points nowhere.*Run `gpt4rec reindex`"):
        set_bm25(engine, elastic, alias, Bm25(0.9, 0.4), actor="me", reason=None)
