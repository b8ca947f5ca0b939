"""A trained tiny generator, made once per test run, for tests that need realistic beams."""

import fcntl
import os
import random
from pathlib import Path

import pytest

from gpt4rec_es.generation.options import TrainingOptions
from gpt4rec_es.lab.training.dataset import TrainingData, collect_histories
from gpt4rec_es.protocols import no_progress

STYLES = ("vintage", "garden", "kitchen", "christmas")
THINGS = ("clock", "tea pot", "candle holder with glass", "set of four napkins", "bag")
# Titles of one to six words, so that beams of one prompt end at different lengths.
TITLES = [f"{style} {thing}" for style in STYLES for thing in THINGS] + [*STYLES, "bag"]

OPTIONS = TrainingOptions(
    vocab_size=420,
    epochs=3,
    lr=2e-3,
    pairs="every-prefix",
    pretrain_epochs=3,
    pretrain_lr=3e-3,
    batch_size=16,
    device="cpu",
    threads=1,
)


# The same by a reader of vectors: a generator of another kind.
VECTORS = TrainingOptions(
    history="vectors",
    vocab_size=420,
    pretrain_epochs=20,
    pretrain_lr=1e-2,
    epochs=6,
    lr=5e-3,
    batch_size=32,
    prompt_titles=4,
    device="cpu",
    threads=1,
)


def shop_histories(users: int = 150) -> list[list[str]]:
    """Return histories of users that mostly buy one style."""
    chance = random.Random(7)
    histories = []
    for user in range(users):
        own = [title for title in TITLES if title.startswith(STYLES[user % 4])]
        histories.append(chance.sample(own, 4) + chance.sample(TITLES, 1))
    return histories


def shop_data(users: int = 150) -> TrainingData:
    histories = shop_histories(users)
    kept_back = collect_histories(histories[:10])
    return TrainingData(TITLES, collect_histories(histories[10:]), kept_back, {"users": users})


@pytest.fixture(scope="session")
def trained_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkpoint folder; tests must not write into it."""
    return _trained_once(tmp_path_factory, "tiny", OPTIONS)


@pytest.fixture(scope="session")
def vectors_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a generator that reads vectors; tests must not write into it."""
    return _trained_once(tmp_path_factory, "vectors", VECTORS)


def _trained_once(
    tmp_path_factory: pytest.TempPathFactory, name: str, options: TrainingOptions
) -> Path:
    """Train in the first of the worker processes that asks; the others wait for its folder."""
    from gpt4rec_es.lab.training.phases import train_network  # noqa: PLC0415 - torch is not for all tests

    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / f"trained-{name}"
    with (shared / f"trained-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():  # it appears when it is whole
            train_network(shop_data(), options, folder, no_progress)
    return folder
