"""Contract of every QueryGenerator, tested on each implementation."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gpt4rec_es.generation.clean import score_query, search_tokens
from gpt4rec_es.generation.endpoint import Endpoint
from gpt4rec_es.generation.factory import open_generator
from gpt4rec_es.lab.training.phases import train_network
from gpt4rec_es.options.night import GeneratorOptions
from gpt4rec_es.prompts.catalog_titles import catalog_titles
from gpt4rec_es.prompts.keys import normalise_query
from gpt4rec_es.protocols import QueryGenerator, no_progress
from gpt4rec_es.records import Decoding
from tests.completions_server import MODEL, Model, serving
from tests.trained import OPTIONS, TITLES, shop_data, shop_histories
from tests.unit.generation.test_decoders import make_folder, make_qwen

# Enough to write words of titles.
SHORT = replace(OPTIONS, pretrain_epochs=1, epochs=2, lr=5e-3)
DECODING = Decoding(num_queries=4, num_beams=8, max_new_tokens=10)
PERSONAL = replace(DECODING, prior_weight=0.25)

Opener = Callable[[], QueryGenerator]

KINDS = [
    ("gpt2", "shared"),
    ("gpt2", "reference"),
    ("gpt2", "choosing"),
    ("llama", "shared"),
    ("llama", "choosing"),
    ("qwen", "shared"),
    ("qwen", "choosing"),
    ("endpoint", "samples"),
    ("vectors", "shared"),
    ("vectors", "reference"),
    ("vectors", "choosing"),
    ("titles", "shared"),
]


@pytest.fixture(params=KINDS, ids="-".join, scope="module")
def kind_and_beam_search(request: pytest.FixtureRequest) -> tuple[str, str]:
    kind, beam_search = request.param
    return kind, beam_search


@pytest.fixture(scope="module")
def kind(kind_and_beam_search: tuple[str, str]) -> str:
    return kind_and_beam_search[0]


@pytest.fixture(scope="module")
def llama_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a Llama, from random weights and a vocabulary that was pruned."""
    base = tmp_path_factory.mktemp("models")
    start = make_folder("llama", base / "start", hidden_size=64, max_position_embeddings=256)
    options = replace(SHORT, start=str(start), vocab_size=None, prune_vocab=True)
    return train_network(shop_data(), options, base / "llama", no_progress).folder


