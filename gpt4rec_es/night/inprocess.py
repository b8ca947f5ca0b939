"""Run a whole night in this process: start or resume, drain every stage, publish."""

import datetime as dt
import logging
import os
import socket
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from gpt4rec_es.db import locks
from gpt4rec_es.db.rows import encoders, generators, rerankers, runs
from gpt4rec_es.db.rows.history import count_users, data_versions
from gpt4rec_es.db.rows.items import count_active
from gpt4rec_es.db.rows.rules import rules_on
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.db.rows.stored_lists import ListsTable, count_rows
from gpt4rec_es.errors import ConflictError, LockedError
from gpt4rec_es.night.drain import drain
from gpt4rec_es.night.inputs.manifest import no_generator
from gpt4rec_es.night.inputs.parts import NightParts
from gpt4rec_es.night.start import KIND, start_night
from gpt4rec_es.options.night import NightOptions
from gpt4rec_es.protocols import Progress, no_progress
from gpt4rec_es.recipes.lacks import lacks

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NightReport:
    """Result of a night: counts of this process, and of the stored run.

    tokens: tokens of all hypotheses that this process generated. searches: texts that it searched.
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
    """Run the night of ``logical_date``, or resume an unfinished one; return its result.

    Raises:
        ConflictError: another process runs a night, or the unfinished run was planned by other
        code. GateError: the run was rejected; the last published run stays. DependencyError: a
        server was unavailable for too long; the next call resumes the run.
    """
    with ExitStack() as held:
        try:
            held.enter_context(locks.hold_lock(parts.engine, f"night {KIND}"))
        except LockedError as error:
            raise ConflictError(
                f"A night is running already: {error.message}",
                "Watch it with `gpt4rec runs status`; do not start a second one.",
            ) from error
        started = start_night(parts, options, logical_date, supersede=supersede, progress=progress)
        owner = f"{socket.gethostname()}:{os.getpid()}"
        report = drain(parts, options, started.run.run_no, owner, progress=progress)
    counts = report.counts
    with parts.engine.connect() as connection:
        stored = count_rows(connection, ListsTable(report.run.run_no))
    return NightReport(
        run_id=report.run.run_id,
        state=report.run.state,
        is_new=started.is_new,
        users=report.run.cohort_size,
        prompts=counts.prompts,
        tokens=counts.tokens,
        searches=counts.searches,
        recommendations=stored,
    )


def drain_here(parts: NightParts, options: NightOptions, run: Run) -> Run:
    """Drain every stage of ``run`` in this process; return the run as it is afterwards."""
    return drain(parts, options, run.run_no, f"{socket.gethostname()}:{os.getpid()}").run


# Names of the numbers of rules in a summary, by action, as in manifests.
_NAMES = {"block": "block_rules", "boost": "boosts", "pin": "pins"}


def plan_summary(parts: NightParts, options: NightOptions, logical_date: dt.date) -> dict[str, Any]:
    """Return the inputs that a night would use, without changes, for ``--dry-run``.

    Raises:
        UsageError: no generator is in use, and the recipe has no other source; or no re-ranker or
            encoder of its name is registered.
    """
    recipe = options.recipe.recipe
    with parts.engine.connect() as connection:
        users, active_items = count_users(connection), count_active(connection)
        catalog_version = data_versions(connection)["catalog_version"]
        generator = generators.current(connection)
        if recipe.reranker is not None:
            rerankers.get(connection, recipe.reranker)
        if recipe.encoder is not None:
            encoders.get(connection, recipe.encoder)
        lacking = lacks(connection, options.recipe)
        unfinished = runs.unfinished(connection, KIND)
        actions = Counter(rule.action for rule in rules_on(connection, logical_date))
    if generator is None and recipe.needs_generator:
        raise no_generator(options.recipe.name)
    for lack in lacking:
        log.warning("a night here would be refused. %s %s", *lack)
    rules = options.rules.as_dict() | {_NAMES[action]: n for action, n in actions.items()}
    return {
        "date": logical_date.isoformat(),
        "users": users,
        "active_items": active_items,
        "catalog_version": catalog_version,
        "generator": generator.name if generator else None,
        "unfinished_run": unfinished[0].run_id if unfinished else None,
        "k": options.k,
        "num_queries": options.decoding.num_queries if recipe.writes_queries else 0,
        "recipe": options.recipe.name,
        "reranker": recipe.reranker,
        "encoder": recipe.encoder,
        "sources": recipe.sources,
        "minimum_should_match": options.search.minimum_should_match,
        "rules": rules,
        "holdback": options.holdback.as_dict()["arms"],
    }
