"""The paper's comparison (its tables 1 and 3) for one split, made from stored evaluations alone.

Of several evaluations of one method the newest counts, among those of all users. Missing cells are
named with the commands that fill them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import evaluations as rows
from gpt4rec_es.db.rows import splits as split_rows
from gpt4rec_es.db.rows.evaluations import StoredEvaluation
from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.baselines.baseline_options import BASELINE_NAMES, OF_KNOWN_USERS
from gpt4rec_es.lab.evaluation.lists_of_users import recalls
from gpt4rec_es.lab.evaluation.methods import BASELINES
from gpt4rec_es.lab.evaluation.missing_cells import Missing, missing_cells
from gpt4rec_es.lab.evaluation.paper_figures import COMPARED, PaperFigures
from gpt4rec_es.lab.evaluation.paper_lines import Line, label_of, line_of, unmeasured
from gpt4rec_es.lab.splits.protocols import OF_NEW_USERS
from gpt4rec_es.metrics.significance import bootstrap_interval

_SEED = 1
_ORDER = (*COMPARED, "queries", *BASELINES, *BASELINE_NAMES)


@dataclass(frozen=True, slots=True)
class Gain:
    """Recall at ``k`` of a method over the best baseline: mean gain, paired 95 % interval."""

    label: str
    evaluation_no: int
    k: int
    best_baseline: str
    best_evaluation_no: int
    gain: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PaperTable:
    """The comparison. paper: the data set of the paper's figures; None: without them.

    users_by_items: measured methods with a vector per user to which all users of the split are new,
    so that each is served by the mean of the vectors of the items of the history.
    """

    split: str
    protocol: str
    part: str
    paper: str | None
    users: int
    users_by_items: tuple[str, ...]
    ks: tuple[int, ...]
    lines: tuple[Line, ...]
    gains: tuple[Gain, ...]
    missing: tuple[Missing, ...]


def paper_table(
    engine: Engine,
    split: str,
    *,
    part: str = "test",
    ks: Sequence[int] = (5, 10, 20, 40),
    paper: str | None = None,
    chosen: Sequence[int] = (),
    models: Path = Path(".models"),
) -> PaperTable:
    """Return the comparison on a part of ``split``.

    chosen: numbers of evaluations that count in place of the newest of their methods. models: where
    trainings write their folders.

    Raises:
        UsageError: there is no such split, or a chosen evaluation is not of this part.
    """
    with transaction(engine) as connection:
        row = split_rows.find(connection, split)
        found = _newest(rows.load_all(connection, split), split, part, chosen)
        metrics = rows.load_metrics(connection, [one.evaluation_no for one in found], "all")
        by_number: dict[int, dict[tuple[str, int], Any]] = {}
        for one in metrics:
            cells = by_number.setdefault(one["evaluation_no"], {})
            cells[one["metric"], one["k"]] = one
        figures = PaperFigures(paper)
        measured = {one.method for one in found if row.protocol in OF_NEW_USERS}
        lines = [line_of(one, by_number.get(one.evaluation_no, {}), ks, figures) for one in found]
        lines += unmeasured(lines, ks, figures)
        lines.sort(key=_place)
        return PaperTable(
            row.name,
            row.protocol,
            part,
            paper,
            row.n_test if part == "test" else row.n_validation,
            tuple(name for name in OF_KNOWN_USERS if name in measured),
            tuple(ks),
            tuple(lines),
            tuple(_gains(connection, row.split_no, part, lines, ks)),
            tuple(missing_cells(connection, row, part, lines, ks, models)),
        )


def _newest(
    evaluations: Sequence[StoredEvaluation], split: str, part: str, chosen: Sequence[int]
) -> list[StoredEvaluation]:
    """Return the chosen evaluation of each method, or else its newest one of all users."""
    of_part = [one for one in evaluations if one.part == part]
    if unknown := set(chosen) - {one.evaluation_no for one in of_part}:
        raise UsageError(
            f"There is no evaluation {min(unknown)} of {split} ({part}).",
            f"See `gpt4rec evaluate list --split {split}`.",
        )
    found = {label_of(one): one for one in of_part if not one.options.get("sample")}
    found |= {label_of(one): one for one in of_part if one.evaluation_no in chosen}
    return list(found.values())


def _place(line: Line) -> tuple[int, int, str]:
    known = _ORDER.index(line.method) if line.method in _ORDER else len(_ORDER)
    return known, line.num_queries or 0, line.label


def _gains(
    connection: Connection, split_no: int, part: str, lines: Sequence[Line], ks: Sequence[int]
) -> list[Gain]:
    """Return the gains of all other methods over the best baseline, at each K."""
    baselines = {*BASELINES, *BASELINE_NAMES}
    found = []
    for k in ks:
        at_k = {
            line: cell.mean
            for line in lines
            for cell in line.cells
            if (cell.metric, cell.k) == ("recall", k) and cell.mean is not None
        }
        of_baselines = {line: mean for line, mean in at_k.items() if line.method in baselines}
        if not of_baselines:
            continue
        best = max(of_baselines, key=of_baselines.__getitem__)
        others = [line for line in at_k if line.method not in baselines]
        numbers = [line.evaluation_no for line in (best, *others) if line.evaluation_no is not None]
        values = recalls(connection, split_no, part, numbers, k)
        for line, number, own in zip(others, numbers[1:], values[1:], strict=True):
            gain = bootstrap_interval(own - values[0], seed=_SEED)
            best_number = numbers[0]
            found.append(
                Gain(line.label, number, k, best.label, best_number, gain.mean, gain.low, gain.high)
            )
    return found
