from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sqlalchemy import text

from gpt4rec_es.db.rows import encoders
from gpt4rec_es.encoders.architectures import HISTORY
from gpt4rec_es.errors import ConflictError, UsageError
from gpt4rec_es.generation.registry import add_generator
from gpt4rec_es.lab.baselines.baseline_folder import save_baseline
from gpt4rec_es.lab.baselines.baseline_options import options_of
from gpt4rec_es.lab.baselines.network import BaselineData
from gpt4rec_es.lab.baselines.sasrec import SasRec
from gpt4rec_es.lab.evaluation.nearest_titles import EncodedTitles
from gpt4rec_es.options.night import GeneratorOptions
from gpt4rec_es.options.recipe import with_vectors
from gpt4rec_es.recipes.live import use_recipe
from gpt4rec_es.recipes.remove_encoder import remove_encoder
from gpt4rec_es.recipes.shipped import shipped
from gpt4rec_es.recipes.store import store_recipe
from gpt4rec_es.reranking.encoder_registry import (
    add_encoder,
    list_encoders,
    open_encoder_of,
    show_encoder,
)
from gpt4rec_es.reranking.registry import add_reranker
from tests.databases import Database
from tests.encoders import save_tiny_gpt2
from tests.rerankers import save_reranker
from tests.vectors import change_json, save_sentence_folder, save_token_vectors

VECTORS = {"red": (1.0, 0.0), "cup": (0.0, 1.0)}


@pytest.fixture
def words(tmp_path: Path) -> Path:
    return save_token_vectors(tmp_path / "words", VECTORS)


def test_an_encoder_of_each_kind_is_registered_and_opened(
    database: Database, tmp_path: Path, words: Path
) -> None:
    engine = database.engine
    network = save_sentence_folder(tmp_path / "network", list(VECTORS))
    add_generator(engine, "gpt2", save_tiny_gpt2(tmp_path / "gpt2", context=256))
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO items (item_id, title, version) VALUES ('a', 'red cup', 1)")
        )
    tower = save_reranker(engine, tmp_path / "tower", tmp_path / "gpt2")
    add_reranker(engine, "tower", tower, actor="test")
    add_encoder(engine, "static", "static", path=words, actor="test")
    add_encoder(engine, "folder", "folder", path=network, actor="test")
    add_encoder(engine, "generator", "generator", source="gpt2", actor="test")
    add_encoder(engine, "reranker", "reranker", source="tower", actor="test")
    rows = list_encoders(engine)
    assert [(row.name, row.kind, row.dims) for row in rows] == [
        ("static", "static", 2),
        ("folder", "folder", 16),
        ("generator", "generator", 32),
        ("reranker", "reranker", 16),
    ]
    assert len({row.content_hash for row in rows}) == 4
    for row in rows:
        opened = open_encoder_of(engine, row)
        assert (opened.dims, opened.content_hash) == (row.dims, row.content_hash)
        vectors = opened.encode(["red", "", "cup red"])
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 0, 1], atol=1e-6)
        alone = np.concatenate([opened.encode([one]) for one in ("red", "", "cup red")])
        np.testing.assert_allclose(vectors, alone, atol=1e-6)
        assert opened.encode([]).shape == (0, row.dims)
    (tower / "items.json").write_text('["b"]')
    with pytest.raises(ConflictError, match="'tower' changed since"):
        open_encoder_of(engine, rows[-1])


def test_a_name_is_taken_by_its_content_alone(
    database: Database, tmp_path: Path, words: Path
) -> None:
    engine = database.engine
    assert add_encoder(engine, "a", "static", path=words, actor="test", dry_run=True) is None
    assert list_encoders(engine) == []
    add_encoder(engine, "a", "static", path=words, actor="test")
    moved = words.rename(tmp_path / "moved")
    add_encoder(engine, "a", "static", path=moved, actor="test")
    assert show_encoder(engine, "a").path == str(moved)
    other = save_token_vectors(tmp_path / "other", {"red": (0.0, 1.0)})
    for dry_run in (True, False):
        with pytest.raises(UsageError, match="with other content"):
            add_encoder(engine, "a", "static", path=other, actor="test", dry_run=dry_run)
    with pytest.raises(UsageError, match="'a' has this content already"):
        add_encoder(engine, "b", "static", path=moved, actor="test")
    with database.engine.connect() as connection:
        actions = connection.execute(text("SELECT action FROM audit ORDER BY audit_no")).scalars()
        assert list(actions) == ["encoder_add", "encoder_move"]


def test_vectors_that_no_index_takes_are_refused(database: Database, tmp_path: Path) -> None:
    wide = save_token_vectors(tmp_path / "wide", {"red": tuple([0.1] * 4097)})
    with pytest.raises(UsageError, match="4,097 components; Elasticsearch indexes 4,096"):
        add_encoder(database.engine, "wide", "static", path=wide, actor="test")


