"""The folder of an unfinished training: kept to resume from, never in the way of another one."""

from pathlib import Path

import pytest

from gpt4rec_es.errors import ConflictError, UsageError
from gpt4rec_es.lab.training.divergence import DivergedError
from gpt4rec_es.lab.training.work_folder import require_own, resumed_folder


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "x"


def stop(output: Path, fingerprint: str, error: BaseException, *, state: bool) -> None:
    def train() -> None:
        with resumed_folder(output, fingerprint) as work:
            if state:
                (work / "reader").mkdir()
                (work / "reader" / "state.pt").write_text("state")
            raise error

    with pytest.raises(type(error)):
        train()


def test_a_finished_training_leaves_nothing(output: Path) -> None:
    with resumed_folder(output, "a") as work:
        (work / "state.pt").write_text("state")
    assert not list(output.parent.iterdir())


def test_a_state_is_resumed_and_bars_other_trainings(output: Path) -> None:
    stop(output, "a", KeyboardInterrupt(), state=True)
    with pytest.raises(UsageError, match="unfinished training with other options"):
        require_own(output, "b")
    with (
        pytest.raises(UsageError, match="unfinished training with other options"),
        resumed_folder(output, "b"),
    ):
        pass
    with resumed_folder(output, "a") as work:
        assert (work / "reader" / "state.pt").read_text() == "state"


def test_a_training_that_diverged_bars_no_other_one(output: Path) -> None:
    stop(output, "a", DivergedError("It diverged.", "Lower --lr."), state=True)
    assert not list(output.parent.iterdir())


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError()])
def test_a_training_that_stopped_before_its_first_state_bars_no_other_one(
    output: Path, error: BaseException
) -> None:
    stop(output, "a", error, state=False)
    assert not list(output.parent.iterdir())


def test_neither_does_one_that_was_killed_then(output: Path) -> None:
    work = output.parent / ".x.training"
    (work / ".lr=1.training").mkdir(parents=True)
    for folder in (work, work / ".lr=1.training"):
        (folder / "fingerprint").write_text("a")
        (folder / "state.draft").write_text("half a state")
    require_own(output, "b")
    with resumed_folder(output, "b") as opened:
        assert [path.name for path in opened.iterdir()] == ["fingerprint"]
        assert (opened / "fingerprint").read_text() == "b"


def test_a_training_that_runs_keeps_its_folder(output: Path) -> None:
    with resumed_folder(output, "a") as work:
        with pytest.raises(ConflictError, match="Another process"), resumed_folder(output, "b"):
            pass
        assert (work / "fingerprint").read_text() == "a"


def test_a_folder_that_cannot_be_made_is_named() -> None:
    with (
        pytest.raises(UsageError, match=r"The folder /proc/x cannot be written: "),
        resumed_folder(Path("/proc/x/y"), "a"),
    ):
        pass
