"""``gpt4rec exporter`` as run by a supervisor: it starts, answers, and stops on a signal."""

import os
import re
import signal
import subprocess
import sys
import urllib.request

import pytest

from gpt4rec_es.cli.main import run
from tests.exporter.conftest import Page
from tests.shop import Shop

COMMAND = [sys.executable, "-m", "gpt4rec_es", "--env-file", "", "exporter"]


def test_it_serves_until_it_is_stopped(shop: Shop) -> None:
    with subprocess.Popen(
        [*COMMAND, "--listen", "127.0.0.1:0"],
        env={**os.environ, **shop.environ},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            found = re.search(r"http://127.0.0.1:(\d+)/metrics", process.stderr.readline())
            assert found
            address = f"http://127.0.0.1:{found[1]}/metrics"
            with urllib.request.urlopen(address, timeout=30) as answer:
                assert Page(answer.read().decode())("gpt4rec_up") == 1
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 143
        finally:
            process.kill()


def test_it_prints_a_page_also_without_postgres(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:geheim@127.0.0.1:9/x")
    assert run(["--env-file", "", "exporter", "--once"]) == 0
    out, err = capsys.readouterr()
    assert Page(out)("gpt4rec_up") == 0
    assert "geheim" not in err


@pytest.mark.parametrize("address", ["9464", "127.0.0.1:", "127.0.0.1:70000", ":9464", "h:x"])
def test_a_wrong_address_is_reported(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["exporter", "--listen", address]) == 2
    assert "HOST:PORT" in capsys.readouterr().err
