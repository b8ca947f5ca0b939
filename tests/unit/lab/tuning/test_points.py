import pytest

from gpt4rec_es.lab.tuning.choose import DEFAULTS, coarse_points, fine_points, full_points, grid
from gpt4rec_es.records import Bm25


def test_a_grid_is_all_combinations() -> None:
    assert grid([1, 2], [0.1, 0.2]) == [Bm25(1, 0.1), Bm25(1, 0.2), Bm25(2, 0.1), Bm25(2, 0.2)]


@pytest.mark.parametrize("live", [DEFAULTS, Bm25(0.7, 0.1)])
def test_the_coarse_grid_holds_the_defaults_and_what_is_live_once(live: Bm25) -> None:
    points = coarse_points(live)
    assert len(set(points)) == len(points) == (20 if live == DEFAULTS else 21)
    assert {DEFAULTS, live} <= set(points)


def test_the_fine_grid_fills_the_room_around_the_best() -> None:
    coarse = coarse_points(DEFAULTS)
    points = fine_points(Bm25(0.9, 0.5), coarse)
    k1s = sorted({point.k1 for point in points})
    assert k1s == pytest.approx([0.6, 0.675, 0.75, 0.825, 0.9, 0.975, 1.05, 1.125, 1.2])
    assert min(point.k1 for point in points) == 0.6
    assert max(point.k1 for point in points) == 1.2
    assert min(point.b for point in points) == 0.3
    assert max(point.b for point in points) == 0.75
    assert not set(points) & set(coarse)
    assert len(points) == 9 * 9 - 9


def test_at_the_edge_the_fine_grid_goes_on_within_what_is_allowed() -> None:
    coarse = coarse_points(DEFAULTS)
    high = fine_points(Bm25(2.0, 1.0), coarse)
    assert max(point.k1 for point in high) == 2.8
    assert max(point.b for point in high) == 1.0
    low = fine_points(Bm25(0.3, 0.3), coarse)
    assert min(point.k1 for point in low) == 0.0
    assert min(point.b for point in low) == pytest.approx(0.1)


def test_around_a_single_point_there_is_room_on_both_sides() -> None:
    points = fine_points(Bm25(1.0, 0.5), [Bm25(1.0, 0.5)])
    assert {point.k1 for point in points} >= {0.5, 1.5}
    assert {point.b for point in points} >= {0.0, 1.0}


def test_the_full_grid_is_30_by_11_with_what_is_compared() -> None:
    points = full_points(Bm25(0.85, 0.4))
    assert points[:2] == [DEFAULTS, Bm25(0.85, 0.4)]
    assert len(points) == len(set(points)) == 30 * 11 + 2
    assert {Bm25(0.1, 0.0), Bm25(3.0, 1.0), Bm25(1.2, 0.7)} <= set(points)
