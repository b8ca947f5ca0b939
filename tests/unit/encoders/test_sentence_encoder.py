from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertModel

from gpt4rec_es.encoders import sentence_encoder
from gpt4rec_es.encoders.sentence_encoder import open_sentence_encoder
from gpt4rec_es.encoders.sentence_folder import read_sentence_folder
from gpt4rec_es.errors import DataError, UsageError
from tests.vectors import change_json, save_sentence_folder, word_tokenizer, write_json

WORDS = ["red", "cup", "blue", "sky", "wool", "hat"]
TEXTS = ["red cup", "", "blue sky wool hat red cup hat hat hat hat", "cup", "zebra", "Red Cup"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_sentence_folder(tmp_path / "network", WORDS)


@pytest.mark.parametrize("pooling", ["mean_tokens", "cls_token"])
def test_a_vector_is_the_pooled_states_of_the_tokens(tmp_path: Path, pooling: str) -> None:
    folder = save_sentence_folder(tmp_path, WORDS, pooling=pooling)
    network = BertModel.from_pretrained(folder).eval()
    with torch.no_grad():
        states = network(torch.tensor([[1, 3, 4, 2]])).last_hidden_state[0].numpy()
    pooled = states[0] if pooling == "cls_token" else states.mean(0)
    (row,) = open_sentence_encoder(folder).encode(["red cup"])
    np.testing.assert_allclose(row, pooled / np.linalg.norm(pooled), atol=1e-6)


def test_rows_do_not_depend_on_batch_mates(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = open_sentence_encoder(folder)
    together = encoder.encode(TEXTS)
    assert (together.dtype, together.shape) == (np.float32, (6, encoder.dims))
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    assert together[0].tobytes() == together[5].tobytes()
    assert abs(together[0] - together[3]).max() > 0.01
    monkeypatch.setattr(sentence_encoder, "_TOKENS_AT_ONCE", 4)
    np.testing.assert_allclose(encoder.encode(TEXTS), together, atol=1e-6)
    assert encoder.encode([]).shape == (0, 16)


def test_a_text_without_a_known_token_is_zero_and_others_have_length_1(folder: Path) -> None:
    rows = open_sentence_encoder(folder).encode(TEXTS)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), [1, 0, 1, 1, 0, 1], atol=1e-6)


def test_long_texts_are_cut_at_the_length_of_the_folder(folder: Path) -> None:
    encoder = open_sentence_encoder(folder)
    rows = encoder.encode(["red " * 6, "red " * 50, "red " * 5])
    assert rows[0].tobytes() == rows[1].tobytes()
    assert rows[0].tobytes() != rows[2].tobytes()


def test_everything_that_decides_vectors_is_in_the_hash(folder: Path, tmp_path: Path) -> None:
    first = read_sentence_folder(folder).content_hash
    assert read_sentence_folder(save_sentence_folder(tmp_path / "b", WORDS)).content_hash == first
    changed = [
        save_sentence_folder(tmp_path / "c", WORDS, seed=2),
        save_sentence_folder(tmp_path / "d", WORDS, pooling="cls_token"),
        save_sentence_folder(tmp_path / "e", [*WORDS[1:], WORDS[0]]),
        save_sentence_folder(tmp_path / "f", WORDS),
    ]
    change_json(changed[-1] / "sentence_bert_config.json", max_seq_length=7)
    hashes = {read_sentence_folder(one).content_hash for one in changed}
    assert len(hashes | {first}) == 5


def test_a_folder_without_a_length_takes_that_of_its_tokenizer(folder: Path) -> None:
    write_json(folder / "tokenizer_config.json", {"model_max_length": 512})
    (folder / "sentence_bert_config.json").unlink()
    assert read_sentence_folder(folder).max_tokens == 40  # places of the network
    change_json(folder / "sentence_bert_config.json", do_lower_case=True)
    assert read_sentence_folder(folder).lower


def without(path: str) -> Callable[[Path], None]:
    return lambda folder: (folder / path).unlink()


def changed(path: str, **entries: object) -> Callable[[Path], None]:
    return lambda folder: change_json(folder / path, **entries)


