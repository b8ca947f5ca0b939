"""What may happen to the checkpoint that a training starts from: adapters, a pruned vocabulary."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from gpt4rec_es.encoders.adapters import ALL_LINEAR, LoraOptions, merged, with_adapters
from gpt4rec_es.encoders.folder import open_checkpoint
from gpt4rec_es.encoders.network import open_to_train
from gpt4rec_es.encoders.tokenizer import train_tokenizer
from gpt4rec_es.errors import UsageError
from gpt4rec_es.generation.options import TrainingOptions
from gpt4rec_es.lab.training.dataset import TrainingData, collect_histories
from gpt4rec_es.lab.training.phases import train_network
from gpt4rec_es.lab.training.prune_vocabulary import prune_network, prune_tokenizer
from gpt4rec_es.prompts.template import prompt_text
from gpt4rec_es.protocols import no_progress
from tests.encoders import save_tiny_gpt2
from tests.trained import OPTIONS, TITLES, shop_data
from tests.unit.generation.test_decoders import KINDS, make_folder

SHORT = replace(
    OPTIONS, pretrain_epochs=0, epochs=4, batch_size=4, vocab_size=None, reserve=16, lr=1e-2
)
SOME = [title for title in TITLES if "garden" in title]
# Words that merges of the others lead to, other scripts, and all that no title has.
OTHERS = ["gardening teaspoons", "日本の傘 3", "🕯️ q̃", "vintage CLOCK", "x\ty  z", "café"]


@pytest.fixture(scope="module", params=[*KINDS, "gpt2"])
def start(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a decoder with random weights and a tokenizer of these titles."""
    folder = tmp_path_factory.mktemp("models") / "start"
    if request.param == "gpt2":
        save_tiny_gpt2(folder, context=256)
        return folder
    return make_folder(request.param, folder)


def logits(network: Any, ids: list[int]) -> Any:
    with torch.inference_mode():
        return network(torch.tensor([ids])).logits[0]


def test_logits_are_equal_before_and_after_the_merge(start: Path) -> None:
    network = open_to_train(start).eval()
    plain = copy.deepcopy(network)
    ids = open_checkpoint(start).tokenizer.encode("garden tea pot, vintage clock")
    wrapper = with_adapters(network, LoraOptions(4, targets=ALL_LINEAR)).eval()
    torch.testing.assert_close(logits(wrapper, ids), logits(plain, ids))
    for name, weights in wrapper.named_parameters():
        assert weights.requires_grad == ("lora_" in name)
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.1)
    apart = logits(wrapper, ids)
    assert not torch.allclose(apart, logits(plain, ids), atol=0.05)
    whole = merged(wrapper)
    assert type(whole) is type(plain)
    assert whole.state_dict().keys() == plain.state_dict().keys()
    torch.testing.assert_close(logits(whole, ids), apart)
    assert merged(whole) is whole


@pytest.mark.parametrize("start", ["llama", "gpt2"], indirect=True)
def test_adapters_learn_and_are_merged_also_after_an_interruption(
    start: Path, tmp_path: Path
) -> None:
    options = replace(SHORT, start=str(start), lora=4, snapshots=1)
    data = shop_data(20)
    whole = train_network(data, options, tmp_path / "whole", no_progress)
    assert_resumed(data, options, whole.content_hash, tmp_path)
    before, after = (open_to_train(path).state_dict() for path in (start, whole.folder))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    embeddings = {name for name in before if before[name].shape[0] == before_rows(start)}
    assert changed
    assert not changed & embeddings
    # A snapshot is merged, too, and the training went on from what was not.
    (snapshot,) = (tmp_path / "whole-snapshots").iterdir()
    assert open_to_train(snapshot).state_dict().keys() == before.keys()
    assert whole.card["parameters"] == sum(w.numel() for w in open_to_train(start).parameters())


def assert_resumed(
    data: TrainingData, options: TrainingOptions, content_hash: str, base: Path
) -> None:
    """Interrupt a training, and see that it goes on from its checkpoint to an equal folder."""

    def interrupt(done: int, total: int | None) -> None:
        assert total is not None
        assert total > 26
        if done == 26:  # a checkpoint is of step 25
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_network(data, options, base / "other", interrupt)
    (checkpoint,) = (base / ".other.training" / "pairs").glob("checkpoint-*")
    assert not (checkpoint / "model.safetensors").exists()  # the adapters alone
    resumed: list[int] = []
    again = train_network(data, options, base / "other", lambda done, _: resumed.append(done))
    assert resumed[0] == int(checkpoint.name.removeprefix("checkpoint-")) + 1
    assert again.content_hash == content_hash