@pytest.fixture(scope="module")
def qwen_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a Qwen 3 with its own conventions, from random weights."""
    base = tmp_path_factory.mktemp("models")
    start = make_qwen(base / "start", hidden_size=64, max_position_embeddings=256)
    options = replace(SHORT, start=str(start), vocab_size=None)
    return train_network(shop_data(), options, base / "qwen", no_progress).folder


@pytest.fixture(scope="module")
def kind_and_path(kind: str, request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """Yield kind and path of its row; any folder is a gpt2 there."""
    own = kind in {"vectors", "llama", "qwen"}
    fixture = f"{kind}_folder" if own else "trained_folder"
    folder: Path = request.getfixturevalue(fixture)
    if kind == "endpoint":
        with serving(Model(folder).complete) as url:
            yield kind, Endpoint(url, MODEL, context=256).address
    else:
        yield ("titles" if kind == "titles" else "gpt2"), str(folder)


@pytest.fixture(scope="module")
def open_another(kind_and_beam_search: tuple[str, str], kind_and_path: tuple[str, str]) -> Opener:
    """Return a function that opens the generator as a new process would: nothing is known yet."""
    search = kind_and_beam_search[1]
    beam_search = "reference" if search == "reference" else "shared"
    options = GeneratorOptions(device="cpu", threads=1, token_budget=3000, beam_search=beam_search)
    if search == "choosing":
        titles = catalog_titles(TITLES)
        return lambda: open_generator(*kind_and_path, options).choosing(titles)
    return lambda: open_generator(*kind_and_path, options)


@pytest.fixture(params=[DECODING, PERSONAL], ids=["plain", "personal"])
def decoding(request: pytest.FixtureRequest, kind_and_beam_search: tuple[str, str]) -> Decoding:
    found: Decoding = request.param
    if kind_and_beam_search[1] == "choosing":
        return replace(found, mode="titles", length_penalty=0.0)
    return found


@pytest.fixture(scope="module")
def generator(open_another: Opener) -> QueryGenerator:
    return open_another()


@pytest.fixture(scope="module")
def prompts(generator: QueryGenerator) -> list[str]:
    written = [generator.write_prompt(titles) for titles in shop_histories()[:12]]
    return [prompt.text for prompt in written if prompt is not None]


def test_order_is_kept_and_the_batch_does_not_matter(
    generator: QueryGenerator, open_another: Opener, prompts: list[str], decoding: Decoding
) -> None:
    together = generator.generate(prompts, decoding)
    backwards = open_another().generate(prompts[::-1], decoding)[::-1]
    other = open_another()
    alone = [other.generate([prompt], decoding)[0] for prompt in prompts]
    for first, second, third in zip(together, backwards, alone, strict=True):
        texts = [query.text for query in first.queries]
        assert texts == [query.text for query in second.queries]
        assert texts == [query.text for query in third.queries]
        assert first.tokens_generated == third.tokens_generated
        assert [q.sum_logprob for q in first.queries] == pytest.approx(
            [q.sum_logprob for q in third.queries], abs=1e-4
        )
    assert len({generation.queries[0].text for generation in together}) > 1


def test_a_rerun_is_identical(
    generator: QueryGenerator, open_another: Opener, prompts: list[str], decoding: Decoding
) -> None:
    found = generator.generate(prompts, decoding)
    assert found == generator.generate(prompts, decoding)
    again = open_another()
    assert again.generate(prompts, decoding) == open_another().generate(prompts, decoding)


def test_queries_are_normal_distinct_ranked_and_at_most_as_many_as_asked(
    generator: QueryGenerator, prompts: list[str], decoding: Decoding
) -> None:
    for generation in generator.generate(prompts, decoding):
        queries = generation.queries
        assert 1 <= len(queries) <= DECODING.num_queries
        assert [q.text for q in queries] == [normalise_query(q.text) for q in queries]
        scores = [score_query(query, decoding) for query in queries]
        assert scores == sorted(scores, reverse=True)
        assert len({search_tokens(q.text) for q in queries}) == len(queries)
        assert all(q.n_tokens >= 1 and q.sum_logprob <= 0 for q in queries)


def test_no_prompt_without_titles(generator: QueryGenerator) -> None:
    assert generator.write_prompt([]) is None
    assert generator.write_prompt(["", "\x00"]) is None


def test_the_newest_titles_are_used(generator: QueryGenerator) -> None:
    titles = [f"vintage clock {n}" for n in range(40)]
    prompt = generator.write_prompt(titles)
    assert prompt is not None
    assert 1 <= prompt.used <= 15
    assert prompt.n_tokens > 0
    same = generator.write_prompt(titles[-prompt.used :])
    assert same == prompt
    assert generator.write_prompt([*titles, "new"]) != prompt


@pytest.mark.parametrize(
    "titles",
    [
        ["vintage clock"] * 3 + ["candle " * 5_000],
        [f"garden tea pot {n} " * 30 for n in range(100)],
        ["bag\x00\n\u2028<|endoftext|>\ufffd", "\x1b[1m tea\tpot"],
        ["🕯️" * 300, "日本の傘" * 200, "q̃"],
    ],
    ids=["long title", "long history", "signs", "scripts"],
)
def test_every_history_gets_queries_of_a_line(
    generator: QueryGenerator, decoding: Decoding, titles: list[str]
) -> None:
    prompt = generator.write_prompt(titles)
    assert prompt is not None
    assert "\x00" not in prompt.text
    (found,) = generator.generate([prompt.text], decoding)
    texts = [query.text for query in found.queries]
    assert all(text == normalise_query(text) and "\n" not in text for text in texts)
    assert len(texts) <= decoding.num_queries


def test_nothing_to_generate(generator: QueryGenerator) -> None:
    assert generator.generate([], DECODING) == []


def test_the_content_hash_stays(generator: QueryGenerator, kind_and_path: tuple[str, str]) -> None:
    options = GeneratorOptions(token_budget=7, threads=2)
    again = open_generator(*kind_and_path, options, reserve=60)
    assert again.content_hash == generator.content_hash
    assert len(generator.content_hash) == 64
