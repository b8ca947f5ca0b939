import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from gpt4rec_es.stack import processes
from gpt4rec_es.stack.processes import Mark

_SLEEP = "import signal, time; print(flush=True); time.sleep(60)"
_STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {_SLEEP}"
_PYTHON = os.path.basename(sys.executable)  # noqa: PTH119 - a name, not a path

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start Python processes with given arguments; they are killed at the end."""
    started: list[subprocess.Popen[bytes]] = []

    def run(*arguments: str, code: str = _SLEEP) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.mark.parametrize(
    ("argv", "fits"),
    [
        (["/x/bin/postgres", "-D", "/a/data"], True),
        (["/x/bin/postgres", "-c", "port=1", "-D", "/a/data", "-h", "::"], True),
        (["/x/bin/postgres", "-D", "/a/data2"], False),
        (["/x/bin/postgres", "-D", "/b", "/a/data"], False),
        (["/x/bin/pg_ctl", "-D", "/a/data"], False),
        (["-D", "/a/data"], False),
        (["postgres"], False),
        ([], False),
    ],
)
def test_a_mark_fits_only_its_own_server(argv: list[str], fits: bool) -> None:
    assert Mark("postgres", ("-D", "/a/data")).fits(argv) is fits


def test_a_mark_without_a_program_fits_any() -> None:
    assert Mark("", ("b.conf", "--logfile")).fits(["redis-server", "b.conf", "--logfile", "l"])


def test_stop_ends_what_bears_the_mark_and_nothing_else(start: Start) -> None:
    ours = start("--stack", "/data/one")
    others = [start("--stack", "/data/one-more"), start("/data/one", "--stack"), start()]
    mark = Mark(_PYTHON, ("--stack", "/data/one"))
    assert processes.find(mark, os.getuid()) == [ours.pid]
    assert processes.stop(mark, os.getuid(), 10.0) == 1
    assert ours.wait() == -signal.SIGTERM
    assert [process.poll() for process in others] == [None, None, None]
    assert processes.stop(mark, os.getuid(), 10.0) == 0


def test_another_accounts_process_is_not_ours(start: Start) -> None:
    start("--stack", "/data/two")
    assert processes.find(Mark(_PYTHON, ("--stack", "/data/two")), os.getuid() + 1) == []


def test_what_ignores_the_first_signal_is_killed(start: Start) -> None:
    ours = start("--stack", "/data/three", code=_STUBBORN)
    assert processes.stop(Mark(_PYTHON, ("--stack", "/data/three")), os.getuid(), 0.2) == 1
    assert ours.wait() == -signal.SIGKILL


def test_a_process_that_ended_but_is_not_reaped_is_no_process(start: Start) -> None:
    ours = start("--stack", "/data/four")
    ours.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, ours.pid, os.WEXITED | os.WNOWAIT)  # ended; still in the process table
    assert processes.command_line(ours.pid) == []
    assert processes.find(Mark(_PYTHON, ("--stack", "/data/four")), os.getuid()) == []


def test_no_process_has_no_command_line() -> None:
    assert processes.command_line(2**22 + 1) == []
    assert processes.is_ours(2**22 + 1, Mark("", ()), os.getuid()) is False
