"""Log-probabilities after the bare frame, and the order of queries that they give."""

import itertools
import math
import random
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from gpt4rec_es.encoders.folder import Checkpoint
from gpt4rec_es.errors import UsageError
from gpt4rec_es.generation import priors as module
from gpt4rec_es.generation.clean import collapse, score_query
from gpt4rec_es.generation.factory import open_generator
from gpt4rec_es.generation.priors import Priors
from gpt4rec_es.options.night import GeneratorOptions
from gpt4rec_es.prompts.keys import canonical_json
from gpt4rec_es.prompts.template import prompt_text
from gpt4rec_es.protocols import QueryGenerator
from gpt4rec_es.records import Decoding, GeneratedQuery
from tests.trained import shop_histories
from tests.unit.generation.networks import tiny_network

FRAME = [7, 8, 9]


class Bigrams:
    """A network that knows the chance of a token after another one; records what it is asked.

    After 9: 1 with 3/4, 2 with 1/4; after 1: 0 or 2, after 2: 0, 1, 2, evenly.
    """

    device, dtype = torch.device("cpu"), torch.float32

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        chances = torch.zeros(10, 10)
        chances[9, 1], chances[9, 2] = 0.75, 0.25
        chances[1, [0, 2]] = 1 / 2
        chances[2, [0, 1, 2]] = 1 / 3
        self._logits = chances.log().clamp(min=-1e4) + 5  # not normalised, as those of a network

    def __call__(self, input_ids: Any, **_: object) -> Any:
        self.asked.append(input_ids.flatten().tolist())
        return SimpleNamespace(logits=self._logits[input_ids])


def directly(network: Any, frame: list[int], ids: tuple[int, ...]) -> float:
    """Return the log-probability of ``ids`` after ``frame``, token by token."""
    with torch.inference_mode():
        logits = network(torch.tensor([[*frame, *ids]])).logits[0].double()
    steps = logits.log_softmax(-1)[len(frame) - 1 : -1]
    return float(steps[torch.arange(len(ids)), torch.tensor(ids)].sum())


def sequences(n: int, seed: int = 1) -> list[tuple[int, ...]]:
    """Return sequences of which many begin alike; some are the beginning of others."""
    chance = random.Random(seed)
    return [
        tuple(chance.choices((1, 2, 3, 150), (8, 4, 2, 1), k=chance.randint(1, 12)))
        for _ in range(n)
    ]


def test_hand_computed() -> None:
    network = Bigrams()
    priors = Priors(network, FRAME)
    assert priors.of([(1, 0), (2, 2, 1), (1,), (1, 0)]) == pytest.approx(
        [math.log(3 / 8), math.log(1 / 4 / 9), math.log(3 / 4), math.log(3 / 8)], abs=1e-6
    )
    # The frame, the beginnings (1,), (2,) and (2, 2), and padding.
    assert network.asked == [[*FRAME, 1, 2, 2, *[0] * 10]]
    assert priors.of([(1, 0), (2, 2, 1)]) == pytest.approx(
        [math.log(3 / 8), math.log(1 / 36)], abs=1e-6
    )
    assert len(network.asked) == 1, "known sequences cost nothing"
    assert priors.of([]) == []


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_equal_to_the_direct_computation(attention: str) -> None:
    network = tiny_network("gpt2", attention=attention)
    wanted = sequences(300)
    found = Priors(network, FRAME).of(wanted)
    assert found == pytest.approx([directly(network, FRAME, ids) for ids in wanted], abs=1e-3)


def test_several_trees_and_several_per_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    network = tiny_network("gpt2")
    wanted = sequences(200)
    together = Priors(network, FRAME).of(wanted)
    monkeypatch.setattr(module, "_TOKENS", 20)
    monkeypatch.setattr(module, "_SEQUENCES", {"cpu": 3})
    assert Priors(network, FRAME).of(wanted) == pytest.approx(together, abs=1e-3)


def test_the_batch_changes_no_more_than_rounding() -> None:
    network = tiny_network("gpt2")
    wanted = sequences(60)
    priors, together = Priors(network, FRAME), Priors(network, FRAME).of(wanted)
    alone = [Priors(network, FRAME).of([ids])[0] for ids in wanted]
    backwards = priors.of(wanted[::-1])[::-1]
    assert together == pytest.approx(alone, abs=5e-4)
    assert together == pytest.approx(backwards, abs=5e-4)
    assert priors.of(wanted) == backwards, "what is known stays the same"


