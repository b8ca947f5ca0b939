"""Comparison of two sets of lists for the same users, with significance tests."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from gpt4rec_es.errors import UsageError
from gpt4rec_es.metrics.accuracy import accuracy
from gpt4rec_es.metrics.lists import Lists
from gpt4rec_es.metrics.significance import bootstrap_interval, holm, permutation_test

_SEED = 1


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference of a metric between ``a`` and ``b`` at ``k``, over the same users.

    gain: mean of b - a, with its paired 95 % interval low to high. p_value: two-sided permutation
    test; adjusted: Holm's correction for all comparisons.
    """

    k: int
    metric: str
    a: float
    b: float
    gain: float
    low: float
    high: float
    p_value: float
    adjusted: float = 1.0


def differences(
    a: Mapping[int, Lists], b: Mapping[int, Lists], targets: Sequence[Collection[int]]
) -> list[Difference]:
    """Return the differences of every accuracy metric at every common length.

    The lists are by length; the rows of both are the users of ``targets``.

    Raises:
        UsageError: they have no length in common, or there are no users.
    """
    common = sorted(a.keys() & b.keys())
    if not common:
        raise UsageError(
            f"One has lists of {_lengths(a)}, the other of {_lengths(b)} items.",
            "Evaluate both with the same --k.",
        )
    found, tests = [], []
    for k in common:
        values_a, values_b = accuracy(a[k], targets), accuracy(b[k], targets)
        for metric, of_a in values_a.items():
            moved = values_b[metric] - of_a
            tests.append(moved.tobytes())
            gain = bootstrap_interval(moved, seed=_SEED)
            found.append(
                Difference(
                    k,
                    metric,
                    float(of_a.mean()),
                    float(values_b[metric].mean()),
                    gain.mean,
                    gain.low,
                    gain.high,
                    permutation_test(moved, seed=_SEED),
                )
            )
    # With one target per user, recall equals the hit rate: count it as one test.
    p_values = {test: one.p_value for test, one in zip(tests, found, strict=True)}
    adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    return [replace(one, adjusted=adjusted[test]) for test, one in zip(tests, found, strict=True)]


def _lengths(lists: Mapping[int, Lists]) -> str:
    return ", ".join(map(str, sorted(lists)))