def test_the_encoder_of_the_live_recipe_is_not_removed(database: Database, words: Path) -> None:
    engine = database.engine
    add_encoder(engine, "a", "static", path=words, actor="test")
    store_recipe(engine, "near", with_vectors(shipped("default").recipe, "a"), actor="test")
    use_recipe(engine, "near", actor="test", reason="try")
    for dry_run in (True, False):
        with pytest.raises(UsageError, match="The live recipe near names the encoder 'a'"):
            remove_encoder(engine, "a", actor="test", dry_run=dry_run)
    use_recipe(engine, "default", actor="test", reason="back")
    assert remove_encoder(engine, "a", actor="test") == 0


@pytest.mark.parametrize("name", ["none", "", "a/b"])
def test_a_name_that_commands_could_not_use_is_refused(
    database: Database, words: Path, name: str
) -> None:
    with pytest.raises(UsageError, match="cannot be the name"):
        add_encoder(database.engine, name, "static", path=words, actor="test")


def test_files_that_changed_or_are_gone_are_refused(
    database: Database, words: Path, tmp_path: Path
) -> None:
    engine = database.engine
    row = add_encoder(engine, "a", "static", path=words, actor="test")
    assert row is not None
    save_token_vectors(words, {"red": (0.0, 1.0), "cup": (0.5, 0.5)})
    with pytest.raises(ConflictError, match="changed since"):
        open_encoder_of(engine, row)
    words.rename(tmp_path / "moved")
    with pytest.raises(UsageError, match=r"are gone.*encoders add a --static PATH"):
        open_encoder_of(engine, row)


def test_an_evaluation_encodes_on_the_device_of_the_settings(
    database: Database, tmp_path: Path
) -> None:
    network = save_sentence_folder(tmp_path / "network", list(VECTORS))
    add_encoder(database.engine, "a", "folder", path=network, actor="test")
    catalog = (database.engine, {1: "x"}, {1: "red cup"}, frozenset({1}))
    search, _ = EncodedTitles(*catalog, GeneratorOptions(device="cpu")).by("a")
    assert search is not None
    with pytest.raises(UsageError, match="'tpu' is no device"):
        EncodedTitles(*catalog, GeneratorOptions(device="tpu")).by("a")


def test_a_generator_without_a_network_makes_no_vectors(database: Database) -> None:
    add_generator(database.engine, "titles", None)
    for name, reason in (("titles", "has no network"), ("nobody", "There is no generator")):
        with pytest.raises(UsageError, match=reason):
            add_encoder(database.engine, "a", "generator", source=name, actor="test")


def test_a_generator_of_another_network_makes_no_vectors(
    database: Database, tmp_path: Path
) -> None:
    folder = save_tiny_gpt2(tmp_path / "gpt2", context=256)
    add_generator(database.engine, "other", folder)
    change_json(folder / "config.json", model_type=HISTORY, architectures=["HistoryGpt2"])
    with pytest.raises(UsageError, match=f"'other' is a {HISTORY}; only a GPT-2 makes vectors"):
        add_encoder(database.engine, "a", "generator", source="other", actor="test")


def test_a_re_ranker_with_damaged_weights_makes_no_vectors(
    database: Database, tmp_path: Path
) -> None:
    with database.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO items (item_id, title, version) VALUES ('a', 'red cup', 1)")
        )
    tower = save_reranker(database.engine, tmp_path / "t", save_tiny_gpt2(tmp_path / "gpt2"))
    weights = load_file(tower / "model.safetensors")
    name = next(name for name in weights if "bias" not in name)
    weights[name].view(-1)[0] = torch.nan
    save_file(weights, tower / "model.safetensors")
    with pytest.raises(UsageError, match=f"not all finite: {name}"):
        add_reranker(database.engine, "tower", tower, actor="test")


def test_a_re_ranker_that_reads_no_text_makes_no_vectors(
    database: Database, tmp_path: Path
) -> None:
    data = BaselineData([[0, 1], [1, 0]], 2)
    network = SasRec(data, options_of("sasrec", dim=8, length=3, blocks=1, heads=2))
    save_baseline(network, data, ["a", "b"], tmp_path / "sequence", {"name": "sequence"})
    add_reranker(database.engine, "sequence", tmp_path / "sequence", actor="test")
    for name, reason in (("sequence", "reads no text"), ("nobody", "There is no re-ranker")):
        with pytest.raises(UsageError, match=reason):
            add_encoder(database.engine, "a", "reranker", source=name, actor="test")


def test_an_unknown_name_lists_the_known_ones(database: Database, words: Path) -> None:
    with pytest.raises(UsageError) as none:
        show_encoder(database.engine, "a")
    assert "encoders add a" in str(none.value.hint)
    row = add_encoder(database.engine, "b", "static", path=words, actor="test")
    assert row is not None
    with pytest.raises(UsageError) as other:
        show_encoder(database.engine, "a")
    assert other.value.hint == "There are: b."
    with database.engine.begin() as connection:
        encoders.mark_removed(connection, row.encoder_no)
        assert encoders.load(connection, row.encoder_no).removed_at is not None
        assert encoders.load_all(connection) == []
