"""Compare both beam searches on real histories and print each swapped pair of hypotheses.

    python -m benchmarks.generation_equality --model FOLDER --data FOLDER

Use a trained model, so that beams end at different lengths. Prints one line per
setting, every pair that changed places, and every near-tie at a cut (the first step at
which the kept hypotheses differ); exits with 1 if anything else differs.
"""

import argparse
import itertools
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from transformers.utils import logging as transformers_logging

from benchmarks.comparison import Comparison
from benchmarks.population import Population, fresh_copy, real_population
from gpt4rec_es.encoders.batches import plan_batches
from gpt4rec_es.encoders.network import set_threads
from gpt4rec_es.generation.beam_searches import BeamSearch, open_beam_search
from gpt4rec_es.records import Decoding

_BEAMS = (5, 10, 20, 40)
_LENGTH_PENALTIES = (0.0, 1.0, 1.5)


def main() -> None:
    """Compare at the product's defaults, then at every combination of other settings."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="a trained generator's folder")
    parser.add_argument("--data", type=Path, required=True, help="items and interactions, csv.gz")
    parser.add_argument("--users", type=int, default=1000, help="at the defaults")
    parser.add_argument("--others", type=int, default=100, help="users at each other setting")
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    transformers_logging.set_verbosity_error()
    set_threads(options.threads)
    usual = Decoding()
    most = max(options.users, options.others)
    settings = [(usual, options.users)] + [
        (Decoding(min(10, m), m, usual.max_new_tokens, penalty, early), options.others)
        for m, penalty, early in itertools.product(_BEAMS, _LENGTH_PENALTIES, (False, True))
        if options.others
    ]
    population = real_population(
        options.model, options.data, most, "cpu", "fp32", usual.max_new_tokens
    )
    n_different = sum(_compare(population, decoding, users) for decoding, users in settings)
    sys.exit(1 if n_different else 0)


def _compare(population: Population, decoding: Decoding, users: int) -> int:
    """Print a comparison for the first ``users``; return the number of hypotheses that differ."""
    reference, shared = open_beam_search("reference"), open_beam_search("shared")
    network = population.network
    tuned = shared.prepare(fresh_copy(population))
    comparison = Comparison()
    prompts = population.prompts[:users]
    places = [len(prompt) + decoding.max_new_tokens for prompt in prompts]
    budget = reference.token_budgets["cpu"]
    for batch in plan_batches(places, decoding.num_beams, budget):
        chosen = [prompts[place] for place in batch]
        expected = reference.search(network, chosen, decoding, population.end_id)
        found = shared.search(tuned, chosen, decoding, population.end_id)
        for prompt, one, other in zip(chosen, expected, found, strict=True):
            if comparison.add(one, other, decoding.length_penalty, population.end_id):
                alone = partial(_kept, reference, network, [prompt], population.end_id, 0)
                place = chosen.index(prompt)
                in_batch = partial(_kept, shared, tuned, chosen, population.end_id, place)
                comparison.explain(*_first_divergence(alone, in_batch, decoding))
    print(
        f"{decoding.num_beams} beams, length penalty {decoding.length_penalty}, early stopping "
        f"{decoding.early_stopping}: {comparison}",
        flush=True,
    )
    for line in (*comparison.swaps, *comparison.near_ties, *comparison.differences):
        print(" ", line)
    return len(comparison.differences)


def _kept(
    search: BeamSearch,
    network: Any,
    prompts: list[list[int]],
    end_id: int,
    place: int,
    decoding: Decoding,
) -> dict[tuple[int, ...], float]:
    """Return tokens -> mean log-probability of the hypotheses of the prompt at ``place``."""
    found = search.search(network, prompts, decoding, end_id)[place]
    return {tuple(h.token_ids): h.sum_logprob / len(h.token_ids) for h in found}


def _first_divergence(
    alone: Callable[[Decoding], dict[tuple[int, ...], float]],
    in_batch: Callable[[Decoding], dict[tuple[int, ...], float]],
    decoding: Decoding,
) -> tuple[int, float]:
    """Return the length at which the kept hypotheses first differ, and the spread of their scores.

    alone, in_batch: search for the prompt by itself, and among others.
    """
    for step in range(1, decoding.max_new_tokens + 1):
        shorter = replace(decoding, max_new_tokens=step)
        kept = [alone(shorter), in_batch(shorter)]
        apart = [
            [score for tokens, score in one.items() if tokens not in other]
            for one, other in (kept, kept[::-1])
        ]
        if any(apart):
            scores = sorted(score for side in apart for score in side)
            return step, scores[-1] - scores[0] if all(apart) else float("inf")
    return decoding.max_new_tokens, float("inf")


if __name__ == "__main__":
    main()
