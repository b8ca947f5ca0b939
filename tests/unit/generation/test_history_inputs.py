"""Queries of a generator that reads vectors, against a plain computation without any cache."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from gpt4rec_es.encoders.folder import open_checkpoint
from gpt4rec_es.encoders.history_network import open_history_network
from gpt4rec_es.encoders.history_reader import padded_tokens
from gpt4rec_es.generation.factory import open_generator
from gpt4rec_es.options.night import GeneratorOptions
from gpt4rec_es.prompts.catalog_titles import catalog_titles
from gpt4rec_es.prompts.keys import hash128
from gpt4rec_es.prompts.template import target_text
from gpt4rec_es.prompts.title_lines import lines_of
from gpt4rec_es.records import Decoding, GeneratedQuery
from tests.trained import TITLES

# Known titles, unknown ones, none, and more than the four that are read.
HISTORIES = [
    ["vintage clock", "vintage bag"],
    ["never seen clock", "garden bag"],
    [],
    ["vintage bag", "kitchen clock", "kitchen bag", "kitchen tea pot", "kitchen clock"],
]
FREE = Decoding(num_queries=3, num_beams=5, max_new_tokens=8, prior_weight=0.5)
TITLES_MODE = Decoding(
    num_queries=3, num_beams=30, max_new_tokens=24, length_penalty=0.0, mode="titles"
)


class Plain:
    """The same network, by its definition: one title and one token at a time."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer = open_checkpoint(folder).tokenizer
        self.reader, self.decoder = open_history_network(folder, "fp32", "cpu")

    def next_logprobs(self, history: Sequence[str], tokens: Sequence[int]) -> torch.Tensor:
        """Return (vocabulary,), log-probabilities of the token after ``tokens``."""
        reader, known = self.reader, self.reader.numbers()
        hidden = [reader.start]
        for title in history[-reader.shape.length :]:
            ids = padded_tokens([self.tokenizer.encode(target_text(title))])
            number = known.get(hash128(title), reader.shape.titles)
            hidden.append(reader.title_vectors(torch.tensor([number]), ids)[0])
        state = reader.read_vectors(torch.stack(hidden)[None])[0, -1]
        words = self.decoder.lm_head.weight
        prefix = reader.prefixes(state[None])[0]
        inputs = torch.cat((prefix, words[list(tokens)]))[None]
        logits = self.decoder(inputs_embeds=inputs, use_cache=False).logits[0, -1]
        found: torch.Tensor = logits.double().log_softmax(0)
        return found

    def logprob(self, history: Sequence[str], tokens: Sequence[int]) -> float:
        """Return the log-probability of ``tokens`` after a history."""
        steps = (
            self.next_logprobs(history, tokens[:place])[token] for place, token in enumerate(tokens)
        )
        return float(sum(steps))

    def title_logprobs(self, history: Sequence[str]) -> dict[str, float]:
        """Return the log-probability of each title, renormalised over what can follow."""
        all_ids = {
            title: (*self.tokenizer.encode(target_text(title)), self.tokenizer.end_id)
            for title in set(TITLES)
        }
        found = {}
        for title, ids in all_ids.items():
            total = 0.0
            for place, token in enumerate(ids):
                may_follow = {
                    other[place] for other in all_ids.values() if other[:place] == ids[:place]
                }
                logprobs = self.next_logprobs(history, ids[:place])
                total += float(logprobs[token] - logprobs[sorted(may_follow)].logsumexp(0))
            found[title] = total
        return found


@pytest.fixture(scope="module")
def plain(vectors_folder: Path) -> Plain:
    return Plain(vectors_folder)


def generations(folder: Path, decoding: Decoding) -> list[tuple[GeneratedQuery, ...]]:
    generator = open_generator("gpt2", folder, GeneratorOptions(device="cpu", threads=1))
    if decoding.mode == "titles":
        generator = generator.choosing(catalog_titles(TITLES))
    found = generator.generate([lines_of(history) for history in HISTORIES], decoding)
    return [generation.queries for generation in found]


def test_log_probabilities_of_free_queries_and_their_priors_are_exact(
    vectors_folder: Path, plain: Plain
) -> None:
    with torch.inference_mode():
        for history, queries in zip(HISTORIES, generations(vectors_folder, FREE), strict=True):
            assert len(queries) == 3
            for query in queries:
                ids = plain.tokenizer.encode(target_text(query.text))
                if query.n_tokens > len(ids):
                    ids.append(plain.tokenizer.end_id)
                assert query.sum_logprob == pytest.approx(plain.logprob(history, ids), abs=2e-4)
                assert query.prior_logprob == pytest.approx(plain.logprob([], ids), abs=2e-4)


def test_the_best_titles_are_those_of_an_exhaustive_search(
    vectors_folder: Path, plain: Plain
) -> None:
    with torch.inference_mode():
        expected = [plain.title_logprobs(history) for history in HISTORIES]
    found = generations(vectors_folder, TITLES_MODE)
    for history, wanted, queries in zip(HISTORIES, expected, found, strict=True):
        assert sum(np.exp(list(wanted.values()))) == pytest.approx(1)
        best = sorted(wanted.keys() - set(history), key=lambda title: -wanted[title])
        assert [query.text for query in queries] == best[:3]
        for query in queries:
            assert query.sum_logprob == pytest.approx(wanted[query.text], abs=2e-4)


def test_likelihoods_of_given_titles_are_exact(vectors_folder: Path, plain: Plain) -> None:
    choosing = open_generator("gpt2", vectors_folder).choosing(catalog_titles(TITLES))
    prompts = [lines_of(history) for history in HISTORIES]
    found = choosing.title_logprobs(prompts, ["garden clock"] * len(prompts))
    with torch.inference_mode():
        wanted = [plain.title_logprobs(history)["garden clock"] for history in HISTORIES]
    assert found == pytest.approx(wanted, abs=2e-4)


def test_users_get_what_they_like(vectors_folder: Path) -> None:
    likes_vintage, _, _, likes_kitchen = generations(vectors_folder, TITLES_MODE)
    assert likes_vintage[0].text.startswith("vintage")
    assert likes_kitchen[0].text.startswith("kitchen")
