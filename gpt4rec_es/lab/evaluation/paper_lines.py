"""Lines of the paper's comparison: a method with its metrics, the paper's figures, and its cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gpt4rec_es.db.rows.evaluations import StoredEvaluation
from gpt4rec_es.lab.evaluation.paper_figures import COMPARED, PaperFigures

METRICS = (
    *("recall", "diversity_category", "coverage_category", "diversity_brand", "coverage_brand"),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """A metric at one K: its mean with the 95 % interval, and the paper's figure.

    mean: None: there is no evaluation at this K. paper: None: the paper has none. evaluation_no:
    of the mean.
    """

    metric: str
    k: int
    mean: float | None
    low: float | None
    high: float | None
    paper: float | None
    evaluation_no: int | None = None


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
    """One method. evaluation_no: of its newest evaluation; None: it has not been measured.

    label: see ``labels_of``. learned_validation: None: unknown. users: on how many it was measured.
    """

    label: str
    method: str
    num_queries: int | None
    evaluation_no: int | None
    learned_validation: bool | None
    cells: tuple[Cell, ...]
    cost: Cost | None
    users: int | None = None

    @property
    def measured_ks(self) -> set[int]:
        """Lengths of lists with a recall."""
        return {cell.k for cell in self.cells if cell.metric == "recall" and cell.mean is not None}


def learned_validation(options: Mapping[str, Any]) -> bool | None:
    """Return whether a method learned from the validation part, by its evaluation's options.

    Of a product that is what its co-purchases are counted in. None: unknown.
    """
    trained = options.get("baseline") or options.get("reranker") or {}
    found: bool | None = options.get("learn_validation", trained.get("learn_validation"))
    return found


def line_of(
    label: str,
    evaluations: Sequence[StoredEvaluation],
    metrics: Mapping[int, Mapping[tuple[str, int], Any]],
    ks: Sequence[int],
    figures: PaperFigures,
) -> Line:
    """Return the line of evaluations of one method, the newest one last.

    A cell is that of the newest one with lists of its length. metrics: means with their intervals
    by name and K, by evaluation.
    """
    newest = evaluations[-1]
    method, m = newest.method, newest.num_queries
    found: dict[tuple[str, int], Any] = {}
    for one in evaluations:
        found |= metrics.get(one.evaluation_no, {})
    cells = []
    for name in (name for name in METRICS if any(key[0] == name for key in found)):
        for k in ks:
            own = found.get((name, k)) if method != "queries" or not m or m <= k else None
            mean, low, high, number = (
                own and own[key] for key in ("mean", "low", "high", "evaluation_no")
            )
            value = figures.value(name, method, m, k)
            cells.append(Cell(name, k, mean, low, high, value, number))
    number, learned = newest.evaluation_no, learned_validation(newest.options)
    cost, users = _cost(newest), newest.n_eval_users
    return Line(label, method, m, number, learned, tuple(cells), cost, users)


def _cost(evaluation: StoredEvaluation) -> Cost:
    options = evaluation.options
    trained = options.get("baseline") or options.get("reranker") or {}
    training = trained.get("training", {})
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


def unmeasured(lines: Sequence[Line], ks: Sequence[int], figures: PaperFigures) -> list[Line]:
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
