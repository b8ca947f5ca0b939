import io
import sys

import pytest

from gpt4rec_es.cli.progress import LineProgress, progress_bar


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_lines_now_and_then_and_one_at_the_end() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = LineProgress("Searching", "queries", stream, clock)
    for second in range(26):
        clock.now = float(second)
        progress(second * 10, 300)
    progress.finish()
    assert stream.getvalue().splitlines() == [
        "Searching: 100 of 300 queries, 10 s, ETA 20 s",
        "Searching: 200 of 300 queries, 20 s, ETA 10 s",
        "Searching: 250 of 300 queries, 25 s, ETA 5 s",
    ]


def test_end_is_not_written_twice_and_nothing_for_no_work() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = LineProgress("Reading", "", stream, clock)
    progress.finish()
    clock.now = 3725.0
    progress(7, None)
    progress.finish()
    assert stream.getvalue() == "Reading: 7, 1:02 h\n"


def test_times_are_written_for_people() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = LineProgress("Reading", "lines", stream, clock)
    clock.now = 75.0
    progress(1, 2)
    assert stream.getvalue() == "Reading: 1 of 2 lines, 1:15 min, ETA 1:15 min\n"


def test_without_a_terminal_it_writes_lines_on_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress_bar("Merging", "users") as progress:
        progress(5, 5)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "Merging: 5 of 5 users, 0 s\n"


def test_an_error_leaves_how_far_it_came(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        with progress_bar("Merging") as progress:
            progress(2, 5)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        work()
    assert "Merging: 2 of 5, 0 s, ETA 0 s" in capsys.readouterr().err


def test_on_a_terminal_it_draws_a_bar_on_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar("Merging", "users") as progress:
        progress(1, None)
        progress(3, 4)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "3/4" in captured.err
    assert "users" in captured.err
