"""The generator on a completions server: what it asks, reads and refuses."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from gpt4rec_es.errors import ConflictError, DataError, DependencyError, UsageError
from gpt4rec_es.generation import completions
from gpt4rec_es.generation.endpoint import Endpoint, EndpointGenerator
from gpt4rec_es.prompts.catalog_titles import catalog_titles
from gpt4rec_es.records import Decoding
from tests.completions_server import MODEL, Model, serving
from tests.elastic.stub import Reply

DECODING = Decoding(num_queries=3, num_beams=6, max_new_tokens=8)
PROMPTS = ["Previously: red lamp", "Previously: blue lamp"]


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completions, "_WAITS", (0.0, 0.0))


def opened(url: str, key: str | None = None, **options: Any) -> EndpointGenerator:
    return EndpointGenerator(Endpoint(url, MODEL, **options), key, reserve=8)


def choice(text: str, *logprobs: float) -> dict[str, Any]:
    return {"text": text, "logprobs": {"token_logprobs": list(logprobs)}}


def always(*choices: dict[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda _: {"choices": list(choices)}


def test_an_address_keeps_all_that_an_endpoint_is() -> None:
    one = Endpoint("https://llm.shop.example/v1", "shop/7b &x", "v 2", 4096, has_beams=True)
    assert Endpoint.at(one.address) == one
    assert Endpoint.at(replace(one, version="", has_beams=False).address).version == ""


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("llm:8000/v1", "no address"),
        ("ftp://llm/v1", "no address"),
        ("http://user:secret@llm/v1", "has no user"),
        ("http://llm/v1?api_key=secret", "has no user"),
    ],
)
def test_what_is_no_address_or_has_a_secret_is_refused(url: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as error:
        Endpoint(url, MODEL)
    assert "secret" not in str(error.value)


def test_beams_are_asked_for_where_the_server_has_them() -> None:
    asked: list[dict[str, Any]] = []

    def complete(body: dict[str, Any]) -> dict[str, Any]:
        asked.append(body)
        return {"choices": [choice(f"lamp {n}", -1.0 - n, -0.5) for n in range(body["n"])]}

    with serving(complete) as url:
        generator = opened(url, has_beams=True)
        found = generator.generate(PROMPTS[:1], DECODING)
    body = next(body for body in asked if body["prompt"] == PROMPTS[0])
    assert body["model"] == MODEL
    assert (body["n"], body["max_tokens"], body["use_beam_search"]) == (6, 8, True)
    queries = found[0].queries
    assert [(one.text, one.sum_logprob, one.n_tokens) for one in queries] == [
        ("lamp 0", -1.5, 2),
        ("lamp 1", -2.5, 2),
        ("lamp 2", -3.5, 2),
    ]
    assert found[0].tokens_generated == 12


def test_log_probabilities_of_the_new_form_are_read() -> None:
    new = {"text": "lamp", "logprobs": {"content": [{"logprob": -0.25}, {"logprob": -0.5}]}}
    with serving(always(new)) as url:
        query = opened(url).generate(PROMPTS[:1], DECODING)[0].queries[0]
    assert (query.sum_logprob, query.n_tokens) == (-0.75, 2)


@pytest.mark.parametrize("is_new", [True, False])
def test_a_query_ends_with_its_line_also_where_a_server_knows_no_stop(is_new: bool) -> None:
    tokens = ["\n", " red", " lamp", "\n", "In the", " future"]
    old = {"tokens": tokens, "token_logprobs": [-1.0] * len(tokens)}
    new = {"content": [{"token": token, "logprob": -1.0} for token in tokens]}
    answer = {"text": "".join(tokens), "logprobs": new if is_new else old}
    with serving(always(answer)) as url:
        query = opened(url).generate(PROMPTS[:1], DECODING)[0].queries[0]
    assert (query.text, query.sum_logprob, query.n_tokens) == ("red lamp", -4.0, 4)


@pytest.mark.parametrize("limit", [{"per_request": 1}, {"slots": 4}, {"slots": 1}])
def test_samples_are_the_same_if_a_server_gives_fewer_per_request(
    trained_folder: Path, limit: dict[str, int]
) -> None:
    many, fewer = Model(trained_folder), Model(trained_folder, **limit)
    with serving(many.complete) as first, serving(fewer.complete) as second:
        generator = opened(second)
        assert opened(first).generate(PROMPTS, DECODING) == generator.generate(PROMPTS, DECODING)
        before = fewer.requests
        generator.generate(PROMPTS[:1], DECODING)
    assert fewer.requests > many.requests
    # What a server refuses is not asked for again: two requests see whether it is the same model.
    at_once = limit.get("slots") and min(limit["slots"], 3)
    assert fewer.requests - before == 2 + -(-DECODING.num_beams // (at_once or 1))


def test_a_prompt_that_is_refused_in_one_request_slows_no_other_prompt(
    trained_folder: Path,
) -> None:
    model, asked = Model(trained_folder), []

    def complete(body: dict[str, Any]) -> Any:
        asked.append((body["prompt"], body["n"]))
        if body["prompt"] == PROMPTS[0] and body["n"] > 1:
            return Reply({"error": {"message": "too long"}}, 400, is_elasticsearch=False)
        return model.complete(body)

    with serving(complete) as url:
        generator = opened(url)
        generator.generate(PROMPTS[:1], DECODING)
        assert asked.count((PROMPTS[0], 1)) == DECODING.num_beams
        generator.generate(PROMPTS[1:2], DECODING)
    assert [n for prompt, n in asked if prompt == PROMPTS[1]] == [DECODING.num_beams]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Reply(b"<html>hello</html>", is_elasticsearch=False), "no JSON"),
        (Reply({"error": {"message": "no such model"}}, 404, is_elasticsearch=False), "no such"),
        (Reply({"choices": [{"text": "lamp"}]}, is_elasticsearch=False), "log-probabilities"),
        ({"choices": [{"text": "lamp", "logprobs": None}]}, "log-probabilities"),
        ({"choices": [choice("lamp", float("nan"))]}, "log-probabilities"),
        ({"choices": [choice("lamp", 3.0)]}, "log-probabilities"),
        ({"object": "list"}, "log-probabilities"),
        (Reply({}, 503, is_elasticsearch=False), "answers 503, 3 times"),
        (Reply(None, is_elasticsearch=False), "cannot be reached"),
    ],
)
def test_what_is_no_completion_never_becomes_no_queries(answer: Any, said: str) -> None:
    with serving(lambda _: answer) as url:
        with pytest.raises(DependencyError, match=said):
            opened(url).generate(PROMPTS, DECODING)
        with pytest.raises(DependencyError, match=said):
            _ = opened(url).content_hash


def test_a_server_that_is_gone_is_named() -> None:
    with serving(always(choice("lamp", -1.0))) as url:
        generator = opened(url)
    with pytest.raises(DependencyError, match=f"{url} cannot be reached"):
        generator.generate(PROMPTS, DECODING)


def test_a_prompt_that_is_refused_is_no_outage() -> None:
    refusal = Reply({"error": {"message": "too long"}}, 400, is_elasticsearch=False)
    with serving(lambda _: refusal) as url, pytest.raises(DataError, match="too long"):
        opened(url).generate(PROMPTS, DECODING)


def test_a_busy_server_is_asked_again() -> None:
    tries: Iterator[int] = count()

    def complete(_: dict[str, Any]) -> Any:
        return Reply({}, 429, is_elasticsearch=False) if next(tries) < 2 else always(lamp)({})

    lamp = choice("lamp", -1.0)
    with serving(complete) as url:
        assert opened(url).generate(PROMPTS[:1], DECODING)[0].queries[0].text == "lamp"


def test_the_key_is_sent_and_never_said() -> None:
    with serving(always(choice("lamp", -1.0)), api_key="s3cret") as url:
        assert opened(url, "s3cret").generate(PROMPTS, DECODING)
        for wrong in (None, "0ther"):
            with pytest.raises(DependencyError, match="refuses the key") as error:
                opened(url, wrong).generate(PROMPTS, DECODING)
            assert "0ther" not in str(error.value)


def test_an_exchanged_model_is_noticed_when_opened_and_while_it_writes() -> None:
    says = {"text": "lamp"}

    def complete(_: dict[str, Any]) -> dict[str, Any]:
        return {"choices": [choice(says["text"], -1.0)]}

    with serving(complete) as url:
        before = opened(url)
        known = before.content_hash
        assert before.generate(PROMPTS, DECODING)
        says["text"] = "sofa"
        assert opened(url).content_hash != known
        with pytest.raises(ConflictError, match="another model"):
            before.generate(PROMPTS, DECODING)
        assert opened(url, version="2").content_hash != opened(url).content_hash


def test_it_cannot_choose_titles() -> None:
    with pytest.raises(UsageError, match="cannot choose"):
        opened("http://127.0.0.1:9/v1").choosing(catalog_titles(["lamp"]))


def test_prompts_fit_the_context_by_their_bytes() -> None:
    generator = EndpointGenerator(Endpoint("http://llm/v1", MODEL, context=128), None, reserve=8)
    prompt = generator.write_prompt([f"ceramic vase number {n}" for n in range(40)])
    assert prompt is not None
    assert 1 <= prompt.used < 15
    assert len(prompt.text.encode()) <= 2 * 120
    thai = generator.write_prompt(["\u0e41\u0e08\u0e01\u0e31\u0e19"] * 40)
    assert thai is not None
    assert len(thai.text.encode()) < 2 * 120
    assert thai.used < prompt.used
