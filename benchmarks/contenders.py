"""The compared beam searches: each maps prompts to hypotheses."""

import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import GenerationConfig

from gpt4rec_es.encoders.batches import plan_batches
from gpt4rec_es.generation import beam
from gpt4rec_es.generation.beam_search import loop
from gpt4rec_es.records import Decoding

Prompts = Sequence[Sequence[int]]
Way = Callable[[Prompts], Any]


def in_arrival_order(prompts: Prompts, size: int) -> list[list[int]]:
    """Return indices of ``prompts`` in batches of ``size``, in the given order."""
    places = list(range(len(prompts)))
    return [places[start : start + size] for start in range(0, len(places), size)]


def by_length(prompts: Prompts, size: int) -> list[list[int]]:
    """Return indices of ``prompts`` in batches of about ``size``, longest first."""
    lengths = [len(prompt) for prompt in prompts]
    longest = max(lengths)
    return plan_batches(lengths, 1, size * longest)


def generate(network: Any, decoding: Decoding, end_id: int, size: int, *, is_sorted: bool) -> Way:
    """Return the transformers library's search with its default cache."""
    config = GenerationConfig(
        do_sample=False,
        num_beams=decoding.num_beams,
        num_return_sequences=decoding.num_beams,
        max_new_tokens=decoding.max_new_tokens,
        length_penalty=decoding.length_penalty,
        early_stopping=decoding.early_stopping,
        eos_token_id=end_id,
        pad_token_id=end_id,
    )

    def run(prompts: Prompts) -> Any:
        batches = by_length(prompts, size) if is_sorted else in_arrival_order(prompts, size)
        for batch in batches:
            width = max(len(prompts[place]) for place in batch)
            ids = [[end_id] * (width - len(prompts[p])) + list(prompts[p]) for p in batch]
            mask = [[0] * (width - len(prompts[p])) + [1] * len(prompts[p]) for p in batch]
            with torch.inference_mode():
                network.generate(
                    input_ids=torch.tensor(ids, device=network.device),
                    attention_mask=torch.tensor(mask, device=network.device),
                    generation_config=config,
                )

    return run


def shared(network: Any, decoding: Decoding, end_id: int, size: int) -> Way:
    """Return the project's beam search; ``network``: a result of beam_search.linears.tune."""
    return _sorted_batches(loop.search_beams, network, decoding, end_id, size)


def reference(network: Any, decoding: Decoding, end_id: int, size: int) -> Way:
    """Return the project's reference: ``generate`` that processes prompts once."""
    return _sorted_batches(beam.search_beams, network, decoding, end_id, size)


def _sorted_batches(
    search: beam.SearchBeams, network: Any, decoding: Decoding, end_id: int, size: int
) -> Way:
    def run(prompts: Prompts) -> Any:
        for batch in by_length(prompts, size):
            search(network, [prompts[place] for place in batch], decoding, end_id)

    return run


def ctranslate2_search(
    network: Any, decoding: Decoding, end_id: int, size: int, threads: int
) -> Way | None:
    """Return CTranslate2's search in fp32 on the same weights; None if it is not installed."""
    try:
        import ctranslate2  # noqa: PLC0415 - an extra, for this measurement only
        from ctranslate2.converters.transformers import GPT2Loader  # noqa: PLC0415
    except ImportError:
        return None
    names = [f"t{number}" for number in range(network.config.vocab_size)]
    spec = GPT2Loader().get_model_spec(network)
    spec.register_vocabulary(names)
    for role in ("bos", "eos", "unk"):
        setattr(spec.config, f"{role}_token", names[end_id])
    folder = tempfile.TemporaryDirectory(prefix="ctranslate2-")
    spec.validate()
    spec.optimize()
    spec.save(folder.name)
    model = ctranslate2.Generator(
        folder.name,
        device=network.device.type,
        compute_type="float32",
        inter_threads=1,
        intra_threads=threads,
    )

    def run(prompts: Prompts, _folder: Any = folder) -> Any:
        for batch in by_length(prompts, size):
            model.generate_batch(
                [[names[token] for token in prompts[place]] for place in batch],
                beam_size=decoding.num_beams,
                num_hypotheses=decoding.num_beams,
                max_length=decoding.max_new_tokens,
                length_penalty=decoding.length_penalty,
                include_prompt_in_result=False,
                end_token=[end_id],
                return_scores=True,
            )

    return run
