"""The paper's comparison (its tables 1 and 3) for one split, made from stored evaluations alone.

Of several evaluations of one method the newest with lists of a length counts, among those of all
users. Missing cells are named with the commands that fill them.
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
from gpt4rec_es.lab.evaluation.paper_labels import labels_of
from gpt4rec_es.lab.evaluation.paper_lines import Line, line_of, unmeasured
from gpt4rec_es.lab.splits.protocols import OF_NEW_USERS
from gpt4rec_es.metrics.significance import bootstrap_interval

_SEED = 1
# Options that say how evaluations ran.
_OF_A_RUN = {"sample", "serving"}
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
        UsageError: there is no such split, a chosen evaluation is not of this part, or two chosen
            ones are of one label.
    """
    with transaction(engine) as connection:
        row = split_rows.find(connection, split)
        found = _counting(rows.load_all(connection, split), split, part, chosen)
        numbers = [one.evaluation_no for several in found.values() for one in several]
        by_number: dict[int, dict[tuple[str, int], Any]] = {}
        for one in rows.load_metrics(connection, numbers, "all"):
            cells = by_number.setdefault(one["evaluation_no"], {})
            cells[one["metric"], one["k"]] = one
        figures, users = PaperFigures(paper), row.n_test if part == "test" else row.n_validation
        lines = [
            line_of(_with_users(label, several[-1], users), several, by_number, ks, figures)
            for label, several in found.items()
        ]
        is_new = row.protocol in OF_NEW_USERS
        measured = {line.method for line in lines if is_new}
        lines += unmeasured(lines, ks, figures)
        lines.sort(key=_place)
        return PaperTable(
            row.name,
            row.protocol,
            part,
            paper,
            users,
            tuple(name for name in OF_KNOWN_USERS if name in measured),
            tuple(ks),
            tuple(lines),
            tuple(_gains(connection, row.split_no, part, lines, ks)),
            tuple(missing_cells(connection, row, part, lines, ks, models)),
        )


def _counting(
    evaluations: Sequence[StoredEvaluation],
    split: str,
    part: str,
    chosen: Sequence[int],
) -> dict[str, list[StoredEvaluation]]:
    """Return the evaluations that count, by label: those chosen, or else all of all users.

    Of each label the newest is last, and of older ones those stay that have its setting.

    Raises:
        UsageError: a chosen one is not of this part, or would hide another chosen one.
    """
    of_part = [one for one in evaluations if one.part == part]
    if unknown := set(chosen) - {one.evaluation_no for one in of_part}:
        raise UsageError(
            f"There is no evaluation {min(unknown)} of {split} ({part}).",
            f"See `gpt4rec evaluate list --split {split}`.",
        )
    counted = [
        one for one in of_part if one.evaluation_no in chosen or not one.options.get("sample")
    ]
    labels = labels_of(counted)
    found: dict[str, list[StoredEvaluation]] = {}
    for one in counted:
        found.setdefault(labels[one.evaluation_no], []).append(one)
    for label, several in found.items():
        taken = [one for one in several if one.evaluation_no in chosen]
        if len(taken) > 1:
            first, second = (one.evaluation_no for one in taken[-2:])
            raise UsageError(
                f"Evaluations {first} and {second} are both of {label}: one would hide the other.",
                f"Choose one of them, or see `gpt4rec evaluate compare {first} {second}`.",
            )
        found[label] = taken or [one for one in several if _setting(one) == _setting(several[-1])]
    return found


def _setting(evaluation: StoredEvaluation) -> tuple[Any, ...]:
    """Return all that decides the lists: evaluations that differ in it fill no common line."""
    options = {name: one for name, one in evaluation.options.items() if name not in _OF_A_RUN}
    return evaluation.content_hash, evaluation.k1, evaluation.b, options


def _place(line: Line) -> tuple[int, int, str]:
    known = _ORDER.index(line.method) if line.method in _ORDER else len(_ORDER)
    return known, line.num_queries or 0, line.label


def _with_users(label: str, evaluation: StoredEvaluation, users: int) -> str:
    """Return a label that says on how many users an evaluation of fewer was made."""
    measured = evaluation.n_eval_users
    return label if measured >= users else f"{label} on {measured:,} users"


def _gains(
    connection: Connection, split_no: int, part: str, lines: Sequence[Line], ks: Sequence[int]
) -> list[Gain]:
    """Return the gains of all other methods over the best baseline, at each K.

    The best one is that of the highest recall among those of the most users. Each pair is compared
    on its own common users.
    """
    baselines = {*BASELINES, *BASELINE_NAMES}
    found = []
    for k in ks:
        at_k = {
            line: cell
            for line in lines
            for cell in line.cells
            if (cell.metric, cell.k) == ("recall", k) and cell.mean is not None
        }
        of_baselines = [line for line in at_k if line.method in baselines]
        if not of_baselines:
            continue
        best = max(of_baselines, key=lambda line: (line.users or 0, at_k[line].mean or 0))
        best_no = at_k[best].evaluation_no or 0
        for line, cell in at_k.items():
            if line.method not in baselines and (own_no := cell.evaluation_no):
                pair = recalls(connection, split_no, part, [best_no, own_no], k)
                gain = bootstrap_interval(pair[1] - pair[0], seed=_SEED)
                means = gain.mean, gain.low, gain.high
                found.append(Gain(line.label, own_no, k, best.label, best_no, *means))
    return found