def more_tokens(folder: Path) -> None:
    word_tokenizer([*WORDS, "of another network"]).save(str(folder / "tokenizer.json"))


def modules(*types: str, path: str = "") -> Callable[[Path], None]:
    return lambda folder: write_json(
        folder / "modules.json", [{"type": one, "path": path} for one in types]
    )


OURS = "sentence_transformers.models."
POOLING, ASKED = "1_Pooling/config.json", "config_sentence_transformers.json"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (without("modules.json"), "modules.json cannot be read"),
        (modules(), "modules of .* are ; known"),
        (lambda folder: write_json(folder / "modules.json", {}), "holds something else"),
        (lambda folder: write_json(folder / "modules.json", [1]), "is no list of modules"),
        (modules("custom.Transformer"), "code of its own: custom.Transformer"),
        (modules(f"{OURS}Transformer", f"{OURS}Pooling", f"{OURS}Dense"), "are .*Dense; known"),
        (modules(f"{OURS}Transformer", f"{OURS}Pooling", path="../x"), "outside of it: ../x"),
        (changed("config.json", auto_map={"AutoModel": "x.Y"}), "code of its own .auto_map"),
        (changed("config.json", is_encoder_decoder=True), "no encoder of texts"),
        (changed(POOLING, pooling_mode_max_tokens=True), "max_tokens, mean_tokens; known"),
        (changed(POOLING, pooling_mode_mean_tokens=False), "is none; known"),
        (changed(POOLING, word_embedding_dimension=None), "how wide"),
        (changed(ASKED, prompts={"query": "query: ", "document": ""}), "trained with prompts"),
        (changed(ASKED, similarity_fn_name="euclidean"), "similarity 'euclidean'"),
        (changed(ASKED, truncate_dim=8), "to be cut"),
        (changed("sentence_bert_config.json", model_args={"trust": 1}), "has model_args"),
        (changed("sentence_bert_config.json", transformer_task="fill-mask"), "transformer_task"),
        (changed("sentence_bert_config.json", max_seq_length=2), "how many tokens"),
        (without("tokenizer.json"), "There is no .*tokenizer.json"),
        (without("model.safetensors"), "no safetensors weights"),
        (
            lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"),
            "could run code",
        ),
    ],
)
def test_what_a_folder_asks_for_and_is_not_done_is_refused(
    folder: Path, change: Callable[[Path], None], reason: str
) -> None:
    change(folder)
    with pytest.raises(UsageError, match=reason):
        read_sentence_folder(folder)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (changed("config.json", num_hidden_layers=3), "is missing"),
        (changed("config.json", num_hidden_layers=1), "no place for encoder.layer.1"),
        (more_tokens, "the tokenizer has 10 tokens, they have 9"),
        (
            lambda folder: (folder / "model.safetensors").write_bytes(
                (folder / "model.safetensors").read_bytes()[:-100]
            ),
            "cannot be opened: .*metadata",
        ),
        (changed("config.json", model_type="of-tomorrow"), "cannot be opened"),
        (changed(POOLING, word_embedding_dimension=8), "not 8 wide"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    folder: Path, change: Callable[[Path], None], reason: str
) -> None:
    change(folder)
    with pytest.raises(UsageError, match=reason):
        open_sentence_encoder(folder)


def test_weights_that_are_not_finite_are_refused(folder: Path) -> None:
    path = folder / "model.safetensors"
    weights = load_file(path)
    weights["embeddings.word_embeddings.weight"][4, 2] = torch.nan
    save_file(weights, path, {"format": "pt"})
    with pytest.raises(UsageError, match=r"not all finite: .*word_embeddings"):
        open_sentence_encoder(folder)


def test_vectors_that_are_not_finite_are_no_unknown_words(folder: Path) -> None:
    path = folder / "model.safetensors"
    weights = load_file(path)
    # Finite weights whose products are not.
    weights["encoder.layer.1.output.dense.weight"] *= 1e38
    save_file(weights, path, {"format": "pt"})
    with pytest.raises(DataError, match=f"by the network in {folder} are not finite"):
        open_sentence_encoder(folder).encode(["red"])
