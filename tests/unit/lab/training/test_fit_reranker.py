import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from gpt4rec_es.encoders.text_encoder import open_encoder
from gpt4rec_es.errors import DataError, UsageError
from gpt4rec_es.lab.training.fit_reranker import (
    Epoch,
    fit,
    measure_ndcg,
    new_recommender,
)
from gpt4rec_es.lab.training.next_items import NextItems
from gpt4rec_es.lab.training.numbered_split import ValidationUsers
from gpt4rec_es.lab.training.reranker_options import STAGES, RerankerOptions, Stage
from gpt4rec_es.protocols import no_progress
from gpt4rec_es.reranking.learning import LearningTowers
from gpt4rec_es.reranking.metadata import RecommenderData
from gpt4rec_es.reranking.recommenders import GPT2Recommender
from gpt4rec_es.reranking.tower_options import TowerOptions
from tests.encoders import save_tiny_gpt2
from tests.unit.reranking.shop import shop_data

QUICK: dict[str, Any] = {
    "dim": 16,
    "epochs": 3,
    "lr": 5e-3,
    "batch_size": 64,
    "samples": 20,
    "history_length": 5,
    "device": "cpu",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_gpt2(tmp_path_factory.mktemp("fit") / "tiny")


@pytest.fixture(scope="module")
def whole() -> RecommenderData:
    return shop_data(80)


@pytest.fixture(scope="module")
def data(whole: RecommenderData) -> RecommenderData:
    return RecommenderData(whole.items, [history[:-1] for history in whole.histories])


@pytest.fixture(scope="module")
def validation(whole: RecommenderData, data: RecommenderData) -> ValidationUsers:
    users = range(len(data.histories))
    return ValidationUsers(list(users), data.histories, [h[-1:] for h in whole.histories])


def train(
    folder: Path, data: RecommenderData, validation: ValidationUsers, work: Path, **changes: Any
) -> tuple[Any, list[Epoch]]:
    options = RerankerOptions(**{**QUICK, **changes})
    torch.manual_seed(options.seed)
    model = new_recommender(data, open_encoder(folder), options)
    work.mkdir(exist_ok=True)
    progress = changes.pop("progress", no_progress)
    return model, fit(model, data, validation, options, work, progress)


@pytest.mark.parametrize("preset", list(STAGES))
def test_presets(
    folder: Path,
    data: RecommenderData,
    validation: ValidationUsers,
    tmp_path: Path,
    preset: Any,
) -> None:
    model, epochs = train(
        folder, data, validation, tmp_path / "w", preset=preset, epochs=8, patience=8
    )
    phases = [epoch.phase for epoch in epochs]
    assert phases == [stage.phase for stage in STAGES[preset] for _ in range(8)]
    assert isinstance(model, GPT2Recommender) == (preset == "fast")
    assert bool(model.table.encoder.adapters) == (preset in {"hybrid", "end-to-end"})
    assert min(epoch.ranking_loss for epoch in epochs[-3:]) < epochs[0].ranking_loss
    # The weights are those of the best epoch of the last stage.
    last = [epoch.ndcg for epoch in epochs if epoch.stage == epochs[-1].stage]
    assert measure_ndcg(model, validation) == pytest.approx(max(last))
    assert not model.training


def test_patience_ends_a_stage(
    folder: Path, data: RecommenderData, validation: ValidationUsers, tmp_path: Path
) -> None:
    _, epochs = train(
        folder, data, validation, tmp_path / "w", preset="fast", epochs=30, lr=1e-9, patience=2
    )
    assert len(epochs) == 3  # nothing gets better than after the first one


@pytest.mark.parametrize("preset", ["no-finetune", "hybrid"])
@pytest.mark.parametrize("killed_after", [2, 4])
def test_a_killed_training_goes_on_with_equal_results(
    folder: Path,
    data: RecommenderData,
    validation: ValidationUsers,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    preset: Any,
    killed_after: int,
) -> None:
    changes = {"preset": preset, "epochs": 5 if preset == "no-finetune" else 3}
    expected, epochs = train(folder, data, validation, tmp_path / "whole", **changes)

    class Killed(Exception):  # noqa: N818 - no error
        pass

    def kill(done: int, total: int | None) -> None:
        if done == killed_after:
            raise Killed

    options = RerankerOptions(**{**QUICK, **changes})
    torch.manual_seed(options.seed)
    model = new_recommender(data, open_encoder(folder), options)
    (tmp_path / "killed").mkdir()
    with pytest.raises(Killed):
        fit(model, data, validation, options, tmp_path / "killed", kill)
    again, all_epochs = train(folder, data, validation, tmp_path / "killed", **changes)
    assert [replace(one, seconds=0) for one in all_epochs] == [
        replace(one, seconds=0) for one in epochs
    ]
    for (name, weights), (_, other) in zip(
        expected.named_parameters(), again.named_parameters(), strict=True
    ):
        torch.testing.assert_close(weights, other, msg=name)


def test_killed_after_the_last_epoch_of_patience(
    folder: Path, data: RecommenderData, validation: ValidationUsers, tmp_path: Path
) -> None:
    changes: dict[str, Any] = {"preset": "fast", "epochs": 30, "lr": 1e-9, "patience": 2}
    train(folder, data, validation, tmp_path / "w", **changes)
    _, epochs = train(folder, data, validation, tmp_path / "w", **changes)
    assert len(epochs) == 3


def test_reading_the_texts_before_a_stage_counts_as_its_first_epoch(
    folder: Path,
    data: RecommenderData,
    validation: ValidationUsers,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    enter = LearningTowers.set_phase

    def slowly(*args: Any) -> None:
        time.sleep(5)
        enter(*args)

    monkeypatch.setattr(LearningTowers, "set_phase", slowly)
    now = [0.0]
    monkeypatch.setattr(time, "sleep", lambda seconds: now.append(now.pop() + seconds))
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    _, epochs = train(folder, data, validation, tmp_path / "w", preset="hybrid", epochs=2)
    assert [epoch.seconds for epoch in epochs] == [5.0, 0.0] * 2


def test_gradients_are_clipped(
    folder: Path,
    data: RecommenderData,
    validation: ValidationUsers,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    norms = []
    clip = torch.nn.utils.clip_grad_norm_

    def spy(weights: Any, most: float) -> Any:
        found = clip(weights, most)
        norms.append(torch.cat([w.grad.flatten() for w in weights if w.grad is not None]).norm())
        return found

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", spy)
    train(folder, data, validation, tmp_path / "w", max_norm=0.01, epochs=1)
    assert norms
    assert max(norms) <= 0.0101


def test_a_training_that_diverges_is_refused(
    folder: Path, data: RecommenderData, validation: ValidationUsers, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="diverged in epoch"):
        train(folder, data, validation, tmp_path / "w", preset="fast", lr=1e30)


def test_a_last_step_that_diverges_is_refused(
    folder: Path,
    data: RecommenderData,
    validation: ValidationUsers,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The loss of a step is that of the weights before it."""

    def spoil(optimizer: Any) -> None:
        for weights in optimizer.param_groups[0]["params"]:
            weights.data.fill_(torch.nan)

    monkeypatch.setattr(torch.optim.AdamW, "step", spoil)
    with pytest.raises(UsageError, match="diverged in epoch 1"):
        train(folder, data, validation, tmp_path / "w", epochs=1, batch_size=100_000)


def test_options_are_checked() -> None:
    assert RerankerOptions("hybrid", epochs=2, lr=0.5).stages == (
        Stage("cached", 2, 0.5),
        Stage("dynamic", 2, 0.5),
    )
    with pytest.raises(UsageError, match="no preset"):
        RerankerOptions("slow")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="samples is 0"):
        RerankerOptions(samples=0)
    with pytest.raises(UsageError, match="epochs is 0"):
        RerankerOptions(epochs=0)


def test_without_purchases_there_is_nothing_to_learn(data: RecommenderData) -> None:
    empty = RecommenderData(data.items, [[], [3]])
    with pytest.raises(DataError, match="no purchase"):
        NextItems(empty, TowerOptions("history"), batch_size=4)
    assert len(NextItems(empty, TowerOptions("both"), batch_size=4)) == 1


def test_the_measure_lists_what_evaluations_list(
    folder: Path, data: RecommenderData, tmp_path: Path
) -> None:
    users = ValidationUsers([-1], [[0]], [[1]])
    model, _ = train(folder, data, users, tmp_path / "w", epochs=1)
    others = [item for item in range(len(data.items)) if item not in {0, 1}]
    assert measure_ndcg(model, replace(users, left_out=others)) == 1
    assert measure_ndcg(model, replace(users, left_out=[1])) == 0
