"""A whole night in this process: start or resume, drain every stage, publish."""

import datetime as dt
import os
import socket
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from gpt4rec_es.db import locks
from gpt4rec_es.db.rows.rules import rules_on
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.errors import ConflictError
from gpt4rec_es.night.inputs.parts import NightParts
from gpt4rec_es.night.stages.drain import drain
from gpt4rec_es.night.start import KIND, start_night
from gpt4rec_es.options.night import NightOptions
from gpt4rec_es.protocols import Progress, no_progress


@dataclass(frozen=True, slots=True)
class NightReport:
    """What a night did: counts of this process, and of the run as stored.

    tokens: tokens of all hypotheses that this process generated. searches: texts it sent.
    """

    run_id: str
    state: str
    is_new: bool
    users: int
    prompts: int
    tokens: int
    searches: int
    recommendations: int

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {name: getattr(self, name) for name in self.__slots__}


def run_night(
    parts: NightParts,
    options: NightOptions,
    logical_date: dt.date,
    *,
    supersede: bool = False,
    progress: Progress = no_progress,
) -> NightReport:
    """Run the night of ``logical_date``, or go on with an unfinished one; return what it did.

    Raises:
        ConflictError: another process runs a night here, or the unfinished one is of other code.
        GateError: the run was rejected; the last published one stays.
        DependencyError: a server stayed away; running it again goes on where this stopped.
    """
    try:
        with locks.hold_lock(parts.engine, f"night {KIND}"):
            started = start_night(
                parts, options, logical_date, supersede=supersede, progress=progress
            )
            owner = f"{socket.gethostname()}:{os.getpid()}"
            report = drain(parts, options, started.run.run_no, owner, progress=progress)
    except ConflictError as error:
        if "is already held" in error.message and f"night {KIND}" in error.message:
            raise ConflictError(
                f"A night is running already: {error.message}",
                "Watch it with `gpt4rec runs status`; it needs no second one beside it.",
            ) from error
        raise
    counts = report.counts
    return NightReport(
        run_id=report.run.run_id,
        state=report.run.state,
        is_new=started.is_new,
        users=report.run.cohort_size,
        prompts=counts.prompts,
        tokens=counts.tokens,
        searches=counts.searches,
        recommendations=_count_rows(parts, report.run),
    )


def drain_here(parts: NightParts, options: NightOptions, run: Run) -> Run:
    """Drain every stage of ``run`` in this process; return it as it is then."""
    return drain(parts, options, run.run_no, f"{socket.gethostname()}:{os.getpid()}").run


def _count_rows(parts: NightParts, run: Run) -> int:
    with parts.engine.connect() as connection:
        found = connection.execute(
            text("SELECT count(*) FROM recommendations WHERE run_no = :run_no"),
            {"run_no": run.run_no},
        )
        return int(found.scalar_one())


def plan_summary(parts: NightParts, options: NightOptions, logical_date: dt.date) -> dict[str, Any]:
    """Return what a night would start from, changing nothing: for ``--dry-run``."""
    with parts.engine.connect() as connection:
        row = connection.execute(
            text("""
            SELECT (SELECT count(*) FROM users) AS users,
                   (SELECT count(*) FROM items WHERE is_active) AS active_items,
                   (SELECT catalog_version FROM catalog_state) AS catalog_version,
                   (SELECT name FROM generators WHERE is_current) AS generator,
                   (SELECT run_id FROM runs WHERE kind = :kind AND state IN ('planned',
                       'generating', 'searching', 'merging', 'checking')) AS unfinished_run
            """),
            {"kind": KIND},
        ).one()
        blocks = rules_on(connection, logical_date)
    rules = options.rules.as_dict() | ({"block_rules": len(blocks)} if blocks else {})
    return {
        "date": logical_date.isoformat(),
        "users": row.users,
        "active_items": row.active_items,
        "catalog_version": row.catalog_version,
        "generator": row.generator,
        "unfinished_run": row.unfinished_run,
        "k": options.k,
        "num_queries": options.decoding.num_queries,
        "minimum_should_match": options.search.minimum_should_match,
        "rules": rules,
    }
