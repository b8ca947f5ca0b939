"""Generators whose networks are no GPT-2: opened, fine-tuned, saved and searched."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from gpt4rec_es.encoders import network as networks
from gpt4rec_es.encoders.folder import open_checkpoint
from gpt4rec_es.encoders.network import open_network
from gpt4rec_es.encoders.text_encoder import open_encoder
from gpt4rec_es.encoders.tokenizer import END, save_tokenizer, train_tokenizer
from gpt4rec_es.encoders.weights import count_parameters
from gpt4rec_es.errors import UsageError
from gpt4rec_es.generation.beam_search import loop
from gpt4rec_es.generation.card import read_licence
from gpt4rec_es.generation.factory import open_generator
from gpt4rec_es.lab.training.phases import train_network
from gpt4rec_es.options.night import GeneratorOptions
from gpt4rec_es.prompts.catalog_titles import catalog_titles
from gpt4rec_es.prompts.template import prompt_text
from gpt4rec_es.protocols import no_progress
from gpt4rec_es.records import Decoding
from tests.trained import OPTIONS, TITLES, shop_data, shop_histories

WIDE: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 128,
}
KINDS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "llama": (LlamaConfig, LlamaForCausalLM, {"num_key_value_heads": 2}),
    "mistral": (
        MistralConfig,
        MistralForCausalLM,
        {"num_key_value_heads": 2, "sliding_window": None},
    ),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM, {"num_key_value_heads": 4}),
    # Heads that are wider than their part of the network, and norms of queries and keys.
    "qwen3": (Qwen3Config, Qwen3ForCausalLM, {"num_key_value_heads": 2, "head_dim": 16}),
    "gpt_neox": (GPTNeoXConfig, GPTNeoXForCausalLM, {}),
}
TYPES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
DECODING = Decoding(num_queries=4, num_beams=8, max_new_tokens=10)


def make_folder(kind: str, folder: Path, **changes: Any) -> Path:
    """Write a tiny decoder with random weights; tied embeddings, but for gpt_neox."""
    config, network, more = KINDS[kind]
    tokenizer = train_tokenizer(TITLES, 420)
    ends = {"bos_token_id": tokenizer.end_id, "eos_token_id": tokenizer.end_id}
    torch.manual_seed(3)
    given = {**WIDE, **more, **ends, "tie_word_embeddings": kind != "gpt_neox", **changes}
    network(config(**{"vocab_size": tokenizer.size, **given})).save_pretrained(folder)
    save_tokenizer(tokenizer, folder, 128)
    return folder


def make_qwen(folder: Path, **changes: Any) -> Path:
    """Write a tiny Qwen 3 with Qwen's conventions.

    Its tokenizer splits by a pattern of its own and normalises; there are more embeddings than
    tokens; texts end with another token than turns of a chat, which config.json names.
    """
    make_folder("qwen3", folder, vocab_size=440, eos_token_id=418, bos_token_id=None, **changes)
    pattern = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
        r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated"}
    plain = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False}
    steps = [{**split, "invert": False}, {**plain, "use_regex": False}]
    edit(
        folder / "tokenizer.json",
        normalizer={"type": "NFC"},
        pre_tokenizer={"type": "Sequence", "pretokenizers": steps},
    )
    return folder


def edit(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.fixture(scope="module", params=list(KINDS))
def fine_tuned(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a decoder that was trained for some steps."""
    base = tmp_path_factory.mktemp("models")
    start = make_folder(request.param, base / "start")
    options = replace(OPTIONS, start=str(start), max_steps=12, vocab_size=None, reserve=16)
    return train_network(shop_data(60), options, base / "tuned", no_progress).folder


