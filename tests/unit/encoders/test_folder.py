import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.numpy import load_file, save_file
from safetensors.torch import load_file as load_tensors
from safetensors.torch import save_file as save_tensors

from gpt4rec_es.encoders.folder import open_checkpoint
from gpt4rec_es.encoders.tokenizer import save_tokenizer, train_tokenizer
from gpt4rec_es.errors import UsageError
from gpt4rec_es.generation.factory import open_generator
from gpt4rec_es.options.night import GeneratorOptions
from gpt4rec_es.records import Decoding


@pytest.fixture
def folder(trained_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained_folder, tmp_path / "copy"))


def edit_config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_the_hash_is_that_of_the_content_alone(trained_folder: Path, folder: Path) -> None:
    before = open_checkpoint(trained_folder).content_hash
    (folder / "README.md").write_text("other words")
    (folder / "training_args.bin").write_bytes(b"left over")
    (folder / "generation_config.json").write_text("{}")
    edit_config(folder, _name_or_path="elsewhere", transformers_version="9.9")
    assert open_checkpoint(folder).content_hash == before


@pytest.mark.parametrize("part", ["config", "tokenizer", "weights"])
def test_the_hash_notices_what_generation_depends_on(folder: Path, part: str) -> None:
    before = open_checkpoint(folder).content_hash
    if part == "config":
        edit_config(folder, layer_norm_epsilon=1e-3)
    elif part == "tokenizer":
        save_tokenizer(train_tokenizer(["other titles"], 300), folder, 256)
    else:
        tensors = load_file(folder / "model.safetensors")
        tensors["transformer.ln_f.bias"][0] += 1e-6
        save_file(tensors, folder / "model.safetensors")
    assert open_checkpoint(folder).content_hash != before


def refuse(folder: Path, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        open_generator("gpt2", folder)
    assert "\n" not in str(caught.value)
    assert caught.value.hint


def test_no_folder(tmp_path: Path) -> None:
    refuse(tmp_path / "none", "There is no checkpoint folder")


def test_an_empty_folder(tmp_path: Path) -> None:
    refuse(tmp_path, "no readable config.json")


def test_a_config_that_is_no_json(folder: Path) -> None:
    (folder / "config.json").write_text("{")
    refuse(folder, "no readable config.json")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "bert"}, r"is no known decoder \(its model type is bert\)"),
        ({"architectures": ["GPT2ForTokenClassification"]}, "no language model"),
        ({"n_positions": None}, "lacks n_positions"),
        ({"gpt4rec_prompt": {"words": 3}}, "gpt4rec_prompt in config.json is wrong"),
    ],
)
def test_another_kind_of_model(folder: Path, changes: dict[str, object], message: str) -> None:
    edit_config(folder, **changes)
    refuse(folder, message)


def test_a_config_that_is_no_object(folder: Path) -> None:
    (folder / "config.json").write_text("[]")
    refuse(folder, "is no known decoder")


def test_weights_that_could_run_code(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    refuse(folder, "only pytorch_model.bin, which could run code")


def test_no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    refuse(folder, r"no safetensors weights \(no weights\)")


def test_cut_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    refuse(folder, "cannot be read")


def test_weights_of_something_else(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    save_file({"other": tensors["transformer.ln_f.bias"]}, folder / "model.safetensors")
    refuse(folder, "no token embeddings")


def test_a_tokenizer_that_does_not_fit(folder: Path) -> None:
    texts = [f"title {n} of many other words{n}" for n in range(400)]
    save_tokenizer(train_tokenizer(texts, 900), folder, 256)
    refuse(folder, "does not fit the model: it has 900 entries")


def test_a_folder_without_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    refuse(folder, "holds no tokenizer")


def test_incomplete_weights_are_noticed_when_they_are_needed(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    del tensors["transformer.h.1.mlp.c_fc.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    generator = open_generator("gpt2", folder, GeneratorOptions(device="cpu"))
    with pytest.raises(UsageError, match=r"incomplete: transformer\.h\.1\.mlp\.c_fc\.weight"):
        generator.generate(["Previously"], Decoding())


def test_weights_of_another_shape_are_noticed_when_they_are_needed(folder: Path) -> None:
    edit_config(folder, n_inner=64)
    generator = open_generator("gpt2", folder, GeneratorOptions(device="cpu"))
    with pytest.raises(UsageError, match="cannot be opened as a language model") as caught:
        generator.generate(["Previously"], Decoding())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("kind", "path"), [("llama", "x"), ("gpt2", None)])
def test_an_unknown_kind(kind: str, path: str | None) -> None:
    with pytest.raises(UsageError, match="no generator of kind"):
        open_generator(kind, path)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite(folder: Path, dtype: str, value: float) -> None:
    path = folder / "model.safetensors"
    tensors = {
        name: weights.to(getattr(torch, dtype)) for name, weights in load_tensors(path).items()
    }
    save_tensors(tensors, path)
    open_checkpoint(folder)
    tensors["transformer.ln_f.bias"][3] = value
    save_tensors(tensors, path)
    refuse(folder, r"not all finite: transformer\.ln_f\.bias has NaN or infinite")
