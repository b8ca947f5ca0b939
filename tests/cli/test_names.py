"""Shell completion of names: what the database has, and nothing without one."""

import datetime as dt
import subprocess
import sys

import pytest

from gpt4rec_es.lab.splits.create import create_split
from gpt4rec_es.lab.splits.protocols import SplitOptions
from gpt4rec_es.night.start import start_night
from tests.databases import Database
from tests.flow.conftest import use_titles
from tests.servers import Servers
from tests.shop import make_shop


def completed(words: str) -> list[str]:
    """Return the names that bash is given for the last of ``words``."""
    typed = words.split(" ")
    code = (
        "import os\n"
        "os.environ.update(_GPT4REC_COMPLETE='bash_complete', COMP_WORDS="
        f"{words!r}, COMP_CWORD={str(len(typed) - 1)!r})\n"
        "from gpt4rec_es.cli.main import cli\n"
        "cli.main([], 'gpt4rec')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


def test_names_of_the_database_are_completed(
    servers: Servers, database: Database, alias: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_titles(database)
    shop = make_shop(servers, database, alias)
    runtime = shop.runtime()
    create_split(runtime.engine, "held-out", SplitOptions("leave-one-out"), actor="test")
    start_night(runtime.night_parts(), runtime.night_options(), dt.date(2026, 11, 22))
    runtime.close()
    shop.enter(monkeypatch)
    assert completed("gpt4rec runs show ni") == ["nightly-2026-11-22-1"]
    assert completed("gpt4rec why u014 --run ") == ["latest", "nightly-2026-11-22-1"]
    assert completed("gpt4rec generators use t") == ["titles"]
    assert completed("gpt4rec split show h") == ["held-out"]
    assert completed("gpt4rec tune bm25 held-out --generator ") == ["titles"]
    assert completed("gpt4rec tune show ") == []


def test_without_a_database_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@127.0.0.1:1/d")
    assert completed("gpt4rec runs show ") == []
