"""GPT-2 networks with random weights, by size: the start of a training without a checkpoint."""

from typing import Any

from transformers import GPT2Config, GPT2LMHeadModel

from gpt4rec_es.generation.options import Size

# layers, heads, width, context in tokens, dropout. The tiny network trains in minutes on a CPU: two
# wide layers reached a lower loss in equal time than four of width 128 (1.35 against 1.64 per
# target token on 2,000 users of a gift shop), and has too few epochs to need dropout. The small one
# trains in hours on a CPU.
_SHAPES: dict[Size, tuple[int, int, int, int, float]] = {
    "tiny": (2, 4, 192, 256, 0.0),
    "small": (4, 4, 256, 256, 0.1),
    "gpt2": (12, 12, 768, 1024, 0.1),
}


def new_network(size: Size, vocab_size: int, end_id: int, dropout: float | None = None) -> Any:
    """Return a GPT-2 language model with random weights from torch's current seed."""
    layers, heads, width, context, usual_dropout = _SHAPES[size]
    rate = usual_dropout if dropout is None else dropout
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=vocab_size,
            n_positions=context,
            n_embd=width,
            n_layer=layers,
            n_head=heads,
            resid_pdrop=rate,
            embd_pdrop=rate,
            # With attention dropout there is no fast attention kernel on a CPU.
            attn_pdrop=0.0,
            bos_token_id=end_id,
            eos_token_id=end_id,
            pad_token_id=end_id,
        )
    )
