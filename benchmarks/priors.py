"""Cost of priors beside the beam search that writes the texts, in CPU-seconds.

`python -m benchmarks.priors --model FOLDER --data FOLDER` takes a trained generator and the users
of a data folder. Texts of random weights hardly repeat, so without --model the cost is the highest.
The first row is a process that has just started: no text is known yet.
"""

import argparse
import time
from pathlib import Path

import torch
from transformers.utils import logging as transformers_logging

from benchmarks.contenders import by_length
from benchmarks.population import random_population, real_population
from gpt4rec_es.encoders.folder import open_checkpoint
from gpt4rec_es.generation.beam_search import linears, loop
from gpt4rec_es.generation.priors import Priors
from gpt4rec_es.prompts.template import prompt_text
from gpt4rec_es.records import Decoding

# Number of tokens of the frame where there is no tokenizer.
_FRAME = 16
# Users per batch, as in benchmarks/generation.py.
_BATCH = 8


def main() -> None:
    """Print the cost of search and priors for each quarter of the users."""
    options = _parse()
    transformers_logging.set_verbosity_error()
    torch.set_num_threads(1)
    decoding = Decoding(num_beams=options.beams, max_new_tokens=options.new_tokens)
    if options.model:
        reserve = decoding.max_new_tokens
        people = real_population(options.model, options.data, options.users, "cpu", "fp32", reserve)
        frame = open_checkpoint(options.model).tokenizer.encode(prompt_text(()))
    else:
        people = random_population(options.size, options.users, "cpu", torch.float32)
        frame = list(range(1, _FRAME + 1))
    network = linears.tune(people.network)
    priors = Priors(network, frame)
    print(f"{people.name}: {len(people.prompts)} users, {options.beams} beams, 1 thread")
    print("| users | search, CPU-s per user | priors, CPU-s per user | ratio | new texts of all |")
    print("|---|---|---|---|---|")
    loop.search_beams(network, people.prompts[:1], decoding, people.end_id)  # warm-up
    size = -(-len(people.prompts) // 4)
    for start in range(0, len(people.prompts), size):
        prompts = people.prompts[start : start + size]
        searching, reading, n_texts, known = 0.0, 0.0, 0, len(priors)
        for batch in by_length(prompts, _BATCH):
            began = time.process_time()
            chosen = [prompts[place] for place in batch]
            beams = loop.search_beams(network, chosen, decoding, people.end_id)
            searched = time.process_time()
            texts = [hypothesis.token_ids for own in beams for hypothesis in own]
            priors.of(texts)
            reading += time.process_time() - searched
            searching += searched - began
            n_texts += len(texts)
        new = (len(priors) - known) / n_texts
        print(
            f"| {start + 1:,} to {start + len(prompts):,} | {searching / len(prompts):.4f} | "
            f"{reading / len(prompts):.4f} | {reading / searching:.1%} | {new:.0%} |"
        )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=64)
    parser.add_argument("--beams", type=int, default=20)
    parser.add_argument("--new-tokens", type=int, default=48)
    parser.add_argument("--size", choices=("tiny", "small", "gpt2"), default="tiny")
    parser.add_argument("--model", type=Path, help="a trained generator")
    parser.add_argument("--data", type=Path, help="folder of the purchases it is asked about")
    options = parser.parse_args()
    if (options.model is None) != (options.data is None):
        parser.error("--model and --data belong together")
    return options


if __name__ == "__main__":
    main()
