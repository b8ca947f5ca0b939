"""Nats per title, by generators with and without probabilities."""

from math import log
from pathlib import Path

import pytest

from gpt4rec_es.generation.factory import open_generator
from gpt4rec_es.lab.evaluation.title_nats import title_nats
from gpt4rec_es.lab.splits.split import EvalUser
from gpt4rec_es.options.night import GeneratorOptions
from gpt4rec_es.prompts.catalog_titles import catalog_titles
from tests.trained import TITLES, shop_histories

NUMBERS = {title: number for number, title in enumerate(TITLES)}
ITEMS = dict(enumerate(TITLES))
HISTORIES = [[NUMBERS[title] for title in own] for own in shop_histories()]
USERS = [EvalUser(n, tuple(own[:3]), (own[3],)) for n, own in enumerate(HISTORIES[:40])]
TRAIN = dict(enumerate(HISTORIES[10:], start=10))


def test_a_trained_generator_is_surer_than_chance(trained_folder: Path) -> None:
    options = GeneratorOptions(device="cpu", threads=1)
    generator = open_generator("gpt2", trained_folder, options)
    steps: list[tuple[int, int | None]] = []
    nats = title_nats(generator, USERS, ITEMS, TRAIN, lambda *step: steps.append(step))
    assert nats is not None
    assert nats.users == 40
    assert nats.uniform == pytest.approx(log(len(set(TITLES))))
    assert nats.generator + nats.half_interval < min(nats.uniform, nats.popularity)
    assert steps == [(40, 40)]
    # By hand, of one user: no other title can be meant.
    (user,) = users = USERS[:1]
    alone = title_nats(generator, users, ITEMS, TRAIN)
    prompt = generator.write_prompt([ITEMS[item] for item in user.history])
    assert alone is not None
    assert prompt is not None
    choosing = generator.choosing(catalog_titles(TITLES))
    logprobs = choosing.title_logprobs([prompt.text] * len(TITLES), TITLES)
    assert alone.generator == pytest.approx(-logprobs[user.targets[0]], abs=1e-4)
    assert sum(2.718281828**one for one in dict(zip(TITLES, logprobs, strict=True)).values()) == (
        pytest.approx(1, abs=1e-4)
    )
    bought = sum(ITEMS[n] == ITEMS[user.targets[0]] for own in TRAIN.values() for n in own)
    total = sum(map(len, TRAIN.values())) + len(set(TITLES))
    assert alone.popularity == pytest.approx(-log((bought + 1) / total))
    with pytest.raises(ValueError, match="not in the catalog"):
        choosing.title_logprobs([prompt.text], ["vintage lamp"])


def test_nobody_counts_without_probabilities_titles_or_prompts(trained_folder: Path) -> None:
    titles = open_generator("titles", None)
    assert title_nats(titles, USERS, ITEMS, TRAIN) is None
    generator = open_generator("gpt2", trained_folder)
    known = {n: title for n, title in ITEMS.items() if n not in USERS[0].targets}
    assert title_nats(generator, USERS[:1], known, TRAIN) is None
    nobody = [EvalUser(1, (), (USERS[0].targets[0],))]
    assert title_nats(generator, nobody, ITEMS, TRAIN) is None
