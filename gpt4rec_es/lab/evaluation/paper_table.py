"""The paper's comparison (its tables 1 and 3) for one split, made from stored evaluations alone.

Of several evaluations of one method the newest counts, among those of all users. Missing cells are
named with the commands that fill them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import evaluations as rows
from gpt4rec_es.db.rows import splits as split_rows
from gpt4rec_es.db.rows.evaluations import StoredEvaluation
from gpt4rec_es.errors import UsageError
from gpt4rec_es.lab.baselines.baseline_options import BASELINE_NAMES
from gpt4rec_es.lab.evaluation.lists_of_users import recalls
from gpt4rec_es.lab.evaluation.methods import BASELINES
from gpt4rec_es.lab.evaluation.missing_cells import Missing, missing_cells
from gpt4rec_es.lab.evaluation.paper_figures import COMPARED, PaperFigures
from gpt4rec_es.metrics.significance import bootstrap_interval

METRICS = (
    *("recall", "diversity_category", "coverage_category", "diversity_brand", "coverage_brand"),
)
_SEED = 1
_ORDER = (*COMPARED, "queries", *BASELINES, *BASELINE_NAMES)


@dataclass(frozen=True, slots=True)
class Cell:
    """A metric at one K: its mean with the 95 % interval, and the paper's figure.

    mean: None: there is no evaluation at this K. paper: None: the paper has none.
    """

    metric: str
    k: int
    mean: float | None
    low: float | None
    high: float | None
    paper: float | None


@dataclass(frozen=True, slots=True)
class Cost:
    """What a method cost; None: not measured, or nothing to train.

    seconds_per_1000_users: of lists. For methods without a trained folder, of the whole evaluation.
    """

    training_minutes: float | None
    peak_memory_mb: float | None
    training_threads: int | None
    seconds_per_1000_users: float | None
    serving_threads: int | None


@dataclass(frozen=True, slots=True)
class Line:
    """One method. evaluation_no: None: it has not been measured.

    label: the method with its recipe or re-ranker. learned_validation: None: unknown.
    """

    label: str
    method: str
    num_queries: int | None
    evaluation_no: int | None
    learned_validation: bool | None
    cells: tuple[Cell, ...]
    cost: Cost | None

    @property
    def measured_ks(self) -> set[int]:
        """Lengths of lists with a recall."""
        return {cell.k for cell in self.cells if cell.metric == "recall" and cell.mean is not None}


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
    """The comparison. paper: the data set of the paper's figures; None: without them."""

    split: str
    protocol: str
    part: str
    paper: str | None
    users: int
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
    paper: str | None = "beauty",
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
        lines = [_line(one, by_number.get(one.evaluation_no, {}), ks, figures) for one in found]
        lines += _unmeasured(lines, ks, figures)
        lines.sort(key=_place)
        return PaperTable(
            row.name,
            row.protocol,
            part,
            paper,
            row.n_test if part == "test" else row.n_validation,
            tuple(ks),
            tuple(lines),
            tuple(_gains(connection, row.split_no, part, lines, ks)),
            tuple(missing_cells(connection, row, part, lines, ks, models)),
        )


def label_of(evaluation: StoredEvaluation) -> str:
    """Return the method of an evaluation, with its recipe or re-ranker."""
    options = evaluation.options
    if evaluation.method == "product" and (recipe := options.get("recipe")):
        changed = " (changed)" if recipe.get("is_changed") else ""
        return f"product {recipe['name']}{changed}"
    if evaluation.method == "reranker":
        return f"reranker {options['reranker']['name']}"
    if evaluation.num_queries is not None:
        return f"{evaluation.method} m={evaluation.num_queries}"
    return evaluation.method


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


def _line(
    evaluation: StoredEvaluation,
    metrics: Mapping[tuple[str, int], Any],
    ks: Sequence[int],
    figures: PaperFigures,
) -> Line:
    method, m = evaluation.method, evaluation.num_queries
    names = [name for name in METRICS if any(key[0] == name for key in metrics)]
    cells = []
    for name in names:
        for k in ks:
            one = metrics.get((name, k)) if method != "queries" or not m or m <= k else None
            values = (one["mean"], one["low"], one["high"]) if one else (None, None, None)
            cells.append(Cell(name, k, *values, figures.value(name, method, m, k)))
    options = evaluation.options
    known = options.get("baseline") or options.get("reranker") or options
    number = evaluation.evaluation_no
    learned = known.get("learn_validation")
    return Line(label_of(evaluation), method, m, number, learned, tuple(cells), _cost(evaluation))


def _cost(evaluation: StoredEvaluation) -> Cost:
    options = evaluation.options
    training = options.get("baseline", {}).get("training", {})
    serving = options.get("serving", {})
    seconds = training.get("seconds")
    return Cost(
        None if seconds is None else seconds / 60,
        training.get("peak_memory_mb"),
        training.get("threads"),
        serving.get(
            "seconds_per_1000_users", 1000 * evaluation.seconds / max(evaluation.n_eval_users, 1)
        ),
        serving.get("threads"),
    )


def _unmeasured(lines: Sequence[Line], ks: Sequence[int], figures: PaperFigures) -> list[Line]:
    """Return empty lines for the paper's methods without an evaluation."""
    there = {(line.method, line.num_queries) for line in lines}
    wanted: list[tuple[str, int | None]] = [(name, None) for name in COMPARED]
    wanted += [("queries", k) for k in ks]
    found = []
    for method, m in wanted:
        if (method, m) not in there:
            label = method if m is None else f"{method} m={m}"
            cells = [
                Cell(name, k, None, None, None, figures.value(name, method, m, k))
                for name in METRICS
                for k in ks
            ]
            found.append(Line(label, method, m, None, None, tuple(cells), None))
    return found


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
