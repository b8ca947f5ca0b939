"""A training from the command line that is killed, and goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.shop import Shop


def check_killed_training_goes_on(
    shop: Shop, tmp_path: Path, command: list[str], *whole_options: str
) -> Any:
    """Check that ``command``, which writes .models/x, ends as without a kill after its first epoch.

    Returns its report.

    whole_options: of the training that is not killed, which writes another folder.
    """
    whole = start(shop, tmp_path, [*command, *whole_options, "--output", "whole"])
    out, err = whole.communicate(timeout=200)
    assert whole.returncode == 0, err
    first = start(shop, tmp_path, command)
    state = tmp_path / ".models" / ".x.training" / "state.pt"
    end = time.monotonic() + 120
    while not state.exists():
        assert first.poll() is None, first.communicate()
        assert time.monotonic() < end
        time.sleep(0.002)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert not (tmp_path / ".models" / "x").exists()
    refused = start(shop, tmp_path, [*command, "--seed", "7"])
    assert "unfinished training with other options" in refused.communicate(timeout=200)[1]
    second = start(shop, tmp_path, command)
    report = json.loads(second.communicate(timeout=200)[0])
    expected = json.loads(out)
    assert report["content_hash"] == expected["content_hash"]
    epochs, expected_epochs = (
        [{**row, "seconds": None} for row in one["card"]["epochs"]] for one in (report, expected)
    )
    assert epochs == expected_epochs
    assert [path.name for path in (tmp_path / ".models").iterdir()] == ["x"]
    return report


def start(shop: Shop, folder: Path, arguments: list[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "gpt4rec_es", *arguments],
        cwd=folder,
        env={
            **os.environ,
            **shop.environ,
            "GPT4REC_DEVICE": "cpu",
            "GPT4REC_THREADS": "1",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
