"""Other synonyms without reindexing, on the real server: a clone, an alias swap, and back."""

from pathlib import Path

import pytest
from elasticsearch import Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.elastic.alias import alias_targets, swap_alias
from gpt4rec_es.errors import ConflictError, UsageError
from gpt4rec_es.index.bm25 import set_bm25, undo_bm25
from gpt4rec_es.index.building import BuildOptions
from gpt4rec_es.index.current import ensure_current
from gpt4rec_es.index.live import live_build
from gpt4rec_es.index.mapping import Analysis
from gpt4rec_es.index.reindex import ReindexOptions
from gpt4rec_es.index.synonyms import SynonymsChange, set_synonyms, show_synonyms
from gpt4rec_es.records import Bm25
from gpt4rec_es.retrieval import ElasticRetriever
from tests.commands import Cli
from tests.databases import Database
from tests.elastic.catalogs import add_items, build_index, builds_of, find, item_ids, swaps_of
from tests.indexes import index_names
from tests.servers import Servers

RULES = Analysis(synonyms=("sofa, couch", "usb stick, flash drive"))
TITLES = {"A": "red sofa", "B": "blue couch", "C": "usb stick", "D": "flash drive", "E": "lamp"}


@pytest.fixture
def engine(database: Database) -> Engine:
    add_items(database.engine, TITLES.items())
    return database.engine


def change(
    engine: Engine, elastic: Elasticsearch, alias: str, analysis: Analysis = RULES, **how: bool
) -> SynonymsChange:
    return set_synonyms(engine, elastic, alias, analysis, actor="me", reason="words", **how)


def test_new_rules_are_searched_by_and_what_a_run_has_pinned_is_not_changed(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    pinned = build_index(engine, elastic, alias).build
    before = ElasticRetriever(elastic, pinned.index_name).search(["sofa", "usb stick"], 10)
    done = change(engine, elastic, alias)
    assert (done.added, done.removed) == (list(RULES.synonyms), [])
    assert done.before.build_no == pinned.build_no
    assert done.after is not None
    assert (done.after.kind, done.after.parent_build_no) == ("derived", pinned.build_no)
    assert alias_targets(elastic, alias) == [done.after.index_name]
    assert set(find(engine, elastic, alias, "sofa")) == {"A", "B"}
    assert set(find(engine, elastic, alias, "usb stick")) == {"C", "D"}
    assert ElasticRetriever(elastic, pinned.index_name).search(["sofa", "usb stick"], 10) == before
    assert item_ids(engine, before[0].item_nos) == ["A"]
    assert swaps_of(engine, alias)[0].action == "synonyms"
    assert show_synonyms(engine, elastic, alias)[1] == RULES.synonyms


def test_a_night_finds_the_index_current_and_the_way_back_is_a_kept_build(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    first = build_index(engine, elastic, alias).build
    second = change(engine, elastic, alias).after
    assert second is not None
    options = ReindexOptions(alias=alias, build=BuildOptions(analysis=RULES))
    assert ensure_current(engine, elastic, options, actor="me").build_no == second.build_no
    back = change(engine, elastic, alias, Analysis())
    assert back.after is not None
    assert back.after.build_no == first.build_no
    assert (back.added, back.removed) == ([], list(RULES.synonyms))
    fewer = Analysis(synonyms=RULES.synonyms[:1])
    third = change(engine, elastic, alias, fewer).after
    assert third is not None
    assert third.build_no not in {first.build_no, second.build_no}
    assert set(find(engine, elastic, alias, "usb stick")) == {"C"}
    with pytest.raises(UsageError, match="has these synonyms already"):
        change(engine, elastic, alias, fewer)


def test_k1_and_b_stay_and_are_changed_on_top(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    build_index(engine, elastic, alias)
    set_bm25(engine, elastic, alias, Bm25(0.5, 0.2), actor="me", reason=None)
    done = change(engine, elastic, alias)
    assert done.after is not None
    assert done.after.bm25 == pytest.approx(done.before.bm25)
    # What was before the synonyms is not undone past them, which would take them away.
    with pytest.raises(UsageError, match="no change of k1, b to undo"):
        undo_bm25(engine, elastic, alias, actor="me", reason=None)
    set_bm25(engine, elastic, alias, Bm25(2.0, 0.2), actor="me", reason=None)
    assert set(find(engine, elastic, alias, "couch")) == {"A", "B"}


def test_what_cannot_be_changed_without_reindexing_is_refused_and_nothing_is_left(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    build_index(engine, elastic, alias)
    with pytest.raises(ConflictError, match=r"analyzer or the mapping changed.*gpt4rec reindex"):
        change(engine, elastic, alias, Analysis("folding", RULES.synonyms))
    with pytest.raises(UsageError, match="refused"):
        change(engine, elastic, alias, Analysis(synonyms=("a => b => c",)))
    assert change(engine, elastic, alias, dry_run=True).after is None
    assert len(index_names(elastic, alias)) == 1
    assert [build.state for build in builds_of(engine, alias)] == ["failed", "ready"]


def test_a_swap_whose_process_was_killed_is_recorded_by_the_next_command(
    engine: Engine, elastic: Elasticsearch, alias: str
) -> None:
    first = build_index(engine, elastic, alias).build
    second = change(engine, elastic, alias).after
    assert second is not None
    change(engine, elastic, alias, Analysis())
    swap_alias(elastic, alias, [first.index_name], second.index_name)
    change(engine, elastic, alias, Analysis(synonyms=("lamp, light",)))
    assert live_build(engine, elastic, alias).parent_build_no == second.build_no
    actions = [swap.action for swap in swaps_of(engine, alias)]
    assert actions == ["synonyms"] * 4 + ["reindex"]


def test_the_command_takes_the_rules_of_the_file(
    engine: Engine,
    elastic: Elasticsearch,
    alias: str,
    database: Database,
    servers: Servers,
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    file = tmp_path / "synonyms.txt"
    file.write_text("# furniture\nsofa, couch\n")
    environ = {
        "DATABASE_URL": database.writer_url,
        "ELASTICSEARCH_URL": servers.elasticsearch_url,
        "GPT4REC_INDEX_ALIAS": alias,
        "GPT4REC_SYNONYMS_FILE": str(file),
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    build_index(engine, elastic, alias)
    assert "0 rules, others than in the file" in cli("index", "synonyms", "show")
    assert "to a new clone" in cli("index", "synonyms", "set", "--dry-run")
    assert "+ sofa, couch" in cli("index", "synonyms", "set", "--reason", "couches are sofas")
    shown = cli.json("index", "synonyms", "show")
    assert (shown["rules"], shown["is_current"]) == (["sofa, couch"], True)
    assert "has these synonyms already" in cli.error("index", "synonyms", "set", code=2)
