"""Builds with vectors of titles: each title encoded once, kept by clones, found by nearness."""

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from elasticsearch import Elasticsearch
from sqlalchemy import Engine, text

from gpt4rec_es.db.rows import title_vectors
from gpt4rec_es.db.rows.encoders import Encoder as EncoderRow
from gpt4rec_es.elastic.alias import alias_targets
from gpt4rec_es.encoders.token_vectors import open_token_vectors
from gpt4rec_es.errors import ConflictError, DataError, UsageError
from gpt4rec_es.index import create
from gpt4rec_es.index.bm25 import set_bm25
from gpt4rec_es.index.bulk import load_documents
from gpt4rec_es.index.create import check_vectors, create_index, seal_index
from gpt4rec_es.index.current import ensure_current
from gpt4rec_es.index.inspect import bytes_per_document
from gpt4rec_es.index.live import index_lock
from gpt4rec_es.index.mapping import Analysis, VectorField, index_body
from gpt4rec_es.index.reindex import ReindexOptions, ReindexReport, plan_reindex, reindex
from gpt4rec_es.protocols import Encoder, Vectors
from gpt4rec_es.recipes.remove_encoder import remove_encoder
from gpt4rec_es.records import Bm25, Document
from gpt4rec_es.reranking.encoder_registry import add_encoder, open_encoder_of
from gpt4rec_es.retrieval.knn import KnnRetriever
from gpt4rec_es.retrieval.msearch import ElasticRetriever
from gpt4rec_es.retrieval.nearest import search_nearest
from tests.databases import Database
from tests.elastic.catalogs import add_items, pin_by_run
from tests.servers import Servers
from tests.vectors import save_token_vectors

AXES = {"sofa": (1.0, 0.0, 0.0), "couch": (0.9, 0.1, 0.0), "hat": (0.0, 1.0, 0.0)}


_TITLES = 5000


class Counting:
    """An encoder that notes which texts it encoded."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder, self.dims = encoder, encoder.dims
        self.content_hash = encoder.content_hash
        self.texts: list[str] = []

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.texts += texts
        return self._encoder.encode(texts)


@pytest.fixture
def engine(database: Database) -> Engine:
    add_items(database.engine, [("A", "sofa hat"), ("B", "Couch"), ("C", "zebra"), ("D", "hat")])
    return database.engine


@pytest.fixture
def row(engine: Engine, tmp_path: Path) -> EncoderRow:
    folder = save_token_vectors(tmp_path / "words", AXES)
    found = add_encoder(engine, "words", "static", path=folder, actor="test")
    assert found is not None
    return found


@pytest.fixture
def encoder(engine: Engine, row: EncoderRow) -> Counting:
    return Counting(open_encoder_of(engine, row))


@pytest.fixture
def options(alias: str, encoder: Counting) -> ReindexOptions:
    return ReindexOptions(alias=alias, encoder="words", open_encoder=lambda _: encoder)


def run(engine: Engine, elastic: Elasticsearch, options: ReindexOptions) -> ReindexReport:
    return reindex(engine, elastic, options, actor="test")


def stored(engine: Engine, row: EncoderRow) -> int:
    with engine.connect() as connection:
        return title_vectors.count_vectors(connection, row.encoder_no)


def nearest(
    elastic: Elasticsearch, index: str, encoder: Encoder, query: str
) -> list[tuple[int, float]]:
    (result,) = KnnRetriever(elastic, index, encoder).search([query], 10)
    return list(zip(result.item_nos, result.scores, strict=True))


def test_a_title_is_found_by_a_word_of_like_meaning(
    engine: Engine, elastic: Elasticsearch, options: ReindexOptions, encoder: Counting
) -> None:
    report = run(engine, elastic, options)
    assert (report.encoder, report.encoded, report.documents) == ("words", 4, 4)
    hits = nearest(elastic, report.build.index_name, encoder, "sofa")
    (by_words,) = ElasticRetriever(elastic, report.build.index_name).search(["sofa"], 10)
    assert by_words.item_nos == (1,)
    # "zebra" has no known token, so it has no vector.
    assert [number for number, _ in hits] == [2, 1, 4]
    cosines = [0.9 / 0.82**0.5, 0.5**0.5, 0.0]
    assert [score for _, score in hits] == pytest.approx([(1 + c) / 2 for c in cosines], abs=1e-6)
    mapping = elastic.indices.get_mapping(index=report.build.index_name).body
    field = mapping[report.build.index_name]["mappings"]["properties"]["title_vector"]
    assert (field["dims"], field["index_options"]) == (3, {"type": "flat"})
    source = elastic.get(index=report.build.index_name, id="A")["_source"]
    assert "title_vector" not in source


def test_words_tell_model_numbers_apart_that_an_encoder_does_not_know(
    engine: Engine, elastic: Elasticsearch, options: ReindexOptions, encoder: Counting
) -> None:
    add_items(engine, [("I540", "sofa PG-540"), ("I545", "sofa PG-545")])
    index = run(engine, elastic, options).build.index_name
    for retriever, expected in (
        (ElasticRetriever(elastic, index), [6, 5]),
        (KnnRetriever(elastic, index, encoder), [5, 6]),
    ):
        (result,) = retriever.search(["sofa PG-545"], 2)
        assert list(result.item_nos) == expected
        assert (result.scores[0] == result.scores[1]) == (expected == [5, 6])


def test_a_title_is_encoded_once_and_forgotten_with_its_item(
    engine: Engine,
    elastic: Elasticsearch,
    options: ReindexOptions,
    encoder: Counting,
    row: EncoderRow,
) -> None:
    run(engine, elastic, options)
    add_items(engine, [("E", " sofa  hat ")])  # equal after normalisation of spaces
    assert run(engine, elastic, options).encoded == 0
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE items SET title = 'sofa couch', version = version + 1 WHERE item_no = 2")
        )
    assert stored(engine, row) == 4
    assert run(engine, elastic, options).encoded == 1
    assert encoder.texts == ["sofa hat", "Couch", "zebra", "hat", "sofa couch"]
    assert stored(engine, row) == 4


KILLED = """
import os, signal, sys
from gpt4rec_es.db.engine import make_engine
from gpt4rec_es.elastic.client import make_client
from gpt4rec_es.reranking.encoder_registry import open_encoder_of
from gpt4rec_es.index import title_vectors
from gpt4rec_es.index.reindex import ReindexOptions, reindex

