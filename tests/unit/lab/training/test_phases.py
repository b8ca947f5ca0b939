"""Training without a database: options, limits, and where a network starts from."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gpt4rec_es.encoders.folder import open_checkpoint
from gpt4rec_es.errors import UsageError
from gpt4rec_es.generation.factory import open_generator
from gpt4rec_es.generation.options import (
    Preset,
    Size,
    TrainingOptions,
    fitting_preset,
    training_options,
)
from gpt4rec_es.lab.training.divergence import DivergedError
from gpt4rec_es.lab.training.phases import _step_limits, train_network
from gpt4rec_es.lab.training.save import _fingerprint
from gpt4rec_es.options.night import GeneratorOptions
from gpt4rec_es.prompts.template import prompt_text
from gpt4rec_es.protocols import no_progress
from gpt4rec_es.records import PromptForm
from tests.trained import OPTIONS, shop_data

SHORT = replace(OPTIONS, epochs=1, pretrain_epochs=1, max_steps=3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": -1}, "Epochs are below 0"),
        ({"epochs": 0, "start": "gpt2"}, "nothing to train"),
        ({"batch_size": 0}, "batch size is 0"),
        ({"start": "gpt2", "tokenizer": Path()}, "keeps its tokenizer"),
    ],
)
def test_options_that_cannot_be(change: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TrainingOptions(**change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("start", "size", "preset"),
    [
        (None, "tiny", "small"),
        (None, "small", "small"),
        (None, "gpt2", "paper"),
        ("gpt2", "tiny", "paper"),
    ],
)
def test_the_preset_fits_the_network(start: str | None, size: Size, preset: Preset) -> None:
    assert fitting_preset(start, size) == preset


def test_options_given_override_those_of_the_preset() -> None:
    options = training_options("small", {"lr": 1e-5, "epochs": None, "weight_decay": 0.0})
    assert (options.lr, options.epochs, options.weight_decay) == (1e-5, 2.0, 0.0)
    paper = training_options("paper", {})
    assert paper == TrainingOptions()
    assert (paper.epochs, paper.lr, paper.batch_size) == (20.0, 1e-4, 32)
    assert training_options("demo", {}).newest_pairs == 2


def test_a_new_network_is_pretrained_unless_told_otherwise() -> None:
    assert TrainingOptions().new_epochs == 3
    assert TrainingOptions(pretrain_epochs=0).new_epochs == 0
    assert TrainingOptions(start="gpt2").new_epochs == 0


def test_the_papers_defaults() -> None:
    options = TrainingOptions(start="gpt2")
    assert (options.epochs, options.lr, options.warmup_steps) == (20, 1e-4, 2000)
    assert (options.pairs, options.new_epochs) == ("last", 0)


@pytest.mark.parametrize(
    ("steps", "most", "limits"),
    [
        ([30, 10], None, [30, 10]),
        ([30, 10], 50, [30, 10]),
        ([30, 10], 8, [6, 2]),
        ([30, 10], 9, [6, 3]),
        ([30, 10], 1, [0, 1]),
    ],
)
def test_a_limit_of_steps_is_shared(steps: list[int], most: int | None, limits: list[int]) -> None:
    assert _step_limits(steps, most) == limits


def test_a_phase_without_steps_is_left_out(tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []

    def progress(done: int, total: int | None) -> None:
        seen.append((done, total))

    report = train_network(shop_data(), replace(SHORT, max_steps=1), tmp_path / "a", progress)
    assert [row["steps"] for row in report.card["phases"].values()] == [0, 1]
    assert seen[-1] == (1, 1)


@pytest.mark.parametrize(
    ("lr", "limits"), [(1e30, {}), (1e9, {}), (10.0, {}), (1e30, {"max_steps": 1})]
)
def test_a_training_that_diverges_is_stopped_and_not_saved(
    tmp_path: Path, lr: float, limits: dict[str, int]
) -> None:
    options = replace(OPTIONS, lr=lr, warmup_steps=0, pretrain_epochs=0, epochs=3, snapshots=3)
    options = replace(options, **limits)
    with pytest.raises(DivergedError, match=r"at step [\d,]+ of phase pairs: "):
        train_network(shop_data(60), options, tmp_path / "a", no_progress)
    assert not (tmp_path / "a").exists()
    assert [path.name for path in tmp_path.iterdir()] in ([], ["a-snapshots"])
    for snapshot in tmp_path.glob("a-snapshots/*"):
        open_checkpoint(snapshot)


def test_the_limit_and_the_seed_decide_the_weights(tmp_path: Path) -> None:
    def weights(name: str, options: TrainingOptions) -> str:
        return train_network(shop_data(), options, tmp_path / name, no_progress).content_hash

    first = weights("a", SHORT)
    assert weights("b", SHORT) == first
    assert weights("c", replace(SHORT, seed=2)) != first
    assert weights("d", replace(SHORT, max_steps=4)) != first


def test_a_given_tokenizer_and_bf16(trained_folder: Path, tmp_path: Path) -> None:
    options = replace(SHORT, tokenizer=trained_folder, vocab_size=None, precision="bf16")
    report = train_network(shop_data(), options, tmp_path / "a", no_progress)
    given, taken = (open_checkpoint(path).tokenizer for path in (trained_folder, tmp_path / "a"))
    assert taken.raw.to_str() == given.raw.to_str()
    assert report.card["precision"] == "bf16"


def test_training_goes_on_from_a_checkpoint(trained_folder: Path, tmp_path: Path) -> None:
    options = replace(SHORT, start=str(trained_folder), pretrain_epochs=0, vocab_size=None, lr=1e-6)
    report = train_network(shop_data(), options, tmp_path / "a", no_progress)
    from_scratch = train_network(
        shop_data(), replace(SHORT, pretrain_epochs=0, lr=1e-6), tmp_path / "b", no_progress
    )
    assert report.card["validation_loss"] < 0.5 * from_scratch.card["validation_loss"]


def test_a_folder_that_exists_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(UsageError, match="exists already"):
        train_network(shop_data(), SHORT, tmp_path / "a", no_progress)
    assert list((tmp_path / "a").iterdir()) == []


def test_without_anyone_kept_back_no_loss_is_claimed(tmp_path: Path) -> None:
    data = shop_data()
    empty = replace(data, validation=replace(data.validation, offsets=data.validation.offsets[:1]))
    report = train_network(empty, SHORT, tmp_path / "a", no_progress)
    assert report.card["validation_loss"] is None
    assert report.card["nats_per_title"] is None
    assert "per target token none, nats" in (tmp_path / "a" / "README.md").read_text()


def test_a_broken_off_save_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Callable[[], None]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        train_network(shop_data(), SHORT, tmp_path / "a", no_progress)
    assert not (tmp_path / "a").exists()
    monkeypatch.undo()
    # The second call only has to save.
    report = train_network(shop_data(), SHORT, tmp_path / "a", no_progress)
    assert report.card["phases"]["pairs"]["steps"] > 0
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_snapshots_are_generators_and_change_nothing(tmp_path: Path) -> None:
    plain = train_network(shop_data(), SHORT, tmp_path / "a", no_progress)
    report = train_network(shop_data(), replace(SHORT, snapshots=2), tmp_path / "b", no_progress)
    assert report.content_hash == plain.content_hash
    snapshots = sorted((tmp_path / "b-snapshots").iterdir())
    assert snapshots, "no snapshot was kept"
    hashes = {open_checkpoint(folder).content_hash for folder in snapshots}
    assert len(hashes) == len(snapshots)
    assert report.content_hash not in hashes
    assert "| none |" in (snapshots[0] / "README.md").read_text()


def test_a_checkpoint_carries_the_form_of_its_prompts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def written(folder: Path, titles: int | None = None) -> str:
        generator = open_generator(
            "gpt2", folder, GeneratorOptions(device="cpu"), prompt_titles=titles
        )
        prompt = generator.write_prompt(["a", "b", "c", "d"])
        assert prompt is not None
        return prompt.text

    usual = train_network(shop_data(), SHORT, tmp_path / "usual", no_progress)
    options = replace(SHORT, prompt_titles=2, newest_first=True)
    other = train_network(shop_data(), options, tmp_path / "other", no_progress)
    assert usual.card["prompt"] == {"titles": 15, "newest_first": False}
    assert other.card["prompt"] == {"titles": 2, "newest_first": True}
    assert written(usual.folder) == prompt_text(["a", "b", "c", "d"])
    assert written(other.folder) == prompt_text(["d", "c"])
    assert not caplog.records
    assert written(other.folder, 3) == prompt_text(["d", "c", "b"])
    assert "up to 3 titles, but other was trained with up to 2" in caplog.text

    start = replace(SHORT, start=str(other.folder), pretrain_epochs=None)
    more = train_network(shop_data(), start, tmp_path / "more", no_progress)
    assert written(more.folder) == prompt_text(["d", "c"])
    back = replace(start, prompt_titles=15, newest_first=False)
    again = train_network(shop_data(), back, tmp_path / "again", no_progress)
    assert open_checkpoint(again.folder).prompt_form == PromptForm()
    assert "gpt4rec_prompt" not in (again.folder / "config.json").read_text()


def test_new_options_leave_unfinished_trainings_theirs() -> None:
    options = SHORT.as_dict()
    newer = {"prompt_titles", "newest_first", "history", "lora", "prune_vocab"}
    assert {options[name] for name in newer} == {None, "words", False}
    data = shop_data(20)
    assert _fingerprint(data, replace(SHORT, prompt_titles=15)) != _fingerprint(data, SHORT)
    fixed = {
        name: value
        for name, value in replace(SHORT, threads=0).as_dict().items()
        if name not in newer
    }
    digest = hashlib.sha256(json.dumps(fixed, sort_keys=True).encode())
    for titles in (data.catalog_titles, data.histories.titles):
        digest.update("\n".join(titles).encode())
    for array in (data.histories.flat, data.histories.offsets):
        digest.update(array.tobytes())
    assert _fingerprint(data, SHORT) == digest.hexdigest()
