from pathlib import Path

import pytest

from gpt4rec_es import resources
from gpt4rec_es.errors import UsageError


def test_a_checkout_has_them_beside_the_package() -> None:
    assert resources.resource_path("migrations", "env.py").is_file()
    assert resources.resource_path("mappings").is_dir()


def test_an_installed_package_has_them_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "gpt4rec_es"
    for folder in (package / "mappings", tmp_path / "mappings"):
        folder.mkdir(parents=True)
        (folder / "items.json").write_text("{}")
    monkeypatch.setattr(resources, "_PACKAGE", package)
    assert resources.resource_path("mappings", "items.json").parent.parent == package


def test_a_broken_installation_is_said() -> None:
    with pytest.raises(UsageError, match=r"mappings/nothing\.json is missing"):
        resources.resource_path("mappings", "nothing.json")
