from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gpt4rec_es.lab.baselines.baseline_options import options_of
from gpt4rec_es.lab.baselines.bpr_mf import BprMf
from gpt4rec_es.lab.baselines.fit_baseline import _Learner, fit_baseline
from gpt4rec_es.lab.baselines.network import BaselineData
from gpt4rec_es.lab.training.numbered_split import ValidationUsers
from gpt4rec_es.protocols import no_progress

DATA = BaselineData([[0, 1], [1, 2, 3]], 4)


def train(work: Path, epochs: int) -> int:
    options = options_of("bpr_mf", dim=4, epochs=epochs)
    torch.manual_seed(0)
    network = BprMf(DATA, options)
    given: tuple[Any, ...] = (DATA, ValidationUsers([], [], []), options, work, no_progress)
    return len(fit_baseline(network, *given))


def test_a_training_on_a_gpu_goes_on_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as on_a_gpu:
        on_a_gpu.setattr("torch.serialization.location_tag", lambda _: "cuda:0")
        train(tmp_path, 2)
    assert train(tmp_path, 3) == 3


def test_the_measure_lists_what_evaluations_list() -> None:
    network = BprMf(DATA, options_of("bpr_mf", dim=4))
    with torch.no_grad():
        network.bias.copy_(torch.tensor([0.0, 0.0, 5.0, 50.0]))

    def measured(*left_out: int) -> float | None:
        users = ValidationUsers([0], [[0, 1]], [[2]], left_out)
        return _Learner(network, DATA, users, network.options).measure()

    assert measured() == pytest.approx(1 / np.log2(3))  # behind item 3
    assert measured(3) == 1
