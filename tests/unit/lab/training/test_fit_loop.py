"""The loop of trainings: the mean of the weights is measured and kept, also after a kill."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch

from gpt4rec_es.lab.training.fit_loop import LoopOptions, StepLosses, run_loop
from gpt4rec_es.protocols import no_progress

STEPS = 205
PLAIN = LoopOptions([("training", 4)], patience=4, max_norm=100.0)
AVERAGED = LoopOptions([("training", 4)], patience=4, max_norm=100.0, is_averaged=True)


class Noisy:
    """Learns the mean of random numbers, so that the weight after a step is the last of them."""

    def __init__(self) -> None:
        self.network = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.constant_(self.network.weight, 1000.0)
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=0.5)
        self.measured: list[float] = []

    def enter(self, stage: int) -> None: ...

    def batches(self, seed: int) -> Iterable[Any]:
        return torch.randn(STEPS, 1, generator=torch.Generator().manual_seed(seed))

    def losses(self, batch: Any) -> StepLosses:
        loss = ((self.network.weight - batch) ** 2).sum()
        return StepLosses(loss, {"loss": float(loss.detach())}, 1)

    def measure(self) -> float:
        self.measured.append(float(self.network.weight.detach()))
        return float(len(self.measured))

    def weights(self) -> dict[str, Any]:
        return {"weight": self.network.weight.detach().clone()}

    def set_weights(self, weights: dict[str, Any]) -> None:
        with torch.no_grad():
            self.network.weight.copy_(weights["weight"])


def state(folder: Path) -> Any:
    return torch.load(folder / "state.pt", weights_only=True)


def test_the_mean_is_measured_and_kept_and_training_goes_on_from_the_weights(
    tmp_path: Path,
) -> None:
    learner = Noisy()
    run_loop(learner, AVERAGED, tmp_path, no_progress)
    kept = float(learner.network.weight.detach())
    assert kept == learner.measured[-1] == float(state(tmp_path)["best"]["weight"])
    last = float(list(learner.batches(3))[-1])
    assert float(state(tmp_path)["weights"]["weight"]) == pytest.approx(last, abs=1e-4)
    assert abs(kept) < 0.5 < abs(kept - last)  # of 205 random numbers, and not of where it began
    other = Noisy()
    (tmp_path / "plain").mkdir()
    run_loop(other, PLAIN, tmp_path / "plain", no_progress)
    assert float(other.network.weight.detach()) == pytest.approx(last, abs=1e-4)


@pytest.mark.parametrize("killed_after", [1, 2, 3])
def test_a_killed_training_ends_in_the_same_mean(tmp_path: Path, killed_after: int) -> None:
    whole = Noisy()
    (tmp_path / "whole").mkdir()
    run_loop(whole, AVERAGED, tmp_path / "whole", no_progress)

    def kill(done: int, total: int | None) -> None:
        if done == killed_after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_loop(Noisy(), AVERAGED, tmp_path, kill)
    learner = Noisy()
    run_loop(learner, AVERAGED, tmp_path, no_progress)
    assert learner.measured == whole.measured[killed_after:]


def test_a_state_without_means_goes_on_from_its_weights(tmp_path: Path) -> None:
    def kill(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_loop(Noisy(), PLAIN, tmp_path, kill)
    learner = Noisy()
    run_loop(learner, AVERAGED, tmp_path, no_progress)
    assert len(learner.measured) == 3
    assert all(abs(value) < 1 for value in learner.measured)  # nothing of where it began
