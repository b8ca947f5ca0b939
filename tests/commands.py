"""Run commands in this process and return their output and exit codes."""

import json
from typing import Any

import pytest


class Cli:
    """Runs commands without a .env file and keeps their output; ``err``: stderr of the last one."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.err = ""

    def __call__(self, *args: str, code: int = 0) -> str:
        """Return the output after checking that the exit code is ``code``."""
        from gpt4rec_es.cli.main import run  # noqa: PLC0415 - sets up click and logs

        self._capsys.readouterr()
        found = run(["--env-file", "", *args])
        out, self.err = self._capsys.readouterr()
        assert found == code, (out, self.err)
        return out

    def json(self, *args: str, code: int = 0) -> Any:
        """Return the parsed output with --json."""
        return json.loads(self(*args, "--json", code=code))

    def error(self, *args: str, code: int) -> str:
        """Return the one-line error message."""
        self(*args, code=code)
        assert "Traceback" not in self.err
        (line,) = (line for line in self.err.splitlines() if line.startswith("Error: "))
        return line


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(capsys)
