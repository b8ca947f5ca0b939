"""Code layout: small modules and folders, unique names, no import cycles."""

from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted([*ROOT.glob("gpt4rec_es/**/*.py"), *ROOT.glob("workers/*.py")])
# One file per command group, per subject of statements, per view.
WIDE = {"gpt4rec_es/cli", "gpt4rec_es/db/rows", "gpt4rec_es/db/views"}


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_no_module_is_long() -> None:
    lengths = {shown(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: n for name, n in lengths.items() if n > 250} == {}


def test_no_folder_is_crowded() -> None:
    files = Counter(shown(path.parent) for path in MODULES)
    assert {name: n for name, n in files.items() if n > 25 and name not in WIDE} == {}


def test_no_name_is_that_of_many_modules() -> None:
    apart = ("gpt4rec_es/cli/", "gpt4rec_es/db/")
    names = Counter(
        path.stem
        for path in MODULES
        if path.stem != "__init__" and not shown(path).startswith(apart)
    )
    assert {name: n for name, n in names.items() if n > 2} == {}


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    """Module -> the modules that it imports."""
    graph = grimp.build_graph("gpt4rec_es", "workers", cache_dir=None)
    return {name: set(graph.find_modules_directly_imported_by(name)) for name in graph.modules}


def test_no_modules_import_each_other_in_a_circle(imports: dict[str, set[str]]) -> None:
    assert len(imports) >= len(MODULES)
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_folders_of_a_wing_do_not_import_each_other_in_a_circle(
    imports: dict[str, set[str]],
) -> None:
    for wing in ("gpt4rec_es.night", "gpt4rec_es.lab"):
        depth = wing.count(".") + 2

        def folder(name: str, depth: int = depth) -> str:
            return ".".join(name.split(".")[:depth])

        inside = {
            name for name in imports if name.startswith(f"{wing}.") and name.count(".") >= depth
        }
        arrows: dict[str, set[str]] = {}
        for name in inside:
            others = {folder(other) for other in imports[name] if other in inside}
            arrows.setdefault(folder(name), set()).update(others - {folder(name)})
        assert len(arrows) >= 3
        try:
            TopologicalSorter(arrows).prepare()
        except CycleError as error:
            pytest.fail(" -> ".join(error.args[1]))
