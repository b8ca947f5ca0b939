"""A training from the command line that is killed, and goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gpt4rec_es.cli.main import run
from tests.shop import Shop


def check_killed_training_goes_on(
    shop: Shop,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
    *whole_options: str,
) -> Any:
    """Check that ``command``, which writes .models/x, ends as without a kill after its first epoch.

    Returns its report. The killed one is a process of its own; the others run in this one, where
    torch is imported.
    whole_options: of the training that is not killed, which writes another folder.
    """
    environ = {**shop.environ, "GPT4REC_DEVICE": "cpu", "GPT4REC_THREADS": "1"}
    killed = start(environ, tmp_path, command)
    state = tmp_path / ".models" / ".x.training" / "state.pt"
    end = time.monotonic() + 120
    while not state.exists():
        assert killed.poll() is None, killed.communicate()
        assert time.monotonic() < end
        time.sleep(0.002)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert not (tmp_path / ".models" / "x").exists()
    Shop(environ).enter(monkeypatch)
    assert run([*command, "--seed", "7"]) == 2
    assert "unfinished training with other options" in capsys.readouterr().err
    assert run(command) == 0
    report = json.loads(capsys.readouterr().out)
    assert [path.name for path in (tmp_path / ".models").iterdir()] == ["x"]
    assert run([*command, *whole_options, "--output", "whole"]) == 0
    expected = json.loads(capsys.readouterr().out)
    assert report["content_hash"] == expected["content_hash"]
    epochs, expected_epochs = (
        [{**row, "seconds": None} for row in one["card"]["epochs"]] for one in (report, expected)
    )
    assert epochs == expected_epochs
    return report


def start(environ: dict[str, str], folder: Path, arguments: list[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "gpt4rec_es", *arguments],
        cwd=folder,
        env={**os.environ, **environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
