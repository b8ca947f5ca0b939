"""Tiny GPT-2 generators with damaged weights or tokenizers, as checkpoints on disk."""

import tempfile
from pathlib import Path

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from benchmarks.place import Place
from gpt4rec_es.encoders.tokenizer import save_tokenizer, train_tokenizer
from gpt4rec_es.generation.factory import open_generator
from gpt4rec_es.options.night import GeneratorOptions
from gpt4rec_es.protocols import QueryGenerator

_WORDS = 400
# A finite weight that overflows when it is summed.
_FILLED = {"nan": float("nan"), "overflow": 3e38}


def random_network(place: Place, kind: str, seed: int) -> QueryGenerator:
    """Return a generator of random weights; kind: random, nan, overflow, or tokenizer.

    Its tokenizer is trained on the shop's titles; with another one, on titles of letters.
    """
    with place.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT title FROM items WHERE title IS NOT NULL")
        titles = list(rows.scalars())
    if kind == "tokenizer":
        titles = [title[::-1].swapcase() for title in titles]
    tokenizer = train_tokenizer(titles, _WORDS)
    torch.manual_seed(seed)
    network = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=tokenizer.size,
            n_positions=256,
            n_embd=32,
            n_layer=2,
            n_head=4,
            bos_token_id=tokenizer.end_id,
            eos_token_id=tokenizer.end_id,
        )
    )
    for weights in network.parameters():
        if weights.ndim > 1:
            torch.nn.init.normal_(weights, std=0.25)
    if kind in _FILLED:
        with torch.no_grad():
            network.transformer.h[1].mlp.c_fc.weight.fill_(_FILLED[kind])
    folder = Path(tempfile.mkdtemp()) / kind
    folder.mkdir()
    network.save_pretrained(folder)
    save_tokenizer(tokenizer, folder, 256)
    return open_generator("gpt2", str(folder), GeneratorOptions(threads=1), reserve=24)
