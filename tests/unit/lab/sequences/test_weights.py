"""The mean of weights over about an epoch."""

import pytest
import torch

from gpt4rec_es.lab.sequences.weights import MeanWeights


def run_epochs(values: list[list[float]], means: MeanWeights, weight: torch.Tensor) -> list[float]:
    """Return the mean after each epoch; each value is the weight after a step."""
    found = []
    for epoch in values:
        for value in epoch:
            weight.fill_(value)
            means.step()
        means.end_epoch()
        with means.in_use():
            found.append(float(weight))
        assert float(weight) == epoch[-1]
    return found


def test_noise_of_steps_goes_and_a_trend_stays() -> None:
    weight = torch.zeros(1)
    noise = torch.randn(20, 1000, generator=torch.Generator().manual_seed(1))
    values = (noise + torch.arange(20)[:, None]).tolist()
    found = run_epochs(values, MeanWeights([weight]), weight)
    # Steps differ by 1 about the trend; the mean lags about an epoch behind it.
    late = torch.tensor(found[10:]) - torch.arange(10, 20)
    assert late.std() < 0.2
    assert float(late.mean()) == pytest.approx(-0.6, abs=0.25)


def test_after_one_update_an_epoch_the_mean_is_the_weights() -> None:
    weight = torch.zeros(1)
    found = run_epochs([[1.0, 2.0], [5.0, 3.0], [7.0, 8.0]], MeanWeights([weight]), weight)
    assert found[1:] == [3.0, 8.0]


def test_a_resumed_mean_goes_on_as_if_nothing_had_happened() -> None:
    weight, other = torch.zeros(1), torch.zeros(1)
    values = torch.randn(4, 35, generator=torch.Generator().manual_seed(2)).tolist()
    whole = run_epochs(values, MeanWeights([weight]), weight)
    weight.zero_()
    first = MeanWeights([weight])
    begun = run_epochs(values[:2], first, weight)
    second = MeanWeights([other])
    second.resume(first.state())
    assert begun + run_epochs(values[2:], second, other) == whole


def test_weights_come_back_after_an_error() -> None:
    weight = torch.ones(1)
    means = MeanWeights([weight])
    weight.fill_(4.0)

    def fail() -> None:
        with means.in_use():
            assert float(weight) == 1.0
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert float(weight) == 4.0
