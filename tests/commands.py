"""Commands in this process, as a person calls them: what they print, and their exit codes."""

import json
from typing import Any

import pytest


class Cli:
    """Runs commands without a .env file and keeps what they wrote; ``err``: stderr of the last."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.err = ""

    def __call__(self, *args: str, code: int = 0) -> str:
        """Return what was printed, if the exit code is ``code``."""
        from gpt4rec_es.cli.main import run  # noqa: PLC0415 - sets up click and logs

        self._capsys.readouterr()
        found = run(["--env-file", "/nonexistent", *args])
        out, self.err = self._capsys.readouterr()
        assert found == code, (out, self.err)
        return out

    def json(self, *args: str, code: int = 0) -> Any:
        """Return what was printed with --json, read."""
        return json.loads(self(*args, "--json", code=code))

    def error(self, *args: str, code: int) -> str:
        """Return the one line that says what was wrong."""
        self(*args, code=code)
        assert "Traceback" not in self.err
        (line,) = (line for line in self.err.splitlines() if line.startswith("Error: "))
        return line


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(capsys)
