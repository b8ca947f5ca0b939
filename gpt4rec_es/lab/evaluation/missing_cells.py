"""Missing cells of the paper's comparison, and the commands that fill them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection

from gpt4rec_es.db.rows import generators
from gpt4rec_es.db.rows.splits import SplitRow
from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.baselines.baseline_options import BASELINE_NAMES
from gpt4rec_es.lab.evaluation.methods import BASELINES


@dataclass(frozen=True, slots=True)
class Missing:
    """Methods without some cells, and the commands that fill them, in order.

    num_queries, ks: of the missing cells.
    """

    methods: tuple[str, ...]
    num_queries: tuple[int, ...]
    ks: tuple[int, ...]
    commands: tuple[str, ...]


class Measured(Protocol):
    """A method with the lengths of lists that it was measured at."""

    @property
    def method(self) -> str:
        """Name of the method."""

    @property
    def num_queries(self) -> int | None:
        """Number of queries; None: it writes none."""

    @property
    def measured_ks(self) -> Collection[int]:
        """Lengths of lists with a recall."""


def missing_cells(
    connection: Connection,
    split: SplitRow,
    part: str,
    lines: Sequence[Measured],
    ks: Sequence[int],
    models: Path,
) -> list[Missing]:
    """Return what is missing of all baselines, and of queries as many as each of ``ks``.

    The commands train and measure on the training part alone, so that no method knows more.
    """
    measure = f"gpt4rec evaluate run {split.name} --part {part}"
    if part == "test":
        measure += " --no-learn-validation"
    if tuple(ks) != (5, 10, 20, 40):
        measure += " --k " + ",".join(map(str, ks))
    there: dict[tuple[str, int | None], set[int]] = {}
    for line in lines:
        there.setdefault((line.method, line.num_queries), set()).update(line.measured_ks)
    found = []
    for name in BASELINE_NAMES:
        if lacking := tuple(k for k in ks if k not in there.get((name, None), ())):
            commands = _of_trained(name, split, measure, models)
            found.append(Missing((name,), (), lacking, tuple(commands)))
    lacking_of = {
        name: [k for k in ks if k not in there.get((name, None), ())] for name in BASELINES
    }
    if names := tuple(name for name, lacking in lacking_of.items() if lacking):
        command = measure + "".join(f" --method {name}" for name in names)
        lacking = tuple(sorted({k for name in names for k in lacking_of[name]}))
        found.append(Missing(names, (), lacking, (command,)))
    found += _of_queries(connection, split, measure, there, ks)
    return found


def _of_trained(name: str, split: SplitRow, measure: str, models: Path) -> list[str]:
    """Return the commands that train a baseline, unless one of this split is there, and measure it.

    A folder of another split of this name, or of another method, stays: the new one goes beside it.
    """
    usual = models / f"{name}-{split.name}"
    other = usual.with_name(f"{usual.name}-{split.content_hash[:8]}")
    for folder in (usual, other):
        if is_fitting := _is_trained(folder, name, split):
            return [f"{measure} --trained {folder}"]
        if is_fitting is None:
            break
    train = f"gpt4rec train baseline {name} --split {split.name}"
    if folder == other:
        train += f" --output {other}"
    return [train, f"{measure} --trained {folder}"]


def _is_trained(folder: Path, name: str, split: SplitRow) -> bool | None:
    """Return whether a folder holds the baseline, trained on the training part of ``split``.

    None: it does not exist.
    """
    if not folder.exists():
        return None
    from gpt4rec_es.lab.baselines.baseline_folder import read_document  # noqa: PLC0415 - torch

    try:
        document = read_document(folder)
    except UsageError:
        return False
    of_split = document["card"]["data"]["split_hash"] == split.content_hash
    knows_more = document["options"].get("learn_validation", False)
    return bool(document["method"] == name and of_split and not knows_more)


def _of_queries(
    connection: Connection,
    split: SplitRow,
    measure: str,
    there: Mapping[tuple[str, int | None], Collection[int]],
    ks: Sequence[int],
) -> list[Missing]:
    """Return the missing numbers of queries m; one command measures all, from the same beams."""
    pairs = [(m, k) for m in ks for k in ks if m <= k and k not in there.get(("queries", m), ())]
    if not pairs:
        return []
    fitting = [
        one.name
        for one in generators.load_all(connection)
        if one.card.get("data", {}).get("split_hash") == split.content_hash
    ]
    name = fitting[-1] if fitting else f"{split.name}-small"
    several = ",".join(map(str, ks))
    commands = [f"{measure} --method queries --generator {name} --num-queries {several}"]
    if not fitting:
        train = f"gpt4rec train generator --name {name} --split {split.name} --size small --no-use"
        commands.insert(0, train)
    numbers, lacking = (tuple(sorted(set(one))) for one in zip(*pairs, strict=True))
    return [Missing(("queries",), numbers, lacking, tuple(commands))]
