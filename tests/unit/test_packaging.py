"""What an installed wheel would lack: found here rather than by the first who installs one."""

import configparser
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".stack", "data", "tests", "build", "*.egg-info", ".*cache*", "__pycache__"
)


def listed() -> configparser.SectionProxy:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return config["options"]


def packages_below(folder: Path, name: str) -> set[str]:
    found = {name}
    for path in folder.iterdir():
        if path.is_dir() and path.name != "__pycache__":
            found |= packages_below(path, f"{name}.{path.name}")
    return found


def test_every_package_is_listed() -> None:
    there = packages_below(ROOT / "gpt4rec_es", "gpt4rec_es") | packages_below(
        ROOT / "workers", "workers"
    )
    for top in ("mappings", "migrations"):
        there |= packages_below(ROOT / top, f"gpt4rec_es.{top}")
    assert set(listed()["packages"].split()) == there


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    # A copy, because building leaves folders beside the code.
    source = shutil.copytree(ROOT, folder / "source", ignore=LEFT_OUT)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", "--no-index", "--wheel-dir", str(folder), str(source)]
    subprocess.run(command, check=True, timeout=200)
    (built,) = folder.glob("gpt4rec_es-*.whl")
    return zipfile.ZipFile(built)


def test_wheel_holds_all_code_and_what_it_reads(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    expected = {"gpt4rec_es/py.typed"}
    for top, inside in (
        ("gpt4rec_es", "gpt4rec_es"),
        ("workers", "workers"),
        ("mappings", "gpt4rec_es/mappings"),
        ("migrations", "gpt4rec_es/migrations"),
    ):
        expected |= {
            f"{inside}/{path.relative_to(ROOT / top).as_posix()}"
            for pattern in ("*.py", "*.json", "*.mako", "*.ini", "*.sql")
            for path in (ROOT / top).rglob(pattern)
        }
    assert expected - names == set()
    assert {"gpt4rec_es/mappings/items.json", "gpt4rec_es/migrations/env.py"} <= names


def test_wheel_holds_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"gpt4rec_es", "workers"}


def test_wheel_installs_the_command(wheel: zipfile.ZipFile) -> None:
    (entry_points,) = [n for n in wheel.namelist() if n.endswith("entry_points.txt")]
    assert "gpt4rec = gpt4rec_es.cli.main:main" in wheel.read(entry_points).decode()


def test_locks_are_hashed_and_within_the_bounds() -> None:
    wanted = {line.split(">")[0].split("[")[0] for line in listed()["install_requires"].split()}
    locked = set()
    for name in ("main.lock", "torch.lock"):
        for block in (ROOT / "requirements" / name).read_text().split("\n\n"):
            lines = [line for line in block.splitlines() if line and not line.startswith("#")]
            requirement_lines = [line for line in lines if not line.startswith(" ")]
            locked |= {line.split("==")[0] for line in requirement_lines}
            assert all("==" in line and line.endswith("\\") for line in requirement_lines)
            assert len(lines) > len(requirement_lines)
    assert wanted - locked == set()