@pytest.mark.parametrize("start", ["llama", "qwen3", "gpt2"], indirect=True)
def test_adapters_of_a_pruned_network_resume_after_an_interruption(
    start: Path, tmp_path: Path
) -> None:
    options = replace(SHORT, start=str(start), lora=4, prune_vocab=True)
    histories = collect_histories([SOME] * 8)
    data = TrainingData(SOME, histories, histories, {})
    whole = train_network(data, options, tmp_path / "whole", no_progress)
    assert_resumed(data, options, whole.content_hash, tmp_path)
    _, kept = prune_tokenizer(open_checkpoint(start).tokenizer, SOME)
    before, after = (open_to_train(path) for path in (start, whole.folder))
    assert len(kept) < before_rows(start)
    embeddings = [network.get_input_embeddings().weight for network in (before, after)]
    torch.testing.assert_close(embeddings[1], embeddings[0][kept], rtol=0, atol=0)
    name = "transformer.h.0" if before.config.model_type == "gpt2" else "model.layers.0"
    weights = [dict(network.named_parameters()) for network in (before, after)]
    assert any(
        not torch.equal(weights[0][one], weights[1][one])
        for one in weights[0]
        if one.startswith(name)
    )


def before_rows(folder: Path) -> int:
    return int(open_to_train(folder).get_input_embeddings().weight.shape[0])


def test_a_pruned_network_has_the_same_logits_for_kept_tokens(start: Path) -> None:
    tokenizer = open_checkpoint(start).tokenizer
    pruned, kept = prune_tokenizer(tokenizer, SOME)
    assert len(kept) == pruned.size < tokenizer.size
    full, small = open_to_train(start).eval(), open_to_train(start).eval()
    prune_network(small, kept)
    assert small.config.vocab_size == len(kept)
    ties = [
        n.get_input_embeddings().weight is n.get_output_embeddings().weight for n in (full, small)
    ]
    assert ties[0] == ties[1]
    for title in SOME:
        text = prompt_text([title])
        new = pruned.encode(text)
        assert [kept[token] for token in new] == tokenizer.encode(text)
        torch.testing.assert_close(
            logits(small, new), logits(full, tokenizer.encode(text))[:, kept], rtol=0, atol=1e-6
        )


@pytest.mark.parametrize("ignore_merges", [False, True])
def test_a_pruned_tokenizer_splits_titles_as_before_and_writes_every_other(
    ignore_merges: bool,
) -> None:
    tokenizer = train_tokenizer([*TITLES, *OTHERS * 3], 500)
    tokenizer.raw.model.ignore_merges = ignore_merges
    pruned, kept = prune_tokenizer(tokenizer, SOME)
    assert pruned.raw.id_to_token(pruned.end_id) == tokenizer.raw.id_to_token(tokenizer.end_id)
    for text in [prompt_text(()), prompt_text(SOME), *SOME, *(f" {title}" for title in SOME)]:
        assert [kept[token] for token in pruned.encode(text)] == tokenizer.encode(text)
    for text in [*OTHERS, *TITLES, "<|endoftext|>", "".join(map(chr, range(1, 700)))]:
        assert pruned.decode_all([pruned.encode(text)]) == [text]
        assert pruned.end_id not in pruned.encode(text)
    again, all_kept = prune_tokenizer(pruned, SOME)
    assert all_kept == list(range(pruned.size))
    assert again.raw.to_str() == pruned.raw.to_str()


def test_a_pruned_checkpoint_is_trained_and_opened(start: Path, tmp_path: Path) -> None:
    options = replace(SHORT, start=str(start), prune_vocab=True, max_steps=3)
    histories = collect_histories([SOME] * 20)
    data = TrainingData(SOME, histories, histories, {})
    found = train_network(data, options, tmp_path / "pruned", no_progress)
    checkpoint = open_checkpoint(found.folder)
    assert checkpoint.vocabulary == checkpoint.tokenizer.size < open_checkpoint(start).vocabulary
    for title in OTHERS:
        assert checkpoint.tokenizer.decode_all([checkpoint.tokenizer.encode(title)]) == [title]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lora": 4}, "A new network has no weights"),
        ({"prune_vocab": True}, "A new network has no weights"),
        ({"start": "gpt2", "lora": 4, "history": "vectors"}, "learns with all its weights"),
    ],
)
def test_options_that_need_a_start(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TrainingOptions(**change)
