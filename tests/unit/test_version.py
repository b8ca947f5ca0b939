"""The code version depends on the files, and a change of the files is detected."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gpt4rec_es import version


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "version.py").write_text("")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "plan.py").write_text("a = 1\n")
    monkeypatch.setattr(version, "__file__", str(tmp_path / "version.py"))
    version.code_version.cache_clear()
    yield tmp_path
    version.code_version.cache_clear()


def test_it_stays_that_of_the_first_call(package: Path) -> None:
    first = version.code_version()
    assert first.startswith(f"{version.VERSION}+")
    assert version.is_code_unchanged()
    (package / "runs" / "plan.py").write_text("a = 2\n")
    assert version.code_version() == first
    assert not version.is_code_unchanged()


def test_what_is_no_code_does_not_count(package: Path) -> None:
    version.code_version()
    (package / "README.md").write_text("text")
    (package / "migrations").mkdir()
    (package / "migrations" / "env.py").write_text("b = 1\n")
    (package / "cli").mkdir()
    (package / "cli" / "night.py").write_text("HELP = 'better words'\n")
    assert version.is_code_unchanged()


def test_a_renamed_module_is_other_code(package: Path) -> None:
    version.code_version()
    (package / "runs" / "plan.py").rename(package / "runs" / "plans.py")
    assert not version.is_code_unchanged()
