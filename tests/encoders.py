"""A tiny GPT-2 with random weights, saved as a checkpoint folder."""

from pathlib import Path

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from gpt4rec_es.encoders.tokenizer import save_tokenizer, train_tokenizer
from tests.trained import TITLES


def save_tiny_gpt2(
    folder: Path, *, seed: int = 3, width: int = 32, dropout: float = 0.0, context: int = 64
) -> Path:
    """Write a GPT-2 whose tokenizer knows the titles of tests/trained.py."""
    tokenizer = train_tokenizer(TITLES, 300)
    torch.manual_seed(seed)
    network = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=tokenizer.size,
            n_positions=context,
            n_embd=width,
            n_layer=2,
            n_head=4,
            resid_pdrop=dropout,
            embd_pdrop=dropout,
            attn_pdrop=dropout,
            bos_token_id=tokenizer.end_id,
            eos_token_id=tokenizer.end_id,
        )
    )
    for weights in network.parameters():
        if weights.ndim > 1:  # so large that texts differ
            torch.nn.init.normal_(weights, std=0.25)
    folder.mkdir(parents=True)
    network.save_pretrained(folder)
    save_tokenizer(tokenizer, folder, context)
    return folder
