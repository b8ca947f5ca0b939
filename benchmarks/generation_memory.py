"""Memory that a beam search takes beside its model, in a process of its own."""

import argparse

import torch

from benchmarks import contenders
from benchmarks.generation_options import PRECISIONS
from benchmarks.measure import peak_memory
from benchmarks.population import random_population, random_prompts
from gpt4rec_es.generation.beam_search.linears import tune
from gpt4rec_es.records import Decoding


def main() -> None:
    """Print the memory growth of one search in bytes, for 8 users of 192 tokens."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("way", choices=("shared", "generate"))
    parser.add_argument("--device", default="cpu", help="cpu, or cuda[:N]")
    parser.add_argument("--precision", choices=tuple(PRECISIONS), default="fp32")
    options = parser.parse_args()
    torch.set_num_threads(1)
    dtype = PRECISIONS[options.precision]
    population = random_population("gpt2", 1, options.device, dtype)
    prompts = random_prompts(8, population.network.config.vocab_size, 10_000, 1)
    prompts = [(prompt * 10)[:192] for prompt in prompts]
    decoding, end_id = Decoding(num_queries=10, num_beams=20, max_new_tokens=20), population.end_id
    if options.way == "generate":
        way = contenders.generate(population.network, decoding, end_id, 8, is_sorted=False)
    else:
        way = contenders.shared(tune(population.network), decoding, end_id, 8)
    print(peak_memory(lambda: way(prompts), options.device))


if __name__ == "__main__":
    main()
