"""Tiny decoders with random weights whose texts vary and end at many lengths."""

from typing import Any

import torch
from transformers import (
    GenerationConfig,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
)

from gpt4rec_es.generation.beam import Hypothesis
from gpt4rec_es.generation.beam_search.selection import Rules

END = 0
VOCABULARY = 211  # no multiple of a block of the selection


def tiny_network(
    kind: str, *, vocabulary: int = VOCABULARY, eagerness: float = 3.0, attention: str = "sdpa"
) -> Any:
    """Return a decoder; ``eagerness`` is added to the logit of its end token."""
    torch.manual_seed(5)
    ends = {"vocab_size": vocabulary, "bos_token_id": END, "eos_token_id": END}
    wide: dict[str, Any] = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 128,
    }
    if kind == "gpt2":
        config = GPT2Config(n_positions=128, n_embd=32, n_layer=2, n_head=4, **ends)
        network = GPT2LMHeadModel(config)
    elif kind == "llama":  # rotary positions, two query heads to each key head
        network = LlamaForCausalLM(LlamaConfig(num_key_value_heads=2, **wide, **ends))
    else:  # partly rotary positions, attention and feed-forward side by side
        network = GPTNeoXForCausalLM(GPTNeoXConfig(**wide, **ends))
    for weights in network.parameters():
        if weights.ndim > 1:  # far from uniform, so that rounding does not affect the order
            torch.nn.init.normal_(weights, std=0.35)
    head = network.get_output_embeddings()
    head.bias = torch.nn.Parameter(torch.zeros(vocabulary))
    head.bias.data[END] = eagerness
    network.set_attn_implementation(attention)
    return network.eval()


def random_prompts(
    n: int, shortest: int, longest: int, vocabulary: int = VOCABULARY, seed: int = 1
) -> list[list[int]]:
    chance = torch.Generator().manual_seed(seed)
    lengths = torch.randint(shortest, longest + 1, (n,), generator=chance).tolist()
    return [
        torch.randint(1, vocabulary, (length,), generator=chance).tolist() for length in lengths
    ]


def by_generate(network: Any, prompts: list[list[int]], rules: Rules) -> list[list[Hypothesis]]:
    """Return the hypotheses of the library's generate, prompt by prompt."""
    return [_generate(network, prompt, rules) for prompt in prompts]


def _generate(network: Any, prompt: list[int], rules: Rules) -> list[Hypothesis]:
    ids = torch.tensor([prompt])
    found = network.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        generation_config=GenerationConfig(
            do_sample=False,
            num_beams=rules.num_beams,
            num_return_sequences=rules.num_beams,
            max_new_tokens=rules.max_new_tokens,
            min_new_tokens=rules.min_new_tokens or None,
            length_penalty=rules.length_penalty,
            early_stopping=rules.early_stopping,
            eos_token_id=END,
            pad_token_id=END,
            return_dict_in_generate=True,
            output_scores=True,
        ),
    )
    sequences = found.sequences[:, len(prompt) :].tolist()
    return [
        _hypothesis(tokens, score, rules)
        for tokens, score in zip(sequences, found.sequences_scores.tolist(), strict=True)
    ]


def _hypothesis(tokens: list[int], score: float, rules: Rules) -> Hypothesis:
    length = tokens.index(END) + 1 if END in tokens else len(tokens)
    return Hypothesis(tuple(tokens[:length]), score * length**rules.length_penalty)