def test_the_newest_are_kept_up_to_the_limit() -> None:
    network = Bigrams()
    priors = Priors(network, FRAME, limit=5)
    every = list(itertools.product((1, 2), repeat=3))
    found = priors.of(every)
    assert len(found) == 8
    assert len(priors) == 5
    assert priors.of(every[-5:]) == found[-5:]
    assert len(network.asked) == 1
    priors.of(every[:1])
    assert (len(priors), len(network.asked)) == (5, 2)


def test_what_everybody_would_be_told_comes_later() -> None:
    usual = GeneratedQuery("usual", -2.0, 4, -2.5)
    personal = GeneratedQuery("personal", -2.4, 4, -9.0)
    never = GeneratedQuery("without model", -2.1, 4)

    def order(weight: float, length_penalty: float = 1.0) -> list[str]:
        decoding = Decoding(prior_weight=weight, length_penalty=length_penalty)
        return [kept.text for kept in collapse((usual, personal, never), decoding)]

    assert order(0) == ["usual", "without model", "personal"]
    # -2 + .625 = -1.375; -2.4 + 2.25 = -.15; without a model nothing is known: -2.1
    assert order(0.25) == order(0.25, 0.0) == ["personal", "usual", "without model"]
    assert score_query(personal, Decoding(prior_weight=0.25)) == -0.15 / 4
    assert score_query(personal, Decoding(prior_weight=0.25, length_penalty=0.5)) == -0.15 / 2


def test_ties_do_not_hang_on_rounding() -> None:
    decoding = Decoding(prior_weight=0.5)
    first, second = GeneratedQuery("a", -2.0, 3, -4.0), GeneratedQuery("b", -2.0, 3, -4.0002)
    assert score_query(first, decoding) == score_query(second, decoding)
    assert [kept.text for kept in collapse((second, first), decoding)] == ["a", "b"]


def test_a_weight_of_0_keeps_the_key_of_stored_generations() -> None:
    assert canonical_json(Decoding().as_dict()) == (
        '{"dtype":"fp32","early_stopping":false,"length_penalty":1,"max_new_tokens":48,'
        '"num_beams":20,"num_queries":10,"query_dedup_jaccard":0.8}'
    )
    assert "prior_weight" not in Decoding(prior_weight=0.0).as_dict()
    personal = Decoding(prior_weight=0.25)
    assert personal.as_dict() == Decoding().as_dict() | {"prior_weight": 0.25}
    assert Decoding(**personal.as_dict()) == personal


@pytest.mark.parametrize("weight", [-0.1, 2.1, math.nan])
def test_other_weights_are_refused(weight: float) -> None:
    with pytest.raises(UsageError, match="prior_weight is"):
        Decoding(prior_weight=weight)


@pytest.fixture
def generator(trained_folder: Path) -> QueryGenerator:
    options = GeneratorOptions(device="cpu", threads=1, token_budget=3000)
    return open_generator("gpt2", trained_folder, options)


@pytest.fixture
def prompts(generator: QueryGenerator) -> list[str]:
    written = [generator.write_prompt(titles) for titles in shop_histories()[:12]]
    return [prompt.text for prompt in written if prompt is not None]


def test_a_generator_subtracts_what_it_would_write_without_titles(
    generator: QueryGenerator,
    prompts: list[str],
    trained_network: Any,
    trained_checkpoint: Checkpoint,
) -> None:
    decoding = Decoding(8, 8, 10, query_dedup_jaccard=1.0)
    plain = generator.generate(prompts, decoding)
    personal = generator.generate(prompts, replace(decoding, prior_weight=0.25))
    tokenizer = trained_checkpoint.tokenizer
    frame = tokenizer.encode(prompt_text(()))
    compared = 0
    for one, other in zip(plain, personal, strict=True):
        before = {query.text: query for query in one.queries}
        for query in other.queries:
            if query.text in before:
                assert query.sum_logprob == pytest.approx(before[query.text].sum_logprob, abs=1e-4)
            ids = tuple(tokenizer.encode(f" {query.text}"))
            if len(ids) + 1 == query.n_tokens:  # the beam's tokens are those of its text
                expected = directly(trained_network, frame, (*ids, tokenizer.end_id))
                assert query.prior_logprob == pytest.approx(expected, abs=2e-3)
                compared += 1
        assert one.tokens_generated == other.tokens_generated
        assert all(query.prior_logprob is None for query in one.queries)
    assert compared > 30
    assert [g.queries[0].text for g in plain] != [g.queries[0].text for g in personal]
