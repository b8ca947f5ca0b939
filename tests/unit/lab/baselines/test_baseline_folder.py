"""Folders of trained baselines: what a file must not hold is named when it is read."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.baselines.baseline_folder import open_baseline, read_document, save_baseline
from gpt4rec_es.lab.baselines.baseline_options import BaselineOptions, options_of
from gpt4rec_es.lab.baselines.network import BaselineData
from gpt4rec_es.lab.baselines.sasrec import SasRec

DATA = BaselineData([[0, 1], [1, 2, 3]], 4)
CARD = {
    "name": "x",
    "data": {"split_hash": "abc"},
    "seconds": 1.5,
    "peak_memory_mb": 300,
    "threads": 2,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    network = SasRec(DATA, options_of("sasrec", dim=4))
    save_baseline(network, DATA, list("abcd"), tmp_path / "x", CARD)
    return tmp_path / "x"


def edit(folder: Path, path: str, value: Any) -> None:
    """Set a field by its path, or remove it: ...."""
    document = json.loads((folder / "baseline.json").read_text())
    *above, last = path.split(".")
    held = document
    for name in above:
        held = held[name]
    held.pop(last)
    if value is not ...:
        held[last] = value
    (folder / "baseline.json").write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("options.dim", "64", "options.dim is '64'. It is a whole number"),
        ("options.dim", -5, "options.dim is -5. It is at least 1"),
        ("options.dim", True, "options.dim is True"),
        ("options.heads", 3, "options.dim 4 is no multiple of heads 3"),
        ("options.lr", None, "options.lr is None. It is a finite number"),
        ("options.dropout", float("nan"), "options.dropout is nan"),
        ("data", ..., "data is None"),
        ("card.name", ..., "card.name is None"),
        ("card.seconds", "x", "card.seconds is 'x'"),
        ("card.threads", None, "card.threads is None"),
        ("card.data.split_hash", 7, "card.data.split_hash is 7"),
    ],
)
def test_an_edited_field_is_named(folder: Path, path: str, value: Any, said: str) -> None:
    assert read_document(folder)["method"] == "sasrec"
    edit(folder, path, value)
    with pytest.raises(UsageError) as raised:
        read_document(folder)
    assert f"baseline.json cannot be used: {said}" in str(raised.value)


def test_a_folder_of_an_older_version_knows_no_cost(folder: Path) -> None:
    for name in ("peak_memory_mb", "threads"):
        edit(folder, f"card.{name}", ...)
    assert read_document(folder)["card"]["seconds"] == 1.5


def test_weights_of_another_size_are_named(folder: Path) -> None:
    edit(folder, "options.dim", 8)
    options = BaselineOptions(**read_document(folder)["options"])
    with pytest.raises(UsageError, match=r"do not fit: size mismatch for \w+") as raised:
        open_baseline(folder, DATA, options)
    assert "Error(s)" not in str(raised.value)
