"""The page of evaluations: each metric with its interval, for all users and by segment."""

from collections.abc import Sequence

from sqlalchemy import Engine

from gpt4rec_es.db.rows import page_lab as rows
from gpt4rec_es.db.rows.readings import Value, read
from gpt4rec_es.errors import UsageError
from gpt4rec_es.reports.page import Page, Section, render_page
from gpt4rec_es.reports.tables import Column, Table, table

# Rows of a table, and the list length of segments (the next longer one where it was not measured).
_ROWS = 60
_K = 10
_EVALUATIONS = (
    Column("evaluation_id", "Number", "count"),
    Column("method", "Method"),
    Column("split_name", "Split"),
    Column("part", "Part"),
    Column("generator", "Generator"),
    Column("recipe", "Recipe"),
    Column("users", "Users", "count"),
)
_MEANS = (
    Column("evaluation_id", "Evaluation", "count"),
    Column("method", "Method"),
    Column("mean", "Mean (95 % interval)", "interval"),
    Column("users", "Users", "count"),
)


def render_evaluations(engine: Engine, ids: Sequence[int]) -> str:
    """Return the page of evaluations, by number; the others are compared with the first, by user.

    Raises:
        UsageError: there is no such evaluation.
    """
    values: dict[str, Value] = {"ids": list(ids), "first": ids[0], "rows": _ROWS, "k": _K}
    with engine.connect() as plain:
        connection = plain.execution_options(isolation_level="REPEATABLE READ")
        evaluations = read(connection, rows.EVALUATIONS, values)
        known = {row["evaluation_id"] for row in evaluations.dicts()}
        if missing := sorted(set(ids) - known):
            raise UsageError(
                f"There is no evaluation {missing[0]}.", "`gpt4rec evaluate list` shows them."
            )
        names = [row[0] for row in read(connection, rows.METRICS, values).rows]
        metrics = {
            name: read(connection, rows.METRIC, {**values, "metric": name}) for name in names
        }
        first = names[0] if names else ""
        segments = read(connection, rows.SEGMENTS, {**values, "metric": first})
        differences = {
            name: read(connection, reading, values)
            for name, reading in (
                ("ndcg", rows.NDCG_DIFFERENCES),
                ("recall", rows.RECALL_DIFFERENCES),
            )
            if len(known) > 1
        }
    tables = [
        table(found, f"metric_{name}", name, [Column("k", "K", "count"), *_MEANS])
        for name, found in metrics.items()
    ]
    compared = [
        table(
            found,
            f"difference_{name}",
            f"{name}, minus that of evaluation {ids[0]}",
            [
                Column("k", "K", "count"),
                *_MEANS[:2],
                Column("mean", "Difference (95 % interval)", "interval"),
                _MEANS[-1],
            ],
            empty="They have no users and list lengths of one split in common.",
        )
        for name, found in differences.items()
    ]
    segment = [Column("segment", "Segment"), *_MEANS]
    splits = sorted({f"{row['split_name']}, {row['part']}" for row in evaluations.dicts()})
    return render_page(
        Page(
            f"Evaluation{'s' if len(known) > 1 else ''} " + ", ".join(map(str, sorted(known))),
            f"Measured on held-out purchases: {'; '.join(splits)}",
            lead=""
            if len(splits) == 1
            else "These evaluations are of different splits or parts: "
            "their means cannot be compared.",
            sections=[
                Section(
                    "Methods",
                    [table(evaluations, "evaluations", "Evaluations", _EVALUATIONS)],
                ),
                Section(
                    "Metrics",
                    tables,
                    "By list length K, the best first. Intervals are of each mean.",
                ),
                *_differences(compared, str(ids[0])),
                Section(
                    "Segments",
                    [
                        table(
                            segments,
                            "segments",
                            f"{first} by segment of users",
                            segment,
                            empty="No segments were measured.",
                        )
                    ],
                ),
            ],
            footer="Held-out purchases are known to no method.",
        )
    )


def _differences(compared: Sequence[Table], first: str) -> list[Section]:
    """Return the section of differences user by user, if there are several evaluations."""
    if not compared:
        return []
    lead = (
        f"Means of each user's value minus that by evaluation {first}, with normal intervals; one "
        "without 0 is of a difference that is more than chance. Tests: gpt4rec evaluate compare."
    )
    return [Section(f"Against evaluation {first}, user by user", compared, lead)]
