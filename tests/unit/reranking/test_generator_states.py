"""Titles are read in the form that a generator learned to write them in."""

from pathlib import Path

import numpy as np
import pytest

from gpt4rec_es.encoders.text_encoder import TextEncoder
from gpt4rec_es.encoders.tokenizer import PromptTokenizer
from gpt4rec_es.lab.baselines.baseline_options import options_of
from gpt4rec_es.lab.baselines.network import BaselineData
from gpt4rec_es.lab.baselines.sasrec_text import SasRecText, start_by_titles
from gpt4rec_es.lab.training.dataset import Pieces
from gpt4rec_es.prompts.template import display_title
from gpt4rec_es.reranking.encoder_registry import GeneratorStates

TITLES = ["Garden  tea pot", "bag", "vintage\nclock", "set of napkins"]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Token ids of all texts that are read."""
    ids: list[list[int]] = []
    encode = PromptTokenizer.encode_all
    monkeypatch.setattr(
        PromptTokenizer,
        "encode_all",
        lambda self, texts: [ids.append(one) or one for one in encode(self, texts)],
    )
    return ids


def targets(encoder: TextEncoder) -> list[list[int]]:
    shown = [display_title(title) for title in TITLES]
    pieces = Pieces(shown, encoder.checkpoint.tokenizer, 64, 32)
    return [pieces.target(number)[0].tolist() for number in range(len(TITLES))]


def test_the_states_of_a_text_are_those_of_a_target(
    encoder: TextEncoder, read: list[list[int]]
) -> None:
    expected = targets(encoder)
    read.clear()
    rows = GeneratorStates(encoder).encode([*TITLES, "", " \n"])
    assert read[: len(TITLES)] == expected
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), [1, 1, 1, 1, 0, 0], atol=1e-6)


def test_sasrec_starts_by_the_states_of_targets(
    encoder: TextEncoder, read: list[list[int]], gpt2_folder: Path
) -> None:
    expected = targets(encoder)
    read.clear()
    network = SasRecText(BaselineData([[0, 1]], 4), options_of("sasrec_text", dim=2, heads=1))
    start_by_titles(network, TITLES, gpt2_folder)
    assert [one for one in read if one in expected] == expected
