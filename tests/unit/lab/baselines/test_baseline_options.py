"""Options of trained baselines: their ranges, and how they are written."""

from typing import Any

import pytest

from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.baselines.baseline_options import exact, options_of
from gpt4rec_es.lab.baselines.grid import described


@pytest.mark.parametrize(
    ("method", "name", "value"),
    [
        ("bert4rec", "masked", float("nan")),
        ("bert4rec", "masked", 1.5),
        ("sasrec", "dropout", float("nan")),
        ("sasrec", "dropout", 1.0),
        ("bpr_mf", "l2", float("inf")),
        ("content_rec", "margin", float("nan")),
        ("bpr_mf", "lr", float("inf")),
        ("bpr_mf", "lr", 0.0),
        ("bpr_mf", "dim", 0),
        ("bpr_mf", "dim", 10**13),
        ("bpr_mf", "samples", 10**12),
        ("sasrec", "length", 10**12),
        ("bpr_mf", "seed", -1),
        ("bpr_mf", "seed", 10**23),
    ],
)
def test_a_value_that_no_training_can_use_is_refused_by_its_name(
    method: str, name: str, value: Any
) -> None:
    with pytest.raises(UsageError, match=f"^{name} is "):
        options_of(method, **{name: value})


def test_values_that_look_alike_are_told_apart() -> None:
    assert described({"lr": 0.001, "dim": 64}) == "lr 0.001, dim 64"
    assert described({"lr": 0.0010000001}) != described({"lr": 0.001})
    assert [exact(value) for value in (5.0, 2**20, 1e-5, 0.1)] == ["5", "1048576", "1e-05", "0.1"]
