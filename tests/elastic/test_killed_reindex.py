"""A reindex killed at every step: the alias stays valid, and the next reindex cleans up."""

import json
import subprocess
import sys
from pathlib import Path

from elasticsearch import Elasticsearch

from gpt4rec_es.elastic.alias import alias_targets
from gpt4rec_es.index.live import live_build
from tests.databases import Database
from tests.elastic.catalogs import add_items, build_index, builds_of, find, swaps_of
from tests.indexes import index_names
from tests.servers import Servers


def test_killed_at_every_step(
    database: Database, elastic: Elasticsearch, alias: str, servers: Servers
) -> None:
    engine = database.engine
    # Few items: each needs two requests of the verification, and so two more kills.
    add_items(engine, [("A", "red shirt"), ("B", "hat")])
    build_index(engine, elastic, alias)
    script = Path(__file__).with_name("killed_reindex.py")
    done = subprocess.run(
        [sys.executable, script, database.writer_url, servers.elasticsearch_url, alias],
        capture_output=True,
        text=True,
        check=True,
    )
    after = [json.loads(line) for line in done.stdout.splitlines()]
    # Kills before and after the row, the index, each request of the load and of the verification,
    # the swap, its record, and the deletion of old builds.
    assert len(after) > 30, after
    for line in after:
        assert len(line["targets"]) == 1, line
        assert line["hits"] == 1, line

    # Some were killed after the swap: the live build and its swap are recorded.
    report = build_index(engine, elastic, alias)
    assert live_build(engine, elastic, alias) == report.build
    builds = {build.build_no: build for build in builds_of(engine, alias)}
    assert {build.state for build in builds.values()} == {"ready", "failed", "deleted"}
    ready = {build.index_name for build in builds.values() if build.state == "ready"}
    assert index_names(elastic, alias) == sorted(ready)
    assert len(ready) == 3
    swaps = swaps_of(engine, alias)[::-1]
    # The records are a chain: each swap starts at the target of the previous one.
    assert [swap.from_build_no for swap in swaps] == [
        None,
        *(swap.to_build_no for swap in swaps[:-1]),
    ]
    assert any("recorded later" in (swap.reason or "") for swap in swaps)
    assert alias_targets(elastic, alias) == [report.build.index_name]
    assert find(engine, elastic, alias, "shirt") == ["A"]
