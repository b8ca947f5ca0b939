"""The beam search equals that of the transformers library, with fewer tokens."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from benchmarks.comparison import Comparison
from gpt4rec_es.encoders.batches import plan_batches
from gpt4rec_es.generation.beam import search_beams as search_by_reference
from gpt4rec_es.generation.beam_search import loop
from gpt4rec_es.generation.beam_search.linears import tune
from gpt4rec_es.generation.beam_search.loop import search, search_beams
from gpt4rec_es.generation.beam_search.selection import Rules
from gpt4rec_es.generation.factory import open_generator
from gpt4rec_es.options.night import GeneratorOptions
from gpt4rec_es.records import Decoding
from tests.trained import shop_histories
from tests.unit.generation.networks import END, by_generate, random_prompts, tiny_network


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # more threads are slower for tensors this small
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=["gpt2", "llama", "neox"])
def network(request: pytest.FixtureRequest) -> Any:
    return tiny_network(request.param)


def compare(network: Any, prompts: list[list[int]], rules: Rules) -> Comparison:
    comparison = Comparison()
    expected = by_generate(network, prompts, rules)
    for one, other in zip(expected, search(network, prompts, rules), strict=True):
        comparison.add(one, other, rules.length_penalty, END)
    assert comparison.worst < 1e-4
    assert comparison.differences == []
    assert len(comparison.swaps) <= 2, comparison.swaps
    return comparison


@pytest.mark.parametrize("beams", [5, 10, 20, 40])
@pytest.mark.parametrize("length_penalty", [0.0, 1.0, 1.5])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_it_equals_generate(
    network: Any, beams: int, length_penalty: float, early_stopping: bool
) -> None:
    rules = Rules(beams, 12, END, 0, length_penalty, early_stopping)
    compare(network, random_prompts(4, 1, 40), rules)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_hypotheses_end_at_many_lengths(network: Any, early_stopping: bool) -> None:
    """Check that test networks end texts at different lengths."""
    rules = Rules(10, 24, END, 0, 0.0, early_stopping)
    comparison = compare(network, random_prompts(6, 1, 40, seed=3), rules)
    assert comparison.ended > comparison.hypotheses / 4
    assert len(comparison.lengths) >= 8


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_the_mask_is_right_under_either_attention(attention: str) -> None:
    network = tiny_network("gpt2", attention=attention)
    compare(network, random_prompts(5, 1, 40), Rules(10, 12, END))


def test_other_attention_is_refused() -> None:
    network = tiny_network("gpt2")
    network.config._attn_implementation = "flash_attention_2"
    with pytest.raises(ValueError, match="Attention must be one of"):
        search(network, random_prompts(2, 3, 9), Rules(4, 5, END))


@pytest.mark.parametrize("early_stopping", [False, True, "never"])
@pytest.mark.parametrize("least", [4, 12])
def test_shortest_length_and_early_stopping(
    early_stopping: Literal["never"] | bool, least: int
) -> None:
    rules = Rules(6, 12, END, least, 1.0, early_stopping)
    comparison = compare(tiny_network("gpt2"), random_prompts(5, 1, 20), rules)
    assert min(comparison.lengths) >= least


def test_more_beams_than_half_the_vocabulary() -> None:
    network = tiny_network("gpt2", vocabulary=17)
    rules = Rules(12, 6, END)
    prompts = random_prompts(3, 2, 9, vocabulary=17)
    expected = by_generate(network, prompts, rules)
    for one, other in zip(expected, search(network, prompts, rules), strict=True):
        # At the first step there are fewer tokens than requested candidates; the fill-up
        # candidates are arbitrary, so only hypotheses without them can be compared.
        real = [h.token_ids for h in one if h.sum_logprob > -1e6]
        assert [h.token_ids for h in other if h.sum_logprob > -1e6][:6] == real[:6]


def test_one_prompt_is_answered_alike_alone_and_among_others(network: Any) -> None:
    prompts = random_prompts(9, 1, 60)
    rules = Rules(10, 12, END)
    comparison = Comparison()
    for prompt, found in zip(prompts, search(network, prompts, rules), strict=True):
        comparison.add(search(network, [prompt], rules)[0], found, 1.0, END)
    assert comparison.differences == comparison.swaps == []


def test_one_new_token() -> None:
    network = tiny_network("gpt2")
    compare(network, random_prompts(3, 1, 9), Rules(4, 1, END))


def test_a_trained_generator_writes_the_same_with_either_engine(
    trained_network: Any, trained_prompts: list[list[int]], trained_end: int
) -> None:
    decoding = Decoding(num_queries=4, num_beams=12, max_new_tokens=20)
    expected = search_by_reference(trained_network, trained_prompts, decoding, trained_end)
    found = search_beams(trained_network, trained_prompts, decoding, trained_end)
    comparison = Comparison()
    for one, other in zip(expected, found, strict=True):
        comparison.add(one, other, 1.0, trained_end)
    assert comparison.differences == []
    assert comparison.worst < 1e-4
    assert comparison.ended == comparison.hypotheses
    assert len(comparison.lengths) >= 4


def test_a_generator_writes_the_same_queries_with_either_engine(trained_folder: Path) -> None:
    shared, reference = (
        open_generator(
            "gpt2",
            trained_folder,
            GeneratorOptions(device="cpu", threads=1, beam_search=beam_search),
        )
        for beam_search in ("shared", "reference")
    )
    assert shared.content_hash == reference.content_hash
    prompts = [shared.write_prompt(titles) for titles in shop_histories()[:20]]
    texts = [prompt.text for prompt in prompts if prompt is not None]
    decoding = Decoding(num_queries=4, num_beams=12)
    for one, other in zip(
        shared.generate(texts, decoding), reference.generate(texts, decoding), strict=True
    ):
        assert [query.text for query in one.queries] == [query.text for query in other.queries]
        assert one.tokens_generated == other.tokens_generated
        scores = [query.sum_logprob for query in other.queries]
        assert [query.sum_logprob for query in one.queries] == pytest.approx(scores, abs=1e-3)


@contextmanager
def counted_tokens(network: Any) -> Iterator[list[int]]:
    """Count the tokens that pass the embedding layer."""
    counts: list[int] = []
    hook = network.get_input_embeddings().register_forward_hook(
        lambda _module, inputs, _output: counts.append(inputs[0].numel())
    )
    try:
        yield counts
    finally:
        hook.remove()


def test_tokens_read_are_near_the_floor() -> None:
    network = tiny_network("gpt2", eagerness=-100.0)
    prompts = random_prompts(1000, 32, 96)
    m, new = 4, 5
    # Token places per prompt and batch are those of 20 beams and 20 new tokens.
    batches = plan_batches([len(p) for p in prompts], m, 8 * 96 * m)
    with counted_tokens(network) as counts:
        for batch in batches:
            search(network, [prompts[place] for place in batch], Rules(m, new, END))
    floor = sum(map(len, prompts)) + len(prompts) * m * (new - 1)
    assert floor <= sum(counts) <= 1.02 * floor


def test_finished_prompts_leave_the_batch() -> None:
    network = tiny_network("gpt2", eagerness=5.0)
    prompts = random_prompts(12, 30, 30)
    rules = Rules(5, 30, END)
    alone = []
    for prompt in prompts:
        with counted_tokens(network) as counts:
            search(network, [prompt], rules)
        alone.append(sum(counts))
    with counted_tokens(network) as counts:
        search(network, prompts, rules)
    assert sum(counts) == sum(alone)
    assert len(set(alone)) > 3, "they must leave at different steps for this to say something"


def test_checking_finished_rows_rarely_changes_nothing(
    network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Check searches with finished rows read every few steps, as on a GPU."""
    monkeypatch.setitem(loop._CHECK_EVERY, "cpu", 8)
    comparison = compare(network, random_prompts(6, 1, 40, seed=3), Rules(5, 24, END, 0, 0.0))
    assert comparison.ended > comparison.hypotheses / 4


