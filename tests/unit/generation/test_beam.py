from typing import Any

import pytest
import torch
from transformers import GenerationConfig

from gpt4rec_es.encoders.folder import Checkpoint
from gpt4rec_es.generation.beam import search_beams
from gpt4rec_es.records import Decoding

DECODING = Decoding(num_queries=4, num_beams=8, max_new_tokens=10)


@pytest.fixture
def checkpoint(trained_checkpoint: Checkpoint) -> Checkpoint:
    return trained_checkpoint


@pytest.fixture
def network(trained_network: Any) -> Any:
    torch.set_num_threads(1)
    return trained_network


@pytest.fixture
def prompts(trained_prompts: list[list[int]]) -> list[list[int]]:
    return trained_prompts[:6]


def test_one_prompt_is_answered_alike_alone_and_among_others(
    network: Any, checkpoint: Checkpoint, prompts: list[list[int]]
) -> None:
    end_id = checkpoint.tokenizer.end_id
    together = search_beams(network, prompts, DECODING, end_id)
    for prompt, found in zip(prompts, together, strict=True):
        (alone,) = search_beams(network, [prompt], DECODING, end_id)
        assert [h.token_ids for h in alone] == [h.token_ids for h in found]
        assert [h.sum_logprob for h in alone] == pytest.approx(
            [h.sum_logprob for h in found], abs=1e-4
        )
    lengths = {len(h.token_ids) for found in together for h in found}
    assert len(lengths) >= 3, "beams must end at different lengths for this to say something"
    assert len({len(prompt) for prompt in prompts}) >= 4


@pytest.mark.parametrize("length_penalty", [1.0, 0.0, 1.7])
def test_log_probabilities_are_those_of_the_network(
    network: Any, checkpoint: Checkpoint, prompts: list[list[int]], length_penalty: float
) -> None:
    decoding = Decoding(4, 8, 10, length_penalty=length_penalty)
    found = search_beams(network, prompts, decoding, checkpoint.tokenizer.end_id)
    for prompt, hypotheses in zip(prompts, found, strict=True):
        for hypothesis in hypotheses:
            ids = torch.tensor([[*prompt, *hypothesis.token_ids]])
            with torch.inference_mode():
                log_probs = network(ids).logits[0].log_softmax(-1)
            places = range(len(prompt) - 1, ids.shape[1] - 1)
            expected = sum(
                float(log_probs[place, token])
                for place, token in zip(places, hypothesis.token_ids, strict=True)
            )
            assert hypothesis.sum_logprob == pytest.approx(expected, abs=1e-4)


def test_hypotheses_are_distinct_ranked_and_end_once(
    network: Any, checkpoint: Checkpoint, prompts: list[list[int]]
) -> None:
    end_id = checkpoint.tokenizer.end_id
    for hypotheses in search_beams(network, prompts, DECODING, end_id):
        assert len({h.token_ids for h in hypotheses}) == DECODING.num_beams
        means = [h.sum_logprob / len(h.token_ids) for h in hypotheses]
        assert means == sorted(means, reverse=True)
        for hypothesis in hypotheses:
            whole = len(hypothesis.token_ids) == DECODING.max_new_tokens
            assert hypothesis.token_ids.count(end_id) == 1 or whole
            assert end_id not in hypothesis.token_ids[:-1]


def test_a_cut_hypothesis_has_no_end_token(
    network: Any, checkpoint: Checkpoint, prompts: list[list[int]]
) -> None:
    decoding = Decoding(4, 8, max_new_tokens=3)
    found = search_beams(network, prompts, decoding, checkpoint.tokenizer.end_id)
    cut = [h for hypotheses in found for h in hypotheses if len(h.token_ids) == 3]
    assert any(checkpoint.tokenizer.end_id not in h.token_ids for h in cut)


def test_reading_each_prompt_once_changes_nothing(
    network: Any, checkpoint: Checkpoint, prompts: list[list[int]]
) -> None:
    end_id = checkpoint.tokenizer.end_id
    (ours,) = search_beams(network, prompts[4:5], DECODING, end_id)
    plain = network.generate(
        torch.tensor(prompts[4:5]),
        attention_mask=torch.ones(1, len(prompts[4]), dtype=torch.long),
        do_sample=False,
        num_beams=DECODING.num_beams,
        num_return_sequences=DECODING.num_beams,
        max_new_tokens=DECODING.max_new_tokens,
        eos_token_id=end_id,
        pad_token_id=end_id,
    )
    for hypothesis, row in zip(ours, plain[:, len(prompts[4]) :].tolist(), strict=True):
        assert row[: len(hypothesis.token_ids)] == list(hypothesis.token_ids)


def test_what_a_checkpoint_brings_along_changes_nothing(
    network: Any, checkpoint: Checkpoint, prompts: list[list[int]]
) -> None:
    end_id = checkpoint.tokenizer.end_id
    before = search_beams(network, prompts[:2], DECODING, end_id)
    usual = network.generation_config
    network.generation_config = GenerationConfig(
        repetition_penalty=3.0, no_repeat_ngram_size=1, num_beams=2, max_new_tokens=1
    )
    try:
        assert search_beams(network, prompts[:2], DECODING, end_id) == before
    finally:
        network.generation_config = usual
