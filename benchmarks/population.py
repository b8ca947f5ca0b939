"""Networks and prompts of the benchmarks, random or real.

Random weights are scaled up, so that beams differ by more than rounding. Their texts never end, so
all searches run to the last step and the work per user can be computed.
"""

import csv
import gzip
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import GPT2LMHeadModel

from gpt4rec_es.encoders.folder import open_checkpoint
from gpt4rec_es.encoders.network import open_network
from gpt4rec_es.generation.options import VOCABULARIES, Size
from gpt4rec_es.lab.training.new_network import new_network
from gpt4rec_es.prompts.truncate import PromptWriter

# The vocabulary of the published GPT-2: together with its shape, 124 million parameters.
_GPT2_VOCABULARY = 50_257


@dataclass(frozen=True)
class Population:
    """A network, and the prompts of users as token ids.

    is_random: texts never end, so all searches have the same length.
    """

    name: str
    network: Any
    prompts: list[list[int]]
    end_id: int
    is_random: bool


def random_population(size: Size, users: int, device: str, dtype: Any, seed: int = 1) -> Population:
    """Return a network of ``size`` with scaled random weights, and prompts of mixed length."""
    torch.manual_seed(seed)
    vocabulary = _GPT2_VOCABULARY if size == "gpt2" else VOCABULARIES[size]
    network = new_network(size, vocabulary, end_id=0)
    with torch.no_grad():
        for name, weights in network.named_parameters():
            if name.endswith(("c_attn.weight", "c_fc.weight")):
                weights.mul_(3)
            elif name.endswith("ln_f.weight"):
                weights.mul_(4)
    most = min(256, network.config.n_positions - 64)
    prompts = random_prompts(users, vocabulary, most, seed)
    name = f"GPT-2 of size {size}, random weights"
    return Population(name, network.to(device, dtype).eval(), prompts, 0, is_random=True)


def random_prompts(users: int, vocabulary: int, most: int, seed: int) -> list[list[int]]:
    """Return prompts of 3 to 15 titles of about 13 tokens: 32 to ``most`` tokens.

    The titles are spread evenly over users, so that any number of users has the same mean.
    """
    chance = random.Random(seed)
    titles = [3 + 12 * (user + 0.5) / users for user in range(users)]
    chance.shuffle(titles)
    lengths = [max(32, min(most, round(13 * n + 14))) for n in titles]
    return [[chance.randrange(1, vocabulary) for _ in range(length)] for length in lengths]


def real_population(
    folder: Path, data: Path, users: int, device: str, dtype: str, reserve: int
) -> Population:
    """Return the generator in ``folder`` and prompts of the first users of a data folder.

    data: with items.csv.gz and interactions.csv.gz (user_id, item_id, ordinal).
    """
    checkpoint = open_checkpoint(folder)
    writer = PromptWriter(checkpoint.tokenizer.count, checkpoint.context - reserve)
    written = [writer.write(titles) for titles in histories(data)[:users]]
    prompts = checkpoint.tokenizer.encode_all([p.text for p in written if p is not None])
    network = open_network(folder, dtype, device)
    end_id = checkpoint.tokenizer.end_id
    return Population(f"{folder.name}, trained", network, prompts, end_id, is_random=False)


def histories(data: Path) -> list[list[str]]:
    """Return the titles that each user bought, oldest first, in the order of the file."""
    with gzip.open(data / "items.csv.gz", "rt", encoding="utf-8", newline="") as file:
        titles = {row["item_id"]: row["title"] for row in csv.DictReader(file)}
    bought: dict[str, dict[str, int]] = {}
    with gzip.open(data / "interactions.csv.gz", "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            bought.setdefault(row["user_id"], {})[row["item_id"]] = int(row["ordinal"])
    return [
        [titles[item] for item in sorted(events, key=lambda item: events[item]) if item in titles]
        for events in bought.values()
    ]


def fresh_copy(population: Population) -> Any:
    """Return a copy of the network, because a search may change its network."""
    network = population.network
    copy = GPT2LMHeadModel(network.config).to(network.device, network.dtype)
    copy.load_state_dict(network.state_dict())
    copy.set_attn_implementation("sdpa")
    return copy.eval()
