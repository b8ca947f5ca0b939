"""Beam search of the transformers library: the reference for the faster beam search.

Every decoding setting is passed explicitly, so neither a checkpoint's generation_config nor a
default of the library changes the output.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from transformers import DynamicCache, GenerationConfig

from gpt4rec_es.records import Decoding

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A finished beam: its tokens incl. the end token, and their summed log-probability."""

    token_ids: tuple[int, ...]
    sum_logprob: float


_Prompt = TypeVar("_Prompt")

# (network, prompts as token ids, settings, end token) -> hypotheses per prompt, in order
SearchBeams = Callable[[Any, Sequence[Sequence[int]], Decoding, int], list[list[Hypothesis]]]


def search_halved(
    search: Callable[[Sequence[_Prompt]], list[list[Hypothesis]]], prompts: Sequence[_Prompt]
) -> list[list[Hypothesis]]:
    """Return what ``search`` finds; prompts that do not fit into memory are searched in halves."""
    try:
        return search(prompts)
    except torch.OutOfMemoryError:
        if len(prompts) == 1:
            raise
    half = len(prompts) // 2
    log.warning("out of memory: the batch is searched in halves", extra={"prompts": len(prompts)})
    return search_halved(search, prompts[:half]) + search_halved(search, prompts[half:])


def search_beams(
    network: Any, prompts: Sequence[Sequence[int]], decoding: Decoding, end_id: int
) -> list[list[Hypothesis]]:
    """Return ``num_beams`` hypotheses for each prompt, best score first.

    network: a GPT-2 language model in evaluation mode. All prompts form one padded batch. A
    hypothesis of max_new_tokens may have no end token.
    """
    ids, mask = _pad_left(prompts, end_id, network.device)
    with torch.inference_mode():
        found = network.generate(
            input_ids=ids,
            attention_mask=mask,
            generation_config=_generation_config(decoding, end_id),
            past_key_values=_read_prompts(network, ids, mask, decoding.num_beams),
        )
    sequences = found.sequences[:, ids.shape[1] :].tolist()
    scores = found.sequences_scores.tolist()
    hypotheses = [
        _hypothesis(tokens, score, decoding.length_penalty, end_id)
        for tokens, score in zip(sequences, scores, strict=True)
    ]
    m = decoding.num_beams
    return [hypotheses[start : start + m] for start in range(0, len(hypotheses), m)]


def _pad_left(prompts: Sequence[Sequence[int]], end_id: int, device: Any) -> tuple[Any, Any]:
    """Return ids and attention mask, both (prompts, longest), left-padded."""
    width = max(map(len, prompts))
    ids = torch.tensor([[end_id] * (width - len(p)) + list(p) for p in prompts])
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
    return ids.to(device), mask.to(device)


def _read_prompts(network: Any, ids: Any, mask: Any, num_beams: int) -> Any:
    """Return the key-value cache of all prompt tokens but the last, repeated for every beam.

    ``generate`` alone would process each prompt once per beam, which is most of its work if prompts
    are long and queries short.
    """
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    cache = DynamicCache(config=network.config)
    if ids.shape[1] == 1:
        return cache
    network.base_model(
        ids[:, :-1],
        attention_mask=mask[:, :-1],
        position_ids=positions[:, :-1],
        past_key_values=cache,
        use_cache=True,
    )
    cache.batch_repeat_interleave(num_beams)
    return cache


def _generation_config(decoding: Decoding, end_id: int) -> Any:
    return GenerationConfig(
        do_sample=False,
        num_beams=decoding.num_beams,
        num_return_sequences=decoding.num_beams,
        max_new_tokens=decoding.max_new_tokens,
        max_length=None,
        min_length=0,
        min_new_tokens=None,
        length_penalty=decoding.length_penalty,
        early_stopping=decoding.early_stopping,
        eos_token_id=end_id,
        pad_token_id=end_id,
        bos_token_id=end_id,
        use_cache=True,
        return_dict_in_generate=True,
        # Needed for sequence scores; the scores of single steps are not returned.
        output_scores=True,
        output_logits=False,
        output_attentions=False,
        output_hidden_states=False,
        repetition_penalty=1.0,
        encoder_repetition_penalty=1.0,
        no_repeat_ngram_size=0,
        renormalize_logits=False,
        remove_invalid_values=False,
        num_beam_groups=1,
        diversity_penalty=0.0,
    )


def _hypothesis(tokens: list[int], score: float, length_penalty: float, end_id: int) -> Hypothesis:
    """Undo padding and length normalisation of one returned sequence."""
    length = tokens.index(end_id) + 1 if end_id in tokens else len(tokens)
    return Hypothesis(tuple(tokens[:length]), score * length**length_penalty)
