"""Cost of generation: users per second of each beam search, and time by phase.

`make bench-generation` runs the short form, about eight minutes on two quiet cores, and `make
bench-generation ARGS=--full` the long one, more than an hour. Slow searches run a quarter of the
users. docs/beam-search.md explains what is printed.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import transformers
from transformers.utils import logging as transformers_logging

from benchmarks import contenders, cost
from benchmarks.generation_options import parse
from benchmarks.measure import Traffic, interleaved, phases, watched
from benchmarks.population import Population, fresh_copy, random_population, real_population
from benchmarks.table import processor
from gpt4rec_es.generation.beam_search.linears import tune
from gpt4rec_es.records import Decoding

# Users per batch, by device; on a GPU enough to fill it.
_BATCHES = {"cpu": 8, "cuda": 512}
_MOST_IN_SLOW_BATCH = 32


def main() -> None:
    """Run the benchmark of the command line options."""
    options = parse(__doc__)
    transformers_logging.set_verbosity_error()
    peaks = _print_machine(options)
    middle = options.beams[len(options.beams) // 2]
    for threads in options.threads:
        torch.set_num_threads(threads)
        for beams in options.beams:
            population = random_population("gpt2", options.users, options.device, options.dtype)
            is_long = options.full or beams == middle
            _compare(options, population, _decoding(beams, 20), threads, peaks, is_long=is_long)
        for new_tokens in (20, 48):
            decoding = _decoding(20, new_tokens)
            _compare(options, _small(options), decoding, threads, peaks, is_long=True)
    _print_memory(options)


def _decoding(beams: int, new_tokens: int) -> Decoding:
    return Decoding(num_queries=min(10, beams), num_beams=beams, max_new_tokens=new_tokens)


def _small(options: argparse.Namespace) -> Population:
    users = options.users * 4
    if options.model:
        dtype = options.precision
        return real_population(options.model, options.data, users, options.device, dtype, 48)
    return random_population("tiny", users, options.device, options.dtype)


def _compare(
    options: argparse.Namespace,
    population: Population,
    decoding: Decoding,
    threads: int,
    peaks: dict[str, float],
    *,
    is_long: bool,
) -> None:
    """Time all searches on one population; print a table, the counters and the phases."""
    print(
        f"\n## {population.name}: {decoding.num_beams} beams, up to {decoding.max_new_tokens} "
        f"new tokens, {threads} thread{'s' * (threads > 1)}"
    )
    tuned = tune(fresh_copy(population))
    prompts = population.prompts
    # Slow searches get fewer users and rounds; users of the same mean length.
    few = _part(prompts, max(1, len(prompts) // 4))
    slow_size = min(_MOST_IN_SLOW_BATCH, max(1, len(few) // 2))
    ways = _contenders(options, population, tuned, decoding, threads, slow_size, is_long=is_long)
    turns: dict[str, tuple[int, Callable[[], Any]]] = {}
    users: dict[str, list[list[int]]] = {}
    traffic: dict[str, Traffic] = {}
    for name, way in ways.items():
        users[name] = prompts if name == _OURS else few
        rounds = options.rounds if name == _OURS else options.slow_rounds
        network = tuned if name == _OURS else population.network
        turns[name] = (rounds, partial(_watch, way, network, users[name], traffic, name))
        way([min(prompts, key=len)])  # warm-up
    timings = interleaved(turns, options.device)
    costs = {n: cost.seconds(t, options.device) / len(users[n]) for n, t in timings.items()}
    slowest = costs.get(_BASELINE)
    unit = "CPU-s" if options.device == "cpu" else "s"
    print(
        f"| way | {unit} per user | users per {unit} | users per s | gain | read / floor | cache |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, per_user in costs.items():
        gain = f"{slowest / per_user:.1f}x" if slowest else ""
        wall = len(users[name]) / timings[name].wall_seconds
        floor = _floor(population, tuned, users[name], decoding)
        counters = _counters(name, traffic[name], floor, decoding)
        speed = f"{per_user:.4f} | {1 / per_user:.3f} | {wall:.3f}"
        print(f"| {name} | {speed} | {gain} | {counters} |")
    _print_fraction(population, decoding, costs[_OURS], peaks, options)
    fractions = phases(lambda: ways[_OURS](prompts))
    print(
        "where its time goes:",
        ", ".join(f"{n} {fraction:.0%}" for n, fraction in fractions.items()),
    )


_BASELINE = "generate, arrival order"
_OURS = "shared"


def _contenders(
    options: argparse.Namespace,
    population: Population,
    tuned: Any,
    decoding: Decoding,
    threads: int,
    slow_size: int,
    *,
    is_long: bool,
) -> dict[str, contenders.Way]:
    network, end_id = population.network, population.end_id
    size = _BATCHES[options.device.partition(":")[0]]
    ways = {_OURS: contenders.shared(tuned, decoding, end_id, size)}
    if not is_long:
        return ways
    generate = partial(contenders.generate, network, decoding, end_id, slow_size)
    ways[_BASELINE] = generate(is_sorted=False)
    if options.full or network.config.num_hidden_layers < 12:
        ways["generate, length-sorted"] = generate(is_sorted=True)
        ways["reference"] = contenders.reference(network, decoding, end_id, slow_size)
    other = contenders.ctranslate2_search(network, decoding, end_id, slow_size, threads)
    if other:
        ways["CTranslate2 fp32"] = other
    return ways


def _part(prompts: list[list[int]], n: int) -> list[list[int]]:
    """Return ``n`` prompts spread evenly over all lengths, in the given order."""
    places = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
    chosen = {places[int((rank + 0.5) * len(prompts) / n)] for rank in range(n)}
    return [prompts[place] for place in sorted(chosen)]


def _watch(
    way: contenders.Way,
    network: Any,
    prompts: list[list[int]],
    traffic: dict[str, Traffic],
    name: str,
) -> None:
    with watched(network) as seen:
        way(prompts)
    traffic[name] = seen


def _floor(population: Population, tuned: Any, prompts: list[list[int]], decoding: Decoding) -> int:
    """Return the minimum tokens: every prompt once, then one per beam and step until its end."""
    if population.is_random:
        steps = decoding.max_new_tokens - 1
        return sum(map(len, prompts)) + len(prompts) * decoding.num_beams * steps
    with watched(tuned) as alone:
        contenders.shared(tuned, decoding, population.end_id, 1)(prompts)
    return alone.tokens


def _counters(name: str, traffic: Traffic, floor: int, decoding: Decoding) -> str:
    """Return two cells: tokens read as a multiple of the minimum, and cache bytes per user."""
    if not traffic.tokens:
        return "| "
    rows_per_user = 1 if name == _OURS else decoding.num_beams
    megabytes = traffic.cache_bytes_per_row * rows_per_user / 1e6
    return f"{traffic.tokens / floor:.3f} | {megabytes:.1f} MB"


def _print_fraction(
    population: Population,
    decoding: Decoding,
    per_user: float,
    peaks: dict[str, float],
    options: argparse.Namespace,
) -> None:
    """Print the beam search's fraction of the machine's peak, if the work is known."""
    if not population.is_random:
        return
    mean = sum(map(len, population.prompts)) / len(population.prompts)
    work = cost.minimum_work(
        population.network.config,
        mean,
        decoding.num_beams,
        decoding.max_new_tokens,
        options.dtype.itemsize,
    )
    name, peak = max(peaks.items(), key=lambda item: item[1])
    rate = work.flop / 1e9 / per_user
    print(
        f"{work.flop / 1e9:.1f} GFLOP per user at least: {rate:.0f} GFLOP/s, "
        f"{rate / peak:.0%} of the peak of {name} ({peak:.0f})"
    )
    if options.device != "cpu":
        bound = work.flop / 1e9 / peak + work.bytes_moved / 1e9 / cost.bandwidth(options.device)
        print(f"roofline {1 / bound:,.0f} users per s: reached {bound / per_user:.0%}")


def _print_memory(options: argparse.Namespace) -> None:
    print("\n## Memory over the model: GPT-2 of size gpt2, 8 users of 192 tokens, 20 beams")
    for name in ("shared", "generate") if options.full else ("shared",):
        # A separate process: memory of earlier searches would hide the growth.
        command = [sys.executable, "-m", "benchmarks.generation_memory", name]
        command += ["--device", options.device, "--precision", options.precision]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        print(f"{name}: {int(done.stdout.split()[-1]) / 1e9:.2f} GB")


def _print_machine(options: argparse.Namespace) -> dict[str, float]:
    torch.set_num_threads(1)
    peaks = cost.matrix_peak(options.device, options.dtype)
    on_cpu = options.device == "cpu"
    name = processor() if on_cpu else str(torch.cuda.get_device_name(options.device))
    print(f"# Generation on {name}")
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, {options.device}")
    unit = "CPU-seconds" if on_cpu else "seconds"
    print(f"{options.precision}; s are {unit}; medians of {options.rounds} interleaved rounds,")
    print(f"of the slow ways {options.slow_rounds}. cache: bytes per user at most.")
    print("matrix peak:", ", ".join(f"{n} {peak:.0f} GFLOP/s" for n, peak in peaks.items()))
    return peaks


if __name__ == "__main__":
    main()
