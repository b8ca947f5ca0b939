"""Contract of every QueryGenerator, tested on each implementation."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gpt4rec_es.generation.clean import score_query, search_tokens
from gpt4rec_es.generation.endpoint import Endpoint
from gpt4rec_es.generation.factory import open_generator
from gpt4rec_es.options.night import GeneratorOptions
from gpt4rec_es.prompts.catalog_titles import catalog_titles
from gpt4rec_es.prompts.keys import normalise_query
from gpt4rec_es.protocols import QueryGenerator
from gpt4rec_es.records import Decoding
from tests.completions_server import MODEL, Model, serving
from tests.trained import TITLES, shop_histories

DECODING = Decoding(num_queries=4, num_beams=8, max_new_tokens=10)
PERSONAL = replace(DECODING, prior_weight=0.25)

Opener = Callable[[], QueryGenerator]

KINDS = [
    ("gpt2", "shared"),
    ("gpt2", "reference"),
    ("gpt2", "choosing"),
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
def kind_and_path(kind: str, request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """Yield kind and path of its row; one that reads vectors is a gpt2 like one of words."""
    fixture = "vectors_folder" if kind == "vectors" else "trained_folder"
    folder: Path = request.getfixturevalue(fixture)
    if kind == "endpoint":
        with serving(Model(folder).complete) as url:
            yield kind, Endpoint(url, MODEL).address
    else:
        yield ("gpt2" if kind == "vectors" else kind), str(folder)


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


def test_nothing_to_generate(generator: QueryGenerator) -> None:
    assert generator.generate([], DECODING) == []


def test_the_content_hash_stays(generator: QueryGenerator, kind_and_path: tuple[str, str]) -> None:
    options = GeneratorOptions(token_budget=7, threads=2)
    again = open_generator(*kind_and_path, options, reserve=60)
    assert again.content_hash == generator.content_hash
    assert len(generator.content_hash) == 64