def test_it_is_fine_tuned_and_searched_like_a_gpt2(fine_tuned: Path) -> None:
    checkpoint = open_checkpoint(fine_tuned)
    assert checkpoint.model_type in KINDS
    assert checkpoint.context == 128
    assert checkpoint.content_hash != open_checkpoint(fine_tuned.with_name("start")).content_hash
    shared, reference = (
        open_generator(
            "gpt2",
            fine_tuned,
            GeneratorOptions(device="cpu", threads=1, token_budget=3000, beam_search=name),
        )
        for name in ("shared", "reference")
    )
    written = [shared.write_prompt(titles) for titles in shop_histories()[:6]]
    prompts = [prompt.text for prompt in written if prompt is not None]
    for one, other in zip(
        shared.generate(prompts, DECODING), reference.generate(prompts, DECODING), strict=True
    ):
        assert [q.text for q in one.queries] == [q.text for q in other.queries]
    choosing = shared.choosing(catalog_titles(TITLES))
    titles = replace(DECODING, mode="titles", length_penalty=0.0, prior_weight=0.5)
    for generation in choosing.generate(prompts, titles):
        assert {query.text for query in generation.queries} <= set(TITLES)
    card = json.loads((fine_tuned / "training.json").read_text())
    assert card["nats_per_title"] > 0
    assert card["parameters"] == count_parameters(fine_tuned)
    assert f"of type {checkpoint.model_type} " in (fine_tuned / "README.md").read_text()


def test_hypotheses_are_as_likely_as_in_a_plain_pass_over_their_texts(fine_tuned: Path) -> None:
    checkpoint = open_checkpoint(fine_tuned)
    end, network = checkpoint.tokenizer.end_id, open_network(fine_tuned, "fp32", "cpu")
    prompts = checkpoint.tokenizer.encode_all(
        [prompt_text(own[:3]) for own in shop_histories()[:5]]
    )
    found = loop.search_beams(network, prompts, DECODING, end)
    for prompt, hypotheses in zip(prompts, found, strict=True):
        assert len(hypotheses) == DECODING.num_beams
        for one in hypotheses:
            ids = torch.tensor([[*prompt, *one.token_ids]])
            with torch.inference_mode():
                steps = network(ids).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
            total = steps.gather(1, torch.tensor(one.token_ids)[:, None]).sum().item()
            assert one.sum_logprob == pytest.approx(total, abs=1e-3)


@pytest.mark.parametrize("mode", ["free", "titles"])
@pytest.mark.parametrize("beam_search", ["shared", "reference"])
def test_an_overflow_in_half_precision_is_an_error_and_never_queries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: Any, beam_search: str
) -> None:
    folder = make_folder("llama", tmp_path / "llama")
    scale_weights(folder, "model.norm.weight", 6e4)
    # fp16 is refused on a CPU because it is slow, not because it cannot be computed.
    monkeypatch.setattr(networks, "torch_dtype", lambda dtype, _: getattr(torch, TYPES[dtype]))
    options = GeneratorOptions(device="cpu", threads=1, beam_search=beam_search)
    generator = open_generator("gpt2", folder, options)
    if mode == "titles":
        generator = generator.choosing(catalog_titles(TITLES))
    prompts = [prompt_text(TITLES[:2]), prompt_text(TITLES[3:8])]
    for dtype in ("fp32", "bf16"):
        decoding = replace(DECODING, dtype=dtype, mode=mode, length_penalty=0.0)
        assert all(generation.queries for generation in generator.generate(prompts, decoding))
    for weight in (0.0, 0.5):
        decoding = replace(decoding, dtype="fp16", prior_weight=weight)
        with pytest.raises(UsageError, match="in fp16 that are no finite numbers") as caught:
            generator.generate(prompts, decoding)
        assert str(folder) in caught.value.message
        assert "decoding.dtype of the recipe to bf16 or fp32" in caught.value.hint


def test_weights_that_half_precision_cannot_hold_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_folder("llama", tmp_path / "llama")
    scale_weights(folder, "model.norm.weight", 1e5)
    monkeypatch.setattr(networks, "torch_dtype", lambda dtype, _: getattr(torch, TYPES[dtype]))
    with pytest.raises(UsageError, match=r"too large for fp16: model\.norm\.weight"):
        open_network(folder, "fp16", "cpu")
    assert networks.non_finite_weight(open_network(folder, "bf16", "cpu")) is None