class Killed:
    def __init__(self, encoder):
        self.encoder, self.left = encoder, 3

    def encode(self, texts):
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1
        return self.encoder.encode(texts)

title_vectors._BATCH = 1
engine, client = make_engine(sys.argv[1], application_name="killed"), make_client(sys.argv[2])
killed = lambda row: Killed(open_encoder_of(engine, row))
options = ReindexOptions(alias=sys.argv[3], encoder="words", open_encoder=killed)
reindex(engine, client, options, actor="killed")
"""


def test_a_reindex_that_was_killed_goes_on_where_it_was(
    database: Database,
    elastic: Elasticsearch,
    servers: Servers,
    options: ReindexOptions,
    encoder: Counting,
    row: EncoderRow,
) -> None:
    urls = [database.writer_url, servers.elasticsearch_url]
    code = [sys.executable, "-c", KILLED, *urls, options.alias]
    assert subprocess.run(code, check=False).returncode == -signal.SIGKILL
    assert alias_targets(elastic, options.alias) == []
    assert stored(database.engine, row) == 3
    wait_until_unlocked(database.engine, options.alias)
    assert plan_reindex(database.engine, elastic, options).to_encode == 1
    assert run(database.engine, elastic, options).encoded == 1
    assert encoder.texts == ["hat"]


def wait_until_unlocked(engine: Engine, alias: str) -> None:
    """Wait until the server has closed the session of a killed process."""
    for _ in range(100):
        try:
            with index_lock(engine, alias):
                return
        except ConflictError:
            time.sleep(0.1)
    raise AssertionError("the lock is held")


def test_the_encoder_of_the_live_build_is_kept_until_another_or_none_is_named(
    engine: Engine, elastic: Elasticsearch, options: ReindexOptions, row: EncoderRow
) -> None:
    plain = replace(options, encoder=None)
    assert run(engine, elastic, plain).build.encoder_no is None
    assert plan_reindex(engine, elastic, plain).encoder is None
    assert plan_reindex(engine, elastic, options).encoder == "words"
    assert run(engine, elastic, options).build.encoder_no == row.encoder_no
    assert plan_reindex(engine, elastic, plain).encoder == "words"
    assert run(engine, elastic, plain).build.encoder_no == row.encoder_no
    assert run(engine, elastic, replace(options, encoder="none")).build.encoder_no is None
    with pytest.raises(UsageError, match="no encoder 'other'"):
        run(engine, elastic, replace(options, encoder="other"))


def test_an_index_without_the_wanted_vectors_is_built_anew(
    engine: Engine, elastic: Elasticsearch, options: ReindexOptions, row: EncoderRow
) -> None:
    plain = replace(options, encoder=None)
    first = ensure_current(engine, elastic, plain, actor="test")
    with pytest.raises(UsageError) as missing:
        first.require_vectors(row)
    assert "reindex --encoder words" in str(missing.value.hint)
    second = ensure_current(engine, elastic, options, actor="test")
    assert second.build_no != first.build_no
    second.require_vectors(row)
    for again in (options, plain):
        assert ensure_current(engine, elastic, again, actor="test").build_no == second.build_no


def test_a_clone_with_other_k1_and_b_has_the_same_vectors(
    engine: Engine, elastic: Elasticsearch, options: ReindexOptions, encoder: Counting
) -> None:
    first = run(engine, elastic, options).build
    change = set_bm25(engine, elastic, options.alias, Bm25(0.9, 0.4), actor="test", reason="why")
    assert change.after is not None
    assert change.after.encoder_no == first.encoder_no
    hits = [nearest(elastic, one.index_name, encoder, "sofa") for one in (first, change.after)]
    assert hits[0] == hits[1]


def test_an_index_without_vectors_of_the_encoder_is_no_empty_answer(
    engine: Engine,
    elastic: Elasticsearch,
    options: ReindexOptions,
    encoder: Counting,
    tmp_path: Path,
) -> None:
    build = run(engine, elastic, replace(options, encoder=None)).build
    with pytest.raises(DataError, match="no vectors of this encoder"):
        nearest(elastic, build.index_name, encoder, "sofa")
    build = run(engine, elastic, options).build
    other = open_token_vectors(save_token_vectors(tmp_path / "b", {**AXES, "hat": (0, 0, 1)}))
    with pytest.raises(DataError, match="no vectors of this encoder"):
        nearest(elastic, build.index_name, other, "sofa")


def test_equal_titles_at_the_depth_are_ordered_by_item_id(
    engine: Engine, elastic: Elasticsearch, options: ReindexOptions, encoder: Counting
) -> None:
    # Sixty of equal score, loaded in the opposite order of their ids.
    add_items(engine, [(f"M{number:02}", "sofa") for number in range(60, 0, -1)])
    build = run(engine, elastic, options).build
    retriever = KnnRetriever(elastic, build.index_name, encoder)
    (best,) = retriever.search(["sofa"], 100)
    for depth in (1, 5, 39, 59, 61):
        (cut,) = retriever.search(["sofa"], depth)
        assert cut.item_nos == best.item_nos[:depth]
    assert best.item_nos[:60] == tuple(range(64, 4, -1))


@pytest.mark.parametrize(
    ("kind", "recall"), [("flat", 0.999), ("hnsw", 0.99)], ids=["flat", "hnsw"]
)
def test_hits_are_those_of_exact_arithmetic(
    engine: Engine,
    elastic: Elasticsearch,
    options: ReindexOptions,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    recall: float,
) -> None:
    random = np.random.default_rng(5)
    words = [f"w{number}" for number in range(300)]
    table = dict(zip(words, random.normal(size=(300, 24)).tolist(), strict=True))
    folder = save_token_vectors(tmp_path / "random", table)
    row = add_encoder(engine, "random", "static", path=folder, actor="test")
    assert row is not None
    encoder = open_encoder_of(engine, row)
    titles = [" ".join(random.choice(words, 4)) for _ in range(_TITLES)]
    add_items(engine, [(f"T{number:04}", title) for number, title in enumerate(titles)])
    with engine.begin() as connection:
        connection.execute(text("UPDATE items SET is_active = item_no % 7 > 0"))
    monkeypatch.setattr(create, "_LEASES_S", 0.0)  # see the test after this one
    monkeypatch.setattr(
        "gpt4rec_es.index.building.field_for",
        lambda row, _: VectorField(row.content_hash, row.dims, kind),  # type: ignore[arg-type]
    )
    build = run(
        engine, elastic, replace(options, encoder="random", open_encoder=lambda _: encoder)
    ).build
    queries = [" ".join(random.choice(words, 2)) for _ in range(100)]
    found = KnnRetriever(elastic, build.index_name, encoder).search(queries, 30)
    # The four other titles have no known word, so item numbers start at 5.
    scores = (1 + encoder.encode(queries) @ encoder.encode(titles).T) / 2
    scores[:, (np.arange(_TITLES) + 5) % 7 == 0] = -1
    shared = 0
    for result, row_of_scores in zip(found, scores, strict=True):
        best = np.argsort(-row_of_scores, kind="stable")[:30]
        shared += len(set(result.item_nos) & set((best + 5).tolist()))
        exact = [float(row_of_scores[number - 5]) for number in result.item_nos]
        assert list(result.scores) == pytest.approx(exact, abs=1e-5)
        if kind == "flat":
            assert list(result.scores) == pytest.approx(row_of_scores[best].tolist(), abs=1e-5)
    assert shared / (30 * len(queries)) >= recall


def test_a_merge_drops_the_text_of_vectors(elastic: Elasticsearch, alias: str) -> None:
    random = np.random.default_rng(1)
    rows = random.normal(size=(1200, 64)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    documents = [
        Document(number, f"i{number}", "a", None, None, None, True, row.tobytes())
        for number, row in enumerate(rows)
    ]
    sizes = []
    for drops_source in (False, True):
        index = f"{alias}-{drops_source}".lower()
        body = index_body(Bm25(), Analysis(), vectors=VectorField("hash", 64))
        create_index(elastic, index, body)
        for part in (documents[:700], documents[700:]):
            load_documents(elastic, index, part)
            elastic.indices.refresh(index=index)  # a large load has many segments
        seal_index(elastic, index, drops_source=drops_source)
        check_vectors(elastic, index, 1200)
        sizes.append(bytes_per_document(elastic, index) or 0)
    assert sizes[0] > 3 * 4 * 64
    assert sizes[1] < 1.5 * 4 * 64
    with pytest.raises(DataError, match="1200 vectors of titles instead of 7"):
        check_vectors(elastic, index, 7)


def test_a_search_for_people_cuts_ties_by_item_id(
    engine: Engine, elastic: Elasticsearch, options: ReindexOptions, encoder: Counting
) -> None:
    add_items(engine, [(f"M{number:02}", "sofa") for number in range(60, 0, -1)])
    run(engine, elastic, options)
    for k in (1, 3, 59):
        found = search_nearest(elastic, options.alias, "sofa", k, encoder)
        assert [hit.item_id for hit in found.hits] == [f"M{n:02}" for n in range(1, k + 1)]


def test_a_report_counts_items_whose_title_the_encoder_does_not_know(
    engine: Engine, elastic: Elasticsearch, options: ReindexOptions
) -> None:
    report = run(engine, elastic, options)
    assert (report.documents, report.unknown) == (4, 1)


def test_a_night_that_needs_no_vectors_does_without_those_of_a_lost_encoder(
    engine: Engine,
    elastic: Elasticsearch,
    options: ReindexOptions,
    row: EncoderRow,
    caplog: pytest.LogCaptureFixture,
) -> None:
    opening = replace(options, open_encoder=lambda row: open_encoder_of(engine, row))
    run(engine, elastic, opening)
    Path(str(row.path)).rename(f"{row.path}-moved")
    add_items(engine, [("E", "sofa couch")])
    for refused in (ensure_current, reindex):
        with pytest.raises(UsageError, match="are gone") as gone:
            refused(engine, elastic, opening, actor="test")
        assert "reindex --encoder none" in str(gone.value.hint)
    with pytest.raises(UsageError, match="are gone"):
        plan_reindex(engine, elastic, opening)
    build = ensure_current(engine, elastic, replace(opening, encoder=None), actor="test")
    assert (build.encoder_no, build.document_count) == (None, 5)
    assert "without vectors, which the recipe does not use" in caplog.text
    assert "reindex --encoder words" in caplog.text


def test_an_encoder_stays_as_long_as_an_index_holds_its_vectors(
    engine: Engine, elastic: Elasticsearch, options: ReindexOptions
) -> None:
    build = run(engine, elastic, options).build
    with pytest.raises(UsageError, match="holds vectors of the encoder 'words'") as pinned:
        remove_encoder(engine, "words", actor="test")
    assert "as long as a run" not in str(pinned.value.hint)
    with engine.begin() as connection:
        pin_by_run(connection, build.build_no, "searching")
    with pytest.raises(UsageError, match="holds vectors") as pinned:
        remove_encoder(engine, "words", actor="test")
    assert "as long as a run needs them, here" in str(pinned.value.hint)
    with engine.begin() as connection:
        connection.execute(text("UPDATE builds SET is_pinned = true"))
    with pytest.raises(UsageError, match="holds vectors") as pinned:
        remove_encoder(engine, "words", actor="test")
    assert f"Unpin {build.build_no} first" in str(pinned.value.hint)
