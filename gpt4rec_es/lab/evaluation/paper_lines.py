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


def learned_validation(options: Mapping[str, Any]) -> bool | None:
    """Return whether a method learned from the validation part, by its evaluation's options.

    Of a product that is what its co-purchases are counted in. None: unknown.
    """
    trained = options.get("baseline") or options.get("reranker") or {}
    found: bool | None = options.get("learn_validation", trained.get("learn_validation"))
    return found


def line_of(
    evaluation: StoredEvaluation,
    metrics: Mapping[tuple[str, int], Any],
    ks: Sequence[int],
    figures: PaperFigures,
) -> Line:
    """Return the line of an evaluation; metrics: its means with their intervals by name and K."""
    method, m = evaluation.method, evaluation.num_queries
    names = [name for name in METRICS if any(key[0] == name for key in metrics)]
    cells = []
    for name in names:
        for k in ks:
            one = metrics.get((name, k)) if method != "queries" or not m or m <= k else None
            mean, low, high = (one and one[key] for key in ("mean", "low", "high"))
            cells.append(Cell(name, k, mean, low, high, figures.value(name, method, m, k)))
    number, learned = evaluation.evaluation_no, learned_validation(evaluation.options)
    return Line(label_of(evaluation), method, m, number, learned, tuple(cells), _cost(evaluation))


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
