"""The token bucket, with a fake clock."""

import pytest

from gpt4rec_es.elastic.throttle import Throttle


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


@pytest.mark.parametrize(("rate", "number"), [(10, 1), (10, 10), (10, 25), (0.5, 1), (1000, 7)])
def test_in_the_long_run_the_rate_is_kept_after_one_seconds_worth(rate: float, number: int) -> None:
    clock = Clock()
    throttle = Throttle(rate, clock=clock, sleep=clock.sleep)
    for _ in range(200):
        throttle.take(number)
    expected = (200 * number - max(rate, number)) / rate
    assert clock.now - 100 == pytest.approx(expected)


def test_a_pause_fills_the_bucket_by_a_second_and_no_more() -> None:
    clock = Clock()
    throttle = Throttle(10, clock=clock, sleep=clock.sleep)
    for _ in range(5):
        throttle.take(10)
    clock.now += 60
    before = clock.now
    throttle.take(10)
    assert clock.now == before
    throttle.take(10)
    assert clock.now == pytest.approx(before + 1)


def test_one_request_holds_no_more_than_a_second_allows() -> None:
    assert Throttle(50).most(250) == 50
    assert Throttle(50).most(20) == 20
    assert Throttle(0.1).most(250) == 1
    assert Throttle().most(250) == 250


def test_without_a_limit_there_is_no_wait() -> None:
    clock = Clock()
    throttle = Throttle(clock=clock, sleep=clock.sleep)
    throttle.take(10**9)
    assert clock.now == 100
