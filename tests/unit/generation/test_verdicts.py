"""Kernels are chosen once per machine, so that scores are equal in all of its processes."""

from pathlib import Path

import pytest
import torch

from benchmarks.comparison import Comparison
from gpt4rec_es.generation.beam import Hypothesis
from gpt4rec_es.generation.beam_search.verdicts import Verdicts, verdict_file

WEIGHT = torch.zeros(3, 4)


def test_the_first_measurement_is_that_of_all_processes(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "kernels.json"
    first, second = Verdicts(path), Verdicts(path)
    assert first.wins(WEIGHT, lambda _: True) is True
    assert second.wins(WEIGHT, lambda _: False) is True
    assert Verdicts(path).wins(WEIGHT, lambda _: False) is True
    assert second.wins(torch.zeros(4, 3), lambda _: False) is False
    assert first.wins(torch.zeros(4, 3), lambda _: True) is False
    assert [one.name for one in sorted(path.parent.iterdir())] == ["kernels.json", "kernels.lock"]


def test_where_it_cannot_be_kept_nothing_is_measured(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (None, tmp_path / "file" / "kernels.json"):
        assert Verdicts(path).wins(WEIGHT, lambda _: True) is False


@pytest.mark.parametrize("content", ["", "[]", "{", "null"])
def test_a_damaged_file_is_measured_again(tmp_path: Path, content: str) -> None:
    path = tmp_path / "kernels.json"
    path.write_text(content)
    assert Verdicts(path).wins(WEIGHT, lambda _: True) is True


def test_the_file_is_of_this_machine() -> None:
    assert verdict_file() == verdict_file()


def hypotheses(*scores: float) -> list[Hypothesis]:
    return [Hypothesis((number, 9), 2 * score) for number, score in enumerate(scores)]


def test_a_near_tie_at_a_cut_is_no_fault() -> None:
    comparison = Comparison()
    assert comparison.add(hypotheses(-1.0, -2.0), hypotheses(-1.0), 1.0, 9)
    comparison.explain(8, 3.6e-07)
    assert comparison.differences == []
    assert comparison.near_ties == ["prompt 1 step 8: near-tie at the cut, 3.6e-07 apart"]
    assert comparison.add(hypotheses(-1.0, -2.0), hypotheses(-1.0), 1.0, 9)
    comparison.explain(8, 0.3)
    assert len(comparison.differences) == 1
