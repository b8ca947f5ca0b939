"""An installed wheel is complete: packages, files and dependencies match the code."""

import ast
import configparser
import re
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".stack", "tests", "build", "*.egg-info", ".*cache*", "__pycache__"
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
    there.add("gpt4rec_es.data")
    assert set(listed()["packages"].split()) == there


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    # A copy, because building creates folders beside the code.
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
        ("data", "gpt4rec_es/data"),
    ):
        expected |= {
            f"{inside}/{path.relative_to(ROOT / top).as_posix()}"
            for pattern in ("*.py", "*.json", "*.mako", "*.ini", "*.sql", "*.gz")
            for path in (ROOT / top).rglob(pattern)
        }
    assert expected - names == set()
    assert {"gpt4rec_es/mappings/items.json", "gpt4rec_es/migrations/env.py"} <= names
    # With the attribution that its licence asks for.
    assert "gpt4rec_es/data/README.md" in names


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


# What is declared and not imported, with the reason. So is the extra of celery[redis]: the client
# of the usual broker, which kombu imports.
NOT_IMPORTED = {
    "accelerate": "transformers' Trainer imports it",
}
# What is imported and comes with a declared package, which fixes its version.
COMES_WITH = {
    "elastic-transport": "elasticsearch",
    "huggingface-hub": "transformers",
    "kombu": "celery",
}


def imported(folder: Path) -> set[str]:
    """Return the top-level names of all modules that the code below ``folder`` imports."""
    found = set()
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found


def distributions_in(requirements: str) -> set[str]:
    """Return the names in lines such as "celery[redis]>=5.6,<6"."""
    return {name.lower() for name in re.findall(r"^[A-Za-z0-9._-]+", requirements, re.MULTILINE)}


def test_what_is_imported_is_declared_and_the_other_way_round() -> None:
    names = (
        imported(ROOT / "gpt4rec_es") | imported(ROOT / "workers") | imported(ROOT / "migrations")
    )
    ours = {"gpt4rec_es", "workers", "migrations"}
    distributions = metadata.packages_distributions()
    needed = {
        re.sub(r"[-_.]+", "-", distribution).lower()
        for name in names - ours - set(sys.stdlib_module_names)
        for distribution in distributions[name]
    }
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    declared = distributions_in(listed()["install_requires"])
    local = distributions_in(config["options.extras_require"]["local"])
    assert COMES_WITH.keys() <= needed
    assert set(COMES_WITH.values()) <= declared
    assert declared - needed == set(NOT_IMPORTED)
    assert needed - declared - local == set(COMES_WITH)
