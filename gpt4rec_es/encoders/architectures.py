"""Causal decoders that can be generators: what differs between their configurations."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Architecture(NamedTuple):
    """One model type of transformers.

    head: its class of language models. context: entry with the number of positions. embeddings:
    names of the token embeddings in the weights. dropout: entries with rates of dropout that
    training may replace.
    """

    head: str
    context: str
    embeddings: tuple[str, ...]
    dropout: tuple[str, ...] = ()


# Not of transformers: a GPT-2 behind a reader of histories (history_network.py). It is a type of
# its own so that no other program takes such a folder for a GPT-2 that reads prompts.
HISTORY = "gpt4rec_history"
_LENGTH, _TOKENS = "max_position_embeddings", ("model.embed_tokens.weight",)
# All with full causal attention and explicit positions, which the beams' mask needs.
ARCHITECTURES: dict[str, Architecture] = {
    "gpt2": Architecture(
        "GPT2LMHeadModel",
        "n_positions",
        ("transformer.wte.weight", "wte.weight"),
        ("resid_pdrop", "embd_pdrop"),
    ),
    HISTORY: Architecture("HistoryGpt2", "n_positions", ("transformer.wte.weight",)),
    "gpt_neox": Architecture(
        "GPTNeoXForCausalLM", _LENGTH, ("gpt_neox.embed_in.weight",), ("hidden_dropout",)
    ),
    "llama": Architecture("LlamaForCausalLM", _LENGTH, _TOKENS),
    "mistral": Architecture("MistralForCausalLM", _LENGTH, _TOKENS),
    "qwen2": Architecture("Qwen2ForCausalLM", _LENGTH, _TOKENS),
    "qwen3": Architecture("Qwen3ForCausalLM", _LENGTH, _TOKENS),
}


def unsupported(config: Mapping[str, Any]) -> str | None:
    """Return why the network of a configuration cannot be a generator; None: it can."""
    if "auto_map" in config:
        return "it brings code of its own, which is never run"
    if config.get("is_encoder_decoder"):
        return "it reads by an encoder; a decoder alone is needed"
    if config.get("quantization_config"):
        return "its weights are quantized; save them as fp32 or bf16"
    # Mistral has no switch: there a number means that it slides.
    slides = config.get("use_sliding_window", config.get("model_type") == "mistral")
    if slides and config.get("sliding_window"):
        return "its attention slides over the text, which shared beams do not support"
    return None
