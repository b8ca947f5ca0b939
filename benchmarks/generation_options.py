"""Options of the benchmark of generation."""

import argparse
import os
from pathlib import Path

import torch

PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16}


def parse(description: str | None) -> argparse.Namespace:
    """Return the options of the command line; dtype: of weights."""
    everyone = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--device", default="cpu", help="cpu, or cuda[:N]")
    parser.add_argument("--precision", choices=tuple(PRECISIONS), default="fp32")
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({1, everyone}))
    parser.add_argument("--beams", type=int, nargs="+", default=[10, 20, 40])
    parser.add_argument("--users", type=int, help="users in a population (small model: 4x)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slow-rounds", type=int, help="default 1, with --full 3")
    parser.add_argument("--full", action="store_true", help="all ways for all numbers of beams")
    parser.add_argument("--model", type=Path, help="a trained generator for the small model")
    parser.add_argument("--data", type=Path, help="folder of the purchases it is asked about")
    options = parser.parse_args()
    if (options.model is None) != (options.data is None):
        parser.error("--model and --data belong together")
    options.dtype = PRECISIONS[options.precision]
    options.users = options.users or (16 if options.device == "cpu" else 1024)
    options.slow_rounds = options.slow_rounds or (3 if options.full else 1)
    if options.device != "cpu":
        options.threads = options.threads[:1]
    return options
