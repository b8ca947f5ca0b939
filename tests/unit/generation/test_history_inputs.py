"""Queries of a generator that reads vectors, against a plain computation without any cache."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from gpt4rec_es.encoders.folder import open_checkpoint
from gpt4rec_es.encoders.history_network import open_history_network
from gpt4rec_es.encoders.history_reader import padded_tokens
from gpt4rec_es.errors import UsageError
from gpt4rec_es.generation import inputs
from gpt4rec_es.generation.card import CARD, read_card
from gpt4rec_es.generation.factory import open_generator
from gpt4rec_es.generation.title_search import reader_chooser
from gpt4rec_es.generation.title_search.reader_chooser import ReaderChooser
from gpt4rec_es.options.night import GeneratorOptions
from gpt4rec_es.prompts.catalog_titles import catalog_titles
from gpt4rec_es.prompts.keys import hash128
from gpt4rec_es.prompts.template import target_text
from gpt4rec_es.prompts.title_lines import lines_of
from gpt4rec_es.records import Decoding, GeneratedQuery
from tests.trained import TITLES, shop_histories

# With a title that training does not know.
CATALOG = [*TITLES, "garden set of four spoons", "garden umbrella"]
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

    def vector(self, title: str) -> torch.Tensor:
        """Return (dim,), the reader's vector of a title."""
        ids = padded_tokens([self.tokenizer.encode(target_text(title))])
        number = self.reader.numbers().get(hash128(title), self.reader.shape.titles)
        found: torch.Tensor = self.reader.title_vectors(torch.tensor([number]), ids)[0]
        return found

    def state(self, history: Sequence[str]) -> torch.Tensor:
        """Return (dim,), the reader's state after a history."""
        hidden = [self.reader.start]
        hidden += [self.vector(title) for title in history[-self.reader.shape.length :]]
        found: torch.Tensor = self.reader.read_vectors(torch.stack(hidden)[None])[0, -1]
        return found

    def next_logprobs(self, history: Sequence[str], tokens: Sequence[int]) -> torch.Tensor:
        """Return (vocabulary,), log-probabilities of the token after ``tokens``."""
        prefix = self.reader.prefixes(self.state(history)[None])[0]
        words = self.decoder.lm_head.weight
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

    def written_logprob(self, history: Sequence[str], title: str) -> float:
        """Return that of the decoder for a title of the training, among what can follow."""
        all_ids = [
            (*self.tokenizer.encode(target_text(one)), self.tokenizer.end_id) for one in TITLES
        ]
        ids = all_ids[TITLES.index(title)]
        total = 0.0
        for place, token in enumerate(ids):
            may_follow = {one[place] for one in all_ids if one[:place] == ids[:place]}
            logprobs = self.next_logprobs(history, ids[:place])
            total += float(logprobs[token] - logprobs[sorted(may_follow)].logsumexp(0))
        return total

    def title_logprobs(self, history: Sequence[str]) -> dict[str, float]:
        """Return the log-probability of each title of the catalog by the reader."""
        state = self.state(history)
        scores = torch.stack([self.vector(title) @ state for title in CATALOG])
        return dict(zip(CATALOG, scores.log_softmax(0).tolist(), strict=True))


@pytest.fixture(scope="module")
def plain(vectors_folder: Path) -> Plain:
    return Plain(vectors_folder)


def generations(folder: Path, decoding: Decoding) -> list[tuple[GeneratedQuery, ...]]:
    generator = open_generator("gpt2", folder, GeneratorOptions(device="cpu", threads=1))
    if decoding.mode == "titles":
        generator = generator.choosing(catalog_titles(CATALOG))
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


def test_priors_are_those_of_an_empty_history(vectors_folder: Path, plain: Plain) -> None:
    personal = replace(TITLES_MODE, prior_weight=0.5)
    with torch.inference_mode():
        everybody = plain.title_logprobs([])
        wanted = [plain.title_logprobs(history) for history in HISTORIES]
    for own, queries in zip(wanted, generations(vectors_folder, personal), strict=True):
        found = [query.prior_logprob for query in queries]
        assert found == pytest.approx([everybody[query.text] for query in queries], abs=2e-4)
        scores = [own[query.text] - 0.5 * everybody[query.text] for query in queries]
        assert scores == sorted(scores, reverse=True)