def test_half_precision_finds_nearly_the_same() -> None:
    prompts = random_prompts(10, 1, 40)
    rules = Rules(10, 12, END)
    exact = search(tiny_network("gpt2"), prompts, rules)
    halved = search(tiny_network("gpt2").half(), prompts, rules)
    shared = sum(
        len({h.token_ids for h in one} & {h.token_ids for h in other})
        for one, other in zip(exact, halved, strict=True)
    )
    assert shared >= 0.9 * sum(map(len, exact))


def test_a_batch_too_large_for_memory_is_searched_in_halves(
    caplog: pytest.LogCaptureFixture,
) -> None:
    network = tiny_network("gpt2")
    prompts = random_prompts(7, 1, 20)
    rules = Rules(5, 8, END)
    expected = search(network, prompts, rules)

    def refuse(_module: Any, inputs: Any) -> None:
        if inputs[0].shape[0] > 2:
            raise torch.OutOfMemoryError

    network.get_input_embeddings().register_forward_pre_hook(refuse)
    found = search(network, prompts, rules)
    assert [[h.token_ids for h in one] for one in found] == [
        [h.token_ids for h in one] for one in expected
    ]
    assert [record.message for record in caplog.records].count(
        "out of memory: the batch is searched in halves"
    ) == 3


def test_tuning_changes_only_the_kernels() -> None:
    prompts = random_prompts(6, 1, 40)
    rules = Rules(10, 12, END)
    expected = search(tiny_network("gpt2"), prompts, rules)
    comparison = Comparison()
    for one, other in zip(
        expected, search(tune(tiny_network("gpt2")), prompts, rules), strict=True
    ):
        comparison.add(one, other, 1.0, END)
    assert comparison.differences == []
    assert comparison.worst < 1e-4
