"""The loss and its derivatives are those of a column per coefficient; its minimum is scipy's."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize

from gpt4rec_es.lab.tuning.lists.candidates import CandidateSet, joined
from gpt4rec_es.lab.tuning.lists.fit import COEFFICIENTS, fit_parts
from gpt4rec_es.lab.tuning.lists.softmax_loss import FitUsers, SoftmaxLoss
from gpt4rec_es.options.features import CONTEXTS, FEATURES

NAMES = ("co_recent", "title_recent", "query_best", "popularity*history", "co_recent*buyers")
Part = tuple[CandidateSet, NDArray[np.bool_]]


def drawn(users: int, seed: int) -> Part:
    """Return candidates of ``users`` with one to three targets each, users of different sizes."""
    chance = np.random.default_rng(seed)
    counts = chance.integers(3, 12, users)
    starts = np.concatenate(([0], np.cumsum(counts)))
    features = chance.uniform(0, 3, (int(starts[-1]), len(FEATURES))).astype(np.float32)
    candidates = CandidateSet(
        np.concatenate([np.arange(count) for count in counts]),
        features,
        chance.uniform(0, 2, (users, len(CONTEXTS))),
        starts,
    )
    targets = [set(chance.integers(0, count, 3).tolist()) for count in counts]
    return candidates, candidates.is_target(targets)


def columns(candidates: CandidateSet, names: tuple[str, ...]) -> NDArray[np.float64]:
    return np.stack([candidates.scores(((name, 1.0),)) for name in names], axis=1)


def plain_loss(part: Part, coefficients: NDArray[np.float64], names: tuple[str, ...]) -> float:
    """Return the mean loss, user by user."""
    candidates, is_target = part
    scores = columns(candidates, names) @ coefficients
    losses = []
    for first, last in zip(candidates.starts[:-1], candidates.starts[1:], strict=True):
        own, hit = scores[first:last], is_target[first:last]
        losses.append(np.log(np.exp(own).sum()) - own[hit].mean())
    return float(np.mean(losses))


def test_it_is_the_loss_of_a_column_per_coefficient() -> None:
    first, second = drawn(300, 1), drawn(20, 2)
    loss = SoftmaxLoss([FitUsers(*first), FitUsers(*second)], NAMES, np.full(320, 1 / 320))
    both = joined([first[0], second[0]]), np.concatenate([first[1], second[1]])
    assert loss.is_used.all()
    assert loss.deviations == pytest.approx(columns(both[0], NAMES).std(axis=0))
    here = np.array([0.5, -1.0, 0.3, 0.2, -0.1])
    value, gradient, hessian = loss.at(here)
    assert value == pytest.approx(plain_loss(both, here / loss.deviations, NAMES))
    for place in range(len(here)):
        step = np.zeros(len(here))
        step[place] = 1e-5
        (above, steeper, _), (below, flatter, _) = loss.at(here + step), loss.at(here - step)
        assert gradient[place] == pytest.approx((above - below) / 2e-5, abs=1e-7)
        assert hessian[place] == pytest.approx((steeper - flatter) / 2e-5, abs=1e-7)


@pytest.mark.parametrize("start", [None, {"co_recent": 5.0, "query_best": 3.0}])
def test_its_minimum_is_that_of_another_optimiser(start: dict[str, float] | None) -> None:
    part = FitUsers(*drawn(400, 3))
    names, l2 = COEFFICIENTS, 1e-3
    loss = SoftmaxLoss([part], names, np.full(400, 1 / 400))
    is_bounded = [name.startswith("query_") for name in names]

    def penalised(here: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, gradient, _ = loss.at(here)
        return value + l2 * float(here @ here), gradient + 2 * l2 * here

    expected = minimize(
        penalised,
        np.zeros(len(names)),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0 if bounded else None, None) for bounded in is_bounded],
        options={"ftol": 1e-15, "gtol": 1e-8, "maxiter": 5000, "maxfun": 10_000},
    )
    fitted = dict(fit_parts([part], l2=l2, start=start))
    found = np.array([fitted.get(name, 0.0) for name in names])
    assert found == pytest.approx(expected.x / loss.deviations, abs=2e-4)
    assert min(found[is_bounded]) == 0.0  # some query would count against an item