def test_titles_cut_to_equal_tokens_are_one_choice(vectors_folder: Path, plain: Plain) -> None:
    decoding = replace(TITLES_MODE, max_new_tokens=2)
    choosing = open_generator("gpt2", vectors_folder).choosing(catalog_titles(CATALOG))
    found = choosing.generate([lines_of([])], decoding)[0].queries
    with torch.inference_mode():
        logprobs = plain.title_logprobs([])
    chances: dict[tuple[int, ...], float] = {}
    for title, logprob in logprobs.items():
        begin = tuple(plain.tokenizer.encode(target_text(title))[:2])
        chances[begin] = chances.get(begin, 0.0) + np.exp(logprob)
    assert len(chances) < len(CATALOG)
    best = sorted(chances, key=lambda begin: -chances[begin])[:3]
    texts = plain.tokenizer.decode_all(best)
    assert [query.text for query in found] == [text.strip() for text in texts]
    assert [np.exp(query.sum_logprob) for query in found] == pytest.approx(
        [chances[begin] for begin in best], rel=1e-3
    )


def test_memory_is_bounded_by_parts_of_prompts_and_titles(
    vectors_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = generations(vectors_folder, TITLES_MODE)
    rows: list[int] = []
    logprobs = ReaderChooser._logprobs

    def seen(self: ReaderChooser, prompts: Sequence[Sequence[int]]) -> torch.Tensor:
        rows.append(len(prompts))
        found: torch.Tensor = logprobs(self, prompts)
        return found

    monkeypatch.setattr(ReaderChooser, "_logprobs", seen)
    monkeypatch.setattr(reader_chooser, "_SCORES", 2 * len(CATALOG))
    monkeypatch.setattr(inputs, "_TITLES", 4)
    parts = generations(vectors_folder, TITLES_MODE)
    assert rows == [2, 2]
    for one, other in zip(whole, parts, strict=True):
        assert [query.text for query in one] == [query.text for query in other]


def test_scores_that_are_no_numbers_stop_a_night(
    vectors_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = inputs.HistoryInputs.title_vectors
    monkeypatch.setattr(
        inputs.HistoryInputs, "title_vectors", lambda *given: vectors(*given) * torch.nan
    )
    with pytest.raises(UsageError, match="no finite numbers"):
        generations(vectors_folder, TITLES_MODE)


def test_readers_of_earlier_versions_have_their_scores_divided(
    vectors_folder: Path, tmp_path: Path
) -> None:
    earlier = tmp_path / "earlier"
    shutil.copytree(vectors_folder, earlier)
    card = json.loads((earlier / CARD).read_text())
    del card["scores_divided_by"]
    (earlier / CARD).write_text(json.dumps(card | {"temperature": 2.0}))
    by_hand = tmp_path / "by-hand"
    shutil.copytree(vectors_folder, by_hand)
    weights = load_file(by_hand / "model.safetensors")
    for name in ("reader.norm.weight", "reader.norm.bias"):
        weights[name] /= 2
    save_file(weights, by_hand / "model.safetensors", metadata={"format": "pt"})
    divided, expected = generations(earlier, TITLES_MODE), generations(by_hand, TITLES_MODE)
    assert expected != generations(vectors_folder, TITLES_MODE)
    for one, other in zip(divided, expected, strict=True):
        assert [query.sum_logprob for query in one] == pytest.approx(
            [query.sum_logprob for query in other]
        )


def test_likelihoods_of_given_titles_are_exact(vectors_folder: Path, plain: Plain) -> None:
    choosing = open_generator("gpt2", vectors_folder).choosing(catalog_titles(CATALOG))
    prompts = [lines_of(history) for history in HISTORIES]
    found = choosing.title_logprobs(prompts, ["garden clock"] * len(prompts))
    with torch.inference_mode():
        wanted = [plain.title_logprobs(history)["garden clock"] for history in HISTORIES]
    assert found == pytest.approx(wanted, abs=2e-4)


def test_users_get_what_they_like(vectors_folder: Path) -> None:
    likes_vintage, _, _, likes_kitchen = generations(vectors_folder, TITLES_MODE)
    assert likes_vintage[0].text.startswith("vintage")
    assert likes_kitchen[0].text.startswith("kitchen")


def test_the_card_says_how_surely_the_decoder_writes(vectors_folder: Path, plain: Plain) -> None:
    users = shop_histories()[:10]
    with torch.inference_mode():
        found = [plain.written_logprob(titles[:-1], titles[-1]) for titles in users]
    card = read_card(vectors_folder)
    assert card["nats_per_written_title"] == pytest.approx(-np.mean(found), abs=1e-3)
