"""Behaviour specific to one generator."""

from pathlib import Path

import pytest
import torch

from gpt4rec_es.encoders import network
from gpt4rec_es.errors import DependencyError, UsageError
from gpt4rec_es.generation.factory import open_generator
from gpt4rec_es.generation.title_generator import TitlesGenerator
from gpt4rec_es.options.night import GeneratorOptions
from gpt4rec_es.records import Decoding, Prompt
from tests.trained import TITLES, shop_histories


def test_newest_titles_are_the_queries_newest_first() -> None:
    generator = TitlesGenerator()
    prompt = generator.write_prompt(["red candle", "clock\x07", "RED  candle!", "tea pot"])
    assert prompt == Prompt("tea pot\nRED candle!\nclock\nred candle", 4, 7)
    (generation,) = generator.generate([prompt.text], Decoding(num_queries=10))
    assert [(q.text, q.beam_score) for q in generation.queries] == [
        ("tea pot", -1.0),
        ("RED candle!", -2.0),
        ("clock", -3.0),
    ]
    assert generation.tokens_generated == 0


def test_so_many_newest_titles_become_queries() -> None:
    prompt = TitlesGenerator(2).write_prompt(["red candle", "clock", "tea pot"])
    assert prompt == Prompt("tea pot\nclock", 2, 3)


def test_the_tiny_generator_learnt_the_shop(trained_folder: Path) -> None:
    generator = open_generator("gpt2", trained_folder, GeneratorOptions(device="cpu", threads=1))
    histories = [titles for titles in shop_histories()[:20] if titles[-1].startswith("vintage")]
    prompts = [generator.write_prompt(titles) for titles in histories]
    decoding = Decoding(num_queries=3, num_beams=8, max_new_tokens=12)
    generations = generator.generate([p.text for p in prompts if p], decoding)
    queries = [query for generation in generations for query in generation.queries]
    assert sum(query.text in TITLES for query in queries) >= 0.9 * len(queries)
    assert all(g.tokens_generated >= 8 for g in generations)


def test_what_does_not_fit_the_context_is_said_in_one_line(trained_folder: Path) -> None:
    generator = open_generator("gpt2", trained_folder, GeneratorOptions(device="cpu"), reserve=20)
    prompt = generator.write_prompt([" ".join(["zebra"] * 40)] * 15)
    assert prompt is not None
    with pytest.raises(UsageError, match="exceed the generator's context of 256"):
        generator.generate([prompt.text], Decoding(max_new_tokens=100))


def test_a_context_too_short_for_prompts_is_refused(trained_folder: Path) -> None:
    with pytest.raises(UsageError, match="leaves 6 tokens for prompts"):
        open_generator("gpt2", trained_folder, reserve=250)


def test_fp16_needs_a_gpu(trained_folder: Path) -> None:
    generator = open_generator("gpt2", trained_folder, GeneratorOptions(device="cpu"))
    with pytest.raises(UsageError, match="fp16 needs a GPU"):
        generator.generate(["Previously"], Decoding(dtype="fp16"))


def test_an_unknown_engine(trained_folder: Path) -> None:
    generator = open_generator(
        "gpt2", trained_folder, GeneratorOptions(device="cpu", beam_search="steam")
    )
    with pytest.raises(UsageError, match="There is no beam search 'steam'"):
        generator.generate(["Previously"], Decoding())


def test_devices() -> None:
    assert network.pick_device("cpu") == "cpu"
    assert network.pick_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(UsageError, match="no device"):
        network.pick_device("abacus")
    if torch.cuda.is_available():
        assert network.pick_device("cuda") == "cuda"
    else:
        with pytest.raises(UsageError, match="There is no GPU"):
            network.pick_device("cuda")


def test_threads() -> None:
    before = torch.get_num_threads()
    assert network.set_threads(1) == torch.get_num_threads() == 1
    assert network.set_threads(0) >= 1
    torch.set_num_threads(before)


def test_a_start_that_is_nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no checkpoint folder"):
        network.fetch(str(tmp_path / "none"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(DependencyError, match="could not be fetched from the Hugging Face hub"):
        network.fetch("no-such-model-anywhere")
    assert network.fetch(str(tmp_path)) == tmp_path