def scale_weights(folder: Path, name: str, factor: float) -> None:
    file = str(folder / "model.safetensors")
    weights = load_file(file)
    save_file({**weights, name: weights[name] * factor}, file, {"format": "pt"})


def test_another_end_token_is_that_of_the_configuration(tmp_path: Path) -> None:
    folder = make_folder("llama", tmp_path / "llama")
    vocabulary = folder / "tokenizer.json"
    vocabulary.write_text(vocabulary.read_text().replace(END, "<|end_of_text|>"))
    before = open_checkpoint(folder).tokenizer
    assert before.raw.id_to_token(before.end_id) == "<|end_of_text|>"
    assert before.decode_all([[*before.encode("a b"), before.end_id]]) == ["a b"]
    edit(folder / "config.json", eos_token_id=[before.end_id, 5])
    assert open_checkpoint(folder).tokenizer.end_id == before.end_id
    edit(folder / "config.json", eos_token_id=None)
    with pytest.raises(UsageError, match="names no other in eos_token_id"):
        open_checkpoint(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"auto_map": {"AutoModelForCausalLM": "own.Model"}}, "code of its own"),
        ({"is_encoder_decoder": True}, "reads by an encoder"),
        ({"quantization_config": {"bits": 4}}, "are quantized"),
        ({"model_type": "mistral", "sliding_window": 64}, "slides over the text"),
        ({"model_type": "qwen2", "use_sliding_window": True, "sliding_window": 9}, "slides"),
        ({"model_type": "mamba"}, "is no known decoder"),
        ({"max_position_embeddings": None}, "lacks max_position_embeddings"),
        ({"architectures": ["LlamaForSequenceClassification"]}, "no language model"),
    ],
)
def test_others_are_refused_with_the_reason(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    folder = make_folder("llama", tmp_path / "llama")
    edit(folder / "config.json", **changes)
    with pytest.raises(UsageError, match=message) as caught:
        open_generator("gpt2", folder)
    assert "gpt_neox" in (caught.value.hint or "")


def test_a_tokenizer_that_does_not_keep_titles_is_refused(tmp_path: Path) -> None:
    folder = make_folder("llama", tmp_path / "llama")
    # Words are split behind the space before them, so that a title's first space is apart.
    split = {"type": "Split", "pattern": {"String": "."}, "behavior": "Removed", "invert": False}
    plain = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    edit(
        folder / "tokenizer.json",
        pre_tokenizer={"type": "Sequence", "pretokenizers": [split, {**plain, "use_regex": False}]},
    )
    with pytest.raises(UsageError, match="does not keep titles"):
        open_checkpoint(folder)


def test_a_chat_template_changes_nothing(tmp_path: Path) -> None:
    folder = make_folder("llama", tmp_path / "llama")
    plain = open_checkpoint(folder)
    (folder / "chat_template.jinja").write_text("<|im_start|>{{ messages }}")
    chatty = open_checkpoint(folder)
    assert chatty.content_hash == plain.content_hash
    assert chatty.tokenizer.encode(TITLES[0]) == plain.tokenizer.encode(TITLES[0])


def test_a_reranker_reads_by_a_gpt2_alone(tmp_path: Path) -> None:
    folder = make_folder("llama", tmp_path / "llama")
    with pytest.raises(UsageError, match="is a llama; metadata are read by a GPT-2"):
        open_encoder(folder)


def test_the_licence_is_that_of_the_metadata(tmp_path: Path) -> None:
    assert read_licence(tmp_path) is None
    readme = tmp_path / "README.md"
    readme.write_text("license: none")
    assert read_licence(tmp_path) is None
    readme.write_text("---\nlanguage: en\nlicense: apache-2.0\n---\n# Model\nlicense: other\n")
    assert read_licence(tmp_path) == "apache-2.0"
