"""The text of a holdback, and the comparison of its arms."""

import pytest
from scipy import stats

from gpt4rec_es.metrics.arms import compare
from gpt4rec_es.options.holdback import Holdback, read_holdback, write_holdback


def test_texts_are_read_in_the_order_of_arms_and_written_again() -> None:
    found = read_holdback(" autumn-2026: none=0.05, popularity=0.1 ")
    assert found == Holdback("autumn-2026", (("popularity", 0.1), ("none", 0.05)))
    assert write_holdback(found) == "autumn-2026:popularity=0.1,none=0.05"
    assert read_holdback("") == Holdback()
    assert write_holdback(Holdback()) is None


@pytest.mark.parametrize(
    "text",
    [
        "popularity=0.1",
        "k:",
        "k:popularity",
        "k:popularity=much",
        "k:best=0.1",
        "k:popularity=0",
        "k:popularity=0.3,none=0.3",
        "two words:none=0.1",
        "k:none=nan",
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="autumn-2026:"):
        read_holdback(text)


def test_an_arm_is_compared_with_the_recipe() -> None:
    # Newcombe (1998), method 10: 56 of 70 against 48 of 80.
    found = compare(56, 70, 48, 80)
    assert found is not None
    assert found.difference == pytest.approx(0.2)
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=1e-4)
    assert found.is_clear
    power = stats.norm.ppf(0.8) + stats.norm.ppf(0.975)
    assert found.needed == pytest.approx(power**2 * 2 * 0.6 * 0.4 / 0.06**2, abs=1)
    few = compare(5, 10, 4, 10)
    assert few is not None
    assert not few.is_clear
    nobody = compare(5, 10, 0, 10)
    assert nobody is not None
    assert nobody.needed is None
    assert compare(0, 0, 1, 2) is None
