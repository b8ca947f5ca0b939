"""The reader of histories: what a state depends on, and its folder."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from gpt4rec_es.encoders.folder import open_checkpoint
from gpt4rec_es.encoders.history_network import open_history_network
from gpt4rec_es.encoders.history_reader import HistoryReader, padded_tokens, title_keys
from gpt4rec_es.encoders.network import open_network
from gpt4rec_es.encoders.reader_shape import READER, ReaderShape
from gpt4rec_es.encoders.text_encoder import open_encoder
from gpt4rec_es.errors import UsageError
from gpt4rec_es.prompts.keys import hash128

TOKENS = [[3, 4, 5], [6], [3, 6]]


@pytest.fixture
def reader() -> HistoryReader:
    torch.manual_seed(3)
    shape = ReaderShape(titles=2, dim=8, length=3, blocks=2, heads=2, prefix=2)
    reader = HistoryReader(shape, vocab_size=10, width=6, dropout=0.5).eval()
    with torch.no_grad():
        reader.items.weight[:2] = torch.randn(2, 8)
        reader.token_weights.copy_(torch.rand(10) + 0.1)
    return reader


def vectors(reader: HistoryReader, numbers: list[int]) -> torch.Tensor:
    found: torch.Tensor = reader.title_vectors(torch.tensor(numbers), padded_tokens(TOKENS))
    return found


def test_a_title_is_its_tokens_and_a_vector_of_its_own_if_it_has_one(reader: HistoryReader) -> None:
    weights = reader.token_weights[[3, 4, 5]]
    text = (weights[:, None] * reader.tokens.weight[[3, 4, 5]]).sum(0) / weights.norm()
    known, unknown = vectors(reader, [1, 2, 2])[0], vectors(reader, [2, 2, 2])[0]
    torch.testing.assert_close(unknown, text)
    torch.testing.assert_close(known, text + reader.items.weight[1])


def test_a_state_depends_on_the_titles_before_it_alone(reader: HistoryReader) -> None:
    own = vectors(reader, [0, 1, 2])
    rows = reader.states(own[torch.tensor([[0, 1, 2], [0, 1, 0]])])
    torch.testing.assert_close(rows[0, :3], rows[1, :3])
    assert not torch.allclose(rows[0, 3], rows[1, 3])


def test_last_states_are_those_of_histories_read_alone(reader: HistoryReader) -> None:
    own = vectors(reader, [0, 1, 2])
    histories = [[], [1], [2, 0, 1], [1, 1, 2, 0, 1]]
    together = reader.last_states(own, histories)
    alone = torch.cat([reader.last_states(own, [history]) for history in histories])
    torch.testing.assert_close(together, alone)
    # Of a long history the newest titles are read.
    torch.testing.assert_close(together[2], together[3])
    assert not torch.allclose(together[0], together[1])


def test_titles_are_known_by_their_keys(reader: HistoryReader) -> None:
    reader.keys.copy_(title_keys(["RED", "BLUE"]))
    assert reader.numbers() == {hash128("RED"): 0, hash128("BLUE"): 1}


def test_no_other_program_takes_it_for_a_plain_language_model(vectors_folder: Path) -> None:
    with pytest.raises(ValueError, match="gpt4rec_history"):
        AutoModelForCausalLM.from_pretrained(vectors_folder)
    with pytest.raises(UsageError, match="no plain language model"):
        open_network(vectors_folder, "fp32", "cpu")
    with pytest.raises(UsageError, match="metadata are read by a GPT-2"):
        open_encoder(vectors_folder)


@pytest.mark.parametrize(
    "change", [{"dim": 0}, {"titles": "3"}, {"heads": 3}, {"depth": 1}, None], ids=str
)
def test_a_wrong_shape_is_refused(
    vectors_folder: Path, tmp_path: Path, change: dict[str, object] | None
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(vectors_folder, folder)
    config = json.loads((folder / "config.json").read_text())
    config[READER] = None if change is None else config[READER] | change
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UsageError, match=READER):
        open_checkpoint(folder)


def test_weights_of_another_shape_are_refused(vectors_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(vectors_folder, folder)
    config = json.loads((folder / "config.json").read_text())
    config[READER]["length"] += 1
    (folder / "config.json").write_text(json.dumps(config))
    assert open_checkpoint(folder).content_hash != open_checkpoint(vectors_folder).content_hash
    with pytest.raises(UsageError, match=r"do not fit its config\.json"):
        open_history_network(folder, "fp32", "cpu")


def test_fp16_needs_a_gpu(vectors_folder: Path) -> None:
    with pytest.raises(UsageError, match="fp16 needs a GPU"):
        open_history_network(vectors_folder, "fp16", "cpu")
