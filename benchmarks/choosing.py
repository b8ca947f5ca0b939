"""Cost of choosing among a catalog's titles, beside writing freely: tokens and CPU-seconds.

`python -m benchmarks.choosing --model FOLDER --data FOLDER` takes a trained generator and the users
of a data folder. Without --model: random weights and titles; free texts then never end. Both
searches keep equally many beams. Tokens are places that the network reads, padding included. Of a
generator that reads vectors, whose reader chooses, CPU-seconds are those of all that it does.
"""

import argparse
import csv
import gzip
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers.utils import logging as transformers_logging

from benchmarks.contenders import by_length
from benchmarks.population import Population, histories, random_population, real_population
from gpt4rec_es.encoders.folder import open_checkpoint
from gpt4rec_es.generation.beam_search import linears, loop
from gpt4rec_es.generation.factory import open_generator
from gpt4rec_es.generation.title_search.branches import search_titles
from gpt4rec_es.generation.title_search.chooser import title_ids
from gpt4rec_es.generation.title_search.trie import TitleTrie
from gpt4rec_es.options.night import GeneratorOptions
from gpt4rec_es.prompts.catalog_titles import catalog_titles
from gpt4rec_es.records import Decoding

# Users per batch.
_BATCH = 16
_TITLES = 10_000

Prompts = Sequence[Sequence[int]]


def main() -> None:
    """Print tokens and seconds of both ways for each number of beams."""
    options = _parse()
    transformers_logging.set_verbosity_error()
    torch.set_num_threads(1)
    reserve = Decoding().max_new_tokens
    if options.model and open_checkpoint(options.model).reader:
        _print_reader(options)
        return
    if options.model:
        people = real_population(options.model, options.data, options.users, "cpu", "fp32", reserve)
        tokenizer = open_checkpoint(options.model).tokenizer
        titles = title_ids(catalog_titles(_titles(options.data)).texts, tokenizer, reserve)
    else:
        people = random_population(options.size, options.users, "cpu", torch.float32)
        titles = _random_titles(people.network.config.vocab_size)
    trie = TitleTrie(titles)
    network = linears.tune(people.network)
    lengths = [sum(map(len, some)) / len(some) for some in (people.prompts, titles)]
    print(
        f"{people.name}: {len(people.prompts)} users, prompts of {lengths[0]:.0f} tokens; "
        f"{len(trie):,} titles of {lengths[1]:.1f} tokens, {trie.n_nodes:,} branches; 1 thread"
    )
    print(
        "| beams | tokens per user, free | titles | ratio | CPU-s per user, free | titles | ratio |"
    )
    print("|---|---|---|---|---|---|---|")
    for beams in options.beams:
        decoding = Decoding(beams, beams, reserve, 0.0)
        freely = partial(_search_freely, network, decoding, people.end_id)
        free = _measure(people, freely)
        chosen = _measure(people, partial(_choose, network, trie, beams))
        print(
            f"| {beams} | {free[0]:.0f} | {chosen[0]:.0f} | {free[0] / chosen[0]:.1f} | "
            f"{free[1]:.4f} | {chosen[1]:.4f} | {free[1] / chosen[1]:.1f} |"
        )


def _print_reader(options: argparse.Namespace) -> None:
    """Print CPU-seconds of a generator that reads vectors, by what it does for a night."""
    titles = catalog_titles(_titles(options.data))
    settings = GeneratorOptions(device="cpu", threads=1)
    writing = open_generator("gpt2", options.model, settings)
    choosing = writing.choosing(titles)
    written = map(writing.write_prompt, histories(options.data)[: options.users])
    prompts = [prompt.text for prompt in written if prompt is not None]
    print(f"{options.model.name}: {len(prompts)} users, {len(titles.texts):,} titles; 1 thread")
    print("| beams | CPU-s per user, free | titles, by the reader | ratio |\n|---|---|---|---|")
    for beams in options.beams:
        seconds, freely = [], Decoding(beams, beams, length_penalty=0.0)
        for generator, decoding in ((writing, freely), (choosing, replace(freely, mode="titles"))):
            generator.generate(prompts[:2], decoding)
            began = time.process_time()
            generator.generate(prompts, decoding)
            seconds.append((time.process_time() - began) / len(prompts))
        free, chosen = seconds
        print(f"| {beams} | {free:.4f} | {chosen:.4f} | {free / chosen:.1f} |")


def _search_freely(network: Any, decoding: Decoding, end_id: int, prompts: Prompts) -> None:
    loop.search_beams(network, prompts, decoding, end_id)


def _choose(network: Any, trie: TitleTrie, beams: int, prompts: Prompts) -> None:
    search_titles(network, prompts, trie, beams)


def _measure(people: Population, search: Callable[[Prompts], None]) -> tuple[float, float]:
    """Return tokens and CPU-seconds per user, after one batch to warm up."""
    read = 0

    def count(_module: Any, args: Any, given: dict[str, Any]) -> None:
        nonlocal read
        read += (args[0] if args else given["input_ids"]).numel()

    search(people.prompts[:2])
    base = people.network.base_model
    handle = base.register_forward_pre_hook(count, with_kwargs=True)
    began = time.process_time()
    for batch in by_length(people.prompts, _BATCH):
        search([people.prompts[place] for place in batch])
    seconds = time.process_time() - began
    handle.remove()
    return read / len(people.prompts), seconds / len(people.prompts)


def _titles(data: Path) -> list[str]:
    with gzip.open(data / "items.csv.gz", "rt", encoding="utf-8", newline="") as file:
        return [row["title"] for row in csv.DictReader(file)]


def _random_titles(vocabulary: int) -> list[tuple[int, ...]]:
    """Return titles of 6 to 18 tokens that branch at the first four, as shops' titles do."""
    chance = random.Random(1)
    return [
        (
            chance.randrange(1, min(vocabulary, 800)),
            *(chance.randrange(1, 12) for _ in range(3)),
            *(chance.randrange(1, vocabulary) for _ in range(chance.randint(1, 13))),
            0,
        )
        for _ in range(_TITLES)
    ]


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=64)
    parser.add_argument("--beams", type=int, nargs="+", default=[10, 20])
    parser.add_argument("--size", choices=("tiny", "small", "gpt2"), default="tiny")
    parser.add_argument("--model", type=Path, help="a trained generator")
    parser.add_argument("--data", type=Path, help="folder of the purchases it is asked about")
    options = parser.parse_args()
    if (options.model is None) != (options.data is None):
        parser.error("--model and --data belong together")
    return options


if __name__ == "__main__":
    main()
