"""Training of a generator that reads vectors: what it learns, and a kill at any epoch."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gpt4rec_es.encoders.folder import open_checkpoint
from gpt4rec_es.encoders.history_network import open_history_network
from gpt4rec_es.encoders.history_reader import HistoryReader, padded_tokens
from gpt4rec_es.encoders.reader_shape import ReaderShape
from gpt4rec_es.errors import DataError, UsageError
from gpt4rec_es.generation.card import read_card
from gpt4rec_es.generation.factory import open_generator
from gpt4rec_es.generation.options import TrainingOptions, training_options
from gpt4rec_es.generation.title_search.chooser import title_ids
from gpt4rec_es.lab.training import history_reading, history_training
from gpt4rec_es.lab.training.dataset import TrainingData, collect_histories
from gpt4rec_es.lab.training.history_reading import fitted_temperature, number_titles
from gpt4rec_es.lab.training.history_writing import prefix_nats
from gpt4rec_es.lab.training.phases import train_network
from gpt4rec_es.prompts.catalog_titles import catalog_titles
from gpt4rec_es.protocols import no_progress
from gpt4rec_es.records import Decoding
from tests.trained import TITLES, VECTORS, shop_data, shop_histories

SHORT = replace(VECTORS, pretrain_epochs=2, epochs=1.5)


def test_the_card_says_what_was_learned(vectors_folder: Path) -> None:
    card = read_card(vectors_folder)
    assert list(card["phases"]) == ["reader", "decoder"]
    # The figure is what the finished generator itself says of the users kept back.
    generator = open_generator("gpt2", vectors_folder).choosing(catalog_titles(TITLES))
    validation = shop_histories()[:10]
    prompts = [generator.write_prompt(titles[:-1]) for titles in validation]
    found = generator.title_logprobs(
        [prompt.text for prompt in prompts if prompt], [titles[-1] for titles in validation]
    )
    assert card["nats_per_title"] == pytest.approx(-sum(found) / 10, abs=1e-4)
    assert 0 <= card["reader_ndcg"] <= 1
    assert card["options"]["history"] == "vectors"
    readme = (vectors_folder / "README.md").read_text()
    assert "gpt4rec_history" in readme
    assert "TITLE ONE\nTITLE TWO\n" in readme


def test_a_killed_training_goes_on_to_equal_weights(tmp_path: Path) -> None:
    data = shop_data(60)
    whole = train_network(data, SHORT, tmp_path / "whole", no_progress)
    for kill_after in (1, 3):  # in the reader's phase, and in the decoder's
        output = tmp_path / f"killed-{kill_after}"

        def kill(done: int, total: int | None, kill_after: int = kill_after) -> None:
            assert total == 4
            if done == kill_after:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train_network(data, SHORT, output, kill)
        assert not output.exists()
        again = train_network(data, SHORT, output, no_progress)
        assert again.content_hash == whole.content_hash
        assert again.card["phases"] == whole.card["phases"]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["killed-1", "killed-3", "whole"]


def test_a_limit_of_minutes_ends_both_phases(tmp_path: Path) -> None:
    options = replace(VECTORS, pretrain_epochs=10_000, epochs=10_000, max_minutes=0.02)
    card = train_network(shop_data(), options, tmp_path / "timed", no_progress).card
    assert 0 < card["phases"]["decoder"]["steps"] < card["phases"]["decoder"]["planned_steps"]
    assert card["seconds"] < 60


def test_a_reader_stays_as_the_decoder_knows_it_after_a_kill(tmp_path: Path) -> None:
    options = replace(VECTORS, pretrain_epochs=10_000, epochs=10_000, max_minutes=0.1)
    seen: list[int] = []

    def kill(done: int, total: int | None) -> None:
        assert total == 20_000
        if done > 10_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_network(shop_data(), options, tmp_path / "timed", kill)
    train_network(shop_data(), options, tmp_path / "timed", lambda done, _: seen.append(done))
    # At most one epoch, without any batch, in which the loop sees that the time is over.
    assert len([done for done in seen if done < 10_000]) <= 1
    assert max(seen) > 10_000


def test_a_reader_of_long_histories_is_deeper(
    tmp_path: Path, vectors_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_training, "_LONG", 3)  # of the shop's 5 titles, 4 are read
    folder = train_network(shop_data(60), SHORT, tmp_path / "deep", no_progress).folder
    shapes = [open_checkpoint(one).reader for one in (vectors_folder, folder)]
    assert [shape and (shape.blocks, shape.heads) for shape in shapes] == [(1, 1), (2, 2)]
    generator = open_generator("gpt2", folder).choosing(catalog_titles(TITLES))
    prompt = generator.write_prompt(TITLES[:2])
    assert prompt
    (generation,) = generator.generate(
        [prompt.text], Decoding(3, 3, length_penalty=0, mode="titles")
    )
    assert len(generation.queries) == 3


def test_scores_of_users_kept_back_fit_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    data = shop_data()
    tokens = padded_tokens([[1]] * len(data.histories.titles))
    assert len(number_titles(data.histories, data.validation, tokens).read) == 10
    monkeypatch.setattr(history_reading, "_FEWEST_USERS", 3)
    monkeypatch.setattr(history_reading, "_SCORES", 4 * len(data.histories.titles))
    assert len(number_titles(data.histories, data.validation, tokens).read) == 4


def test_unknown_titles_and_all_known_ones_have_a_place(vectors_folder: Path) -> None:
    checkpoint = open_checkpoint(vectors_folder)
    assert checkpoint.reader is not None
    reader, decoder = open_history_network(vectors_folder, "fp32", "cpu")
    assert len(reader.numbers()) == checkpoint.reader.titles == len(set(TITLES))
    assert checkpoint.vocabulary == len(decoder.get_input_embeddings().weight)
    assert checkpoint.prompt_form.titles == checkpoint.reader.length == 4


def test_an_overconfident_reader_gets_a_high_temperature() -> None:
    torch.manual_seed(1)
    reader = HistoryReader(ReaderShape(titles=3, dim=4, length=2), 10, 4, 0.0).eval()
    data = number_titles(
        collect_histories([["a", "b", "c"]]),
        collect_histories([["a", "b"], ["a", "c"], ["unknown", "b"], ["a", "unknown"]]),
        padded_tokens([[1], [2], [3]]),
    )
    assert (data.read, data.targets) == ([[0], [0], []], [1, 2, 1])
    with torch.no_grad():
        reader.norm.weight.fill_(50)
    assert fitted_temperature(reader, data) == 3.0
    empty = number_titles(collect_histories([["a"]]), collect_histories([]), padded_tokens([[1]]))
    assert fitted_temperature(reader, empty) == 1.0


def test_a_decoder_that_diverged_in_its_last_steps_is_refused(vectors_folder: Path) -> None:
    network = open_history_network(vectors_folder, "fp32", "cpu")
    with torch.no_grad():
        network[1].base_model.ln_f.weight.fill_(3e38)  # a finite weight, but its products are not
    data, tokenizer = shop_data(), open_checkpoint(vectors_folder).tokenizer
    ids = title_ids(data.histories.titles, tokenizer, 20)
    numbered = number_titles(data.histories, data.validation, padded_tokens(ids))
    with pytest.raises(UsageError, match="decoder diverged"):
        prefix_nats(network, numbered, ids, [])


@pytest.mark.parametrize(
    "option",
    [
        {"pairs": "every-prefix"},
        {"newest_pairs": 1},
        {"newest_first": True},
        {"snapshots": 1},
        {"max_steps": 5},
    ],
    ids=str,
)
def test_options_of_words_are_refused(option: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="reads words"):
        training_options("vectors", {"history": "vectors", **option})


def test_histories_of_one_title_teach_nothing(tmp_path: Path) -> None:
    lone = collect_histories([["clock"], ["bag"]])
    data = TrainingData(TITLES, lone, collect_histories([]), {})
    with pytest.raises(DataError, match="bought two items"):
        train_network(data, VECTORS, tmp_path / "none", no_progress)
    assert list(tmp_path.iterdir()) == []


def test_it_cannot_start_a_training(vectors_folder: Path, tmp_path: Path) -> None:
    options = TrainingOptions(start=str(vectors_folder), epochs=1, device="cpu", threads=1)
    with pytest.raises(UsageError, match="no plain language model"):
        train_network(shop_data(), options, tmp_path / "other", no_progress)


def test_a_pretrained_decoder_keeps_its_words(trained_folder: Path, tmp_path: Path) -> None:
    options = replace(SHORT, start=str(trained_folder), vocab_size=None)
    report = train_network(shop_data(60), options, tmp_path / "started", no_progress)
    names = {"tokenizer.json"}
    for name in names:
        assert (report.folder / name).read_bytes() == (trained_folder / name).read_bytes()
    assert json.loads((report.folder / "config.json").read_text())["n_embd"] == 192
