from gpt4rec_es.elastic.retries import Backoff


def test_waits_double_up_to_the_longest_and_the_last_try_is_not_waited_for() -> None:
    waits: list[float] = []
    backoff = Backoff(1, 30, attempts=8, sleep=waits.append, jitter=lambda: 1.0)
    goes_on = [backoff.wait(failures) for failures in range(1, 9)]
    assert waits == [1, 2, 4, 8, 16, 30, 30]
    assert goes_on == [True] * 7 + [False]


def test_jitter_is_between_half_and_all() -> None:
    waits: list[float] = []
    for jitter in (0.0, 0.5, 1.0):
        Backoff(8, 30, sleep=waits.append, jitter=lambda jitter=jitter: jitter).wait(1)
    assert waits == [4, 6, 8]
