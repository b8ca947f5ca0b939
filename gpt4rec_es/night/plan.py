"""Planning: one transaction that freezes all inputs of a run.

After the commit, imports, tuning and registered generators do not change the run. Before the commit
nothing is stored, so a planner may be killed at any moment.
"""

import datetime as dt
import logging
from typing import NamedTuple

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from gpt4rec_es.db import locks
from gpt4rec_es.db.engine import disable_statement_timeout
from gpt4rec_es.db.errors import SERIALIZATION_FAILURE, sqlstate
from gpt4rec_es.db.rows import audit, measures
from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.db.rows.builds import Build
from gpt4rec_es.db.rows.co_purchases import is_current
from gpt4rec_es.db.rows.cohort import freeze_users
from gpt4rec_es.db.rows.encoders import Encoder
from gpt4rec_es.db.rows.health import clock
from gpt4rec_es.db.rows.history import data_versions
from gpt4rec_es.db.rows.holdback import freeze_holdback
from gpt4rec_es.db.rows.measures import Measured
from gpt4rec_es.db.rows.pins import pin as pin_build
from gpt4rec_es.db.rows.shard_plans import plan_generate
from gpt4rec_es.errors import ConflictError, UsageError
from gpt4rec_es.night.inputs import chosen_titles
from gpt4rec_es.night.inputs.canary import choose_canary
from gpt4rec_es.night.inputs.co_purchases import ensure_co_purchases
from gpt4rec_es.night.inputs.cohort import freeze_popular, freeze_titles, stage_cohort
from gpt4rec_es.night.inputs.hide_purchases import freeze_held_out
from gpt4rec_es.night.inputs.manifest import make_manifest
from gpt4rec_es.night.inputs.near import frozen_encoder
from gpt4rec_es.night.inputs.opened import (
    Ranker,
    Writer,
    open_encoder,
    open_ranker,
    open_writer,
    vectors_version,
)
from gpt4rec_es.night.inputs.parts import NightParts
from gpt4rec_es.night.inputs.rules import (
    freeze_filters,
    freeze_rules,
    rules_manifest,
    search_options_number,
)
from gpt4rec_es.options.night import NightOptions
from gpt4rec_es.prompts.keys import canonical_json, hash128
from gpt4rec_es.protocols import Progress, no_progress
from gpt4rec_es.retrieval.query_filters import title_test
from gpt4rec_es.version import code_version

log = logging.getLogger(__name__)

# A prune holds its lock for about a second per batch.
_WAIT_FOR_PRUNE_S = 60
# Imports make an attempt void, and so do texts that other processes store meanwhile.
_ATTEMPTS = 5


class _Made(NamedTuple):
    """What was made or opened before the transaction of a plan.

    set_no: co-purchases; vectors_version: catalog version of item vectors; None: not needed.
    """

    writer: Writer | None
    ranker: Ranker | None
    encoder: Encoder | None
    build_no: int
    set_no: int | None
    vectors_version: int | None


def plan_run(
    parts: NightParts,
    options: NightOptions,
    logical_date: dt.date,
    *,
    kind: str = "nightly",
    progress: Progress = no_progress,
) -> run_rows.Run:
    """Plan a run for ``logical_date`` and return it; reindexes first if the index is not current.

    Raises:
        ConflictError: a run of this kind is unfinished, another process is planning, or files of a
        network differ from those registered. UsageError: a network that the recipe needs is not
        registered or in use, or there is no user.
    """
    writer, ranker = open_writer(parts, options), open_ranker(parts, options)
    encoder = open_encoder(parts, options)
    # The first vectors of a re-ranker take long, and the lock keeps others waiting, as erasures do.
    vectors_version(parts, ranker, progress)
    with locks.hold_lock(parts.engine, f"plan {kind}"):
        for _ in range(_ATTEMPTS):
            build_no = parts.ensure_index(options.recipe.recipe.encoder)
            set_no = None
            if options.fusion.needs_co_purchases:
                set_no = ensure_co_purchases(parts.engine, options.fusion, progress=progress)
            vectors_as_of = vectors_version(parts, ranker, progress)
            made = _Made(writer, ranker, encoder, build_no, set_no, vectors_as_of)
            # Taken before the transaction, so that its snapshot is not older than the lock.
            with locks.hold_lock(parts.engine, locks.TEXTS, shared=True, wait_s=_WAIT_FOR_PRUNE_S):
                try:
                    run = _plan_once(parts, options, logical_date, kind, made, progress)
                except DBAPIError as error:
                    # Another process stored a row, such as the same text, after the snapshot.
                    if sqlstate(error) != SERIALIZATION_FAILURE:
                        raise
                    run = None
            if run is not None:
                return run
            log.warning("the data changed during planning; planning again")
    raise ConflictError(
        f"Other processes changed the data during each of {_ATTEMPTS} attempts to plan a night.",
        "Wait for imports, evaluations and tunings to end, then start the night again.",
    )


def _plan_once(
    parts: NightParts,
    options: NightOptions,
    logical_date: dt.date,
    kind: str,
    made: _Made,
    progress: Progress,
) -> run_rows.Run | None:
    """Plan in one transaction; None: the data changed since ``made`` was."""
    writer, ranker = made.writer, made.ranker
    engine = parts.engine.execution_options(isolation_level="REPEATABLE READ")
    with engine.connect() as connection, connection.begin():
        disable_statement_timeout(connection)
        _refuse_second(connection, kind)
        versions = data_versions(connection)
        history_version = versions["history_version"]
        build = pin_build(connection, made.build_no)
        if {build.catalog_version, made.vectors_version} - {None, versions["catalog_version"]}:
            return None
        if made.set_no is not None and not is_current(connection, made.set_no):
            return None
        if ranker and not ranker.has_vectors(connection, made.vectors_version):
            return None
        may_search = title_test(options.filters.phrases)
        generator = writer and writer.generator
        staged = stage_cohort(
            connection,
            generator,
            history_version,
            max(options.fusion.history, ranker.row.history_length if ranker else 0),
            may_search,
            progress,
        )
        if staged == 0:
            raise UsageError(
                "There is no user to recommend for.",
                "Load purchases with `gpt4rec import interactions FILE`.",
            )
        choice = chosen_titles.choose_titles(connection, options.decoding, generator)
        run_no = _insert_run(
            connection,
            parts,
            options,
            kind,
            logical_date,
            made,
            build,
            history_version,
            staged,
            choice,
        )
        freeze_users(connection, run_no)
        if options.holdback.shares:
            freeze_holdback(connection, run_no, options.holdback)
        run = run_rows.load(connection, run_no)
        freeze_rules(connection, run_no, run.manifest.get("rules"))
        freeze_popular(connection, run)
        if options.fusion.uses_titles:
            freeze_titles(connection, run_no, history_version, may_search)
        freeze_held_out(connection, run, generator, may_search)
        chosen_titles.keep_valid(connection, run, choice)
        run = choose_canary(connection, run)
        plan_generate(connection, run, options.generate_shard_size)
        ahead_s = (parts.now() - clock(connection)).total_seconds()
        measures.store(connection, run_no, {measures.CLOCK_AHEAD: Measured(ahead_s, 1)})
        audit.record(connection, parts.actor, "plan", run.run_id)
    return run


def _refuse_second(connection: Connection, kind: str) -> None:
    unfinished = run_rows.unfinished(connection, kind)
    if unfinished:
        raise ConflictError(
            f"Run {unfinished[0].run_id} is unfinished ({unfinished[0].state}).",
            "Let it end (`gpt4rec night` resumes it); see `gpt4rec runs status`.",
        )


def _insert_run(
    connection: Connection,
    parts: NightParts,
    options: NightOptions,
    kind: str,
    logical_date: dt.date,
    made: _Made,
    build: Build,
    history_version: int,
    cohort_size: int,
    choice: chosen_titles.Choice | None,
) -> int:
    writer, ranker = made.writer, made.ranker
    attempt = len(run_rows.of_date(connection, kind, logical_date)) + 1
    rules = rules_manifest(connection, kind, logical_date, options.rules)
    row = writer and writer.row
    prompt = writer.generator.prompt_form if writer else None
    manifest = make_manifest(options, row, build, history_version, cohort_size, rules, prompt)
    filters_no, filters = freeze_filters(connection, options, build.index_name)
    manifest |= {"filters": filters} if filters else {}
    if choice is not None:
        manifest["titles"] = choice.titles_hash
    if ranker is not None and made.vectors_version is not None:
        manifest |= ranker.frozen(made.vectors_version, manifest["frozen_history"])
    if made.encoder is not None:
        manifest["encoder"] = frozen_encoder(connection, made.encoder, build)
    return run_rows.insert(
        connection,
        run_id=f"{kind}-{logical_date.isoformat()}-{attempt}",
        kind=kind,
        logical_date=logical_date,
        attempt=attempt,
        manifest=manifest,
        manifest_hash=hash128(canonical_json(manifest)),
        build_no=build.build_no,
        generator_no=row and row.generator_no,
        decoding_no=chosen_titles.number_decoding(connection, options.decoding, choice),
        k=options.k,
        depth=manifest["depth_ladder"][0],
        history_version=history_version,
        cohort_size=cohort_size,
        code_version=code_version(),
        actor=parts.actor,
        co_purchase_set_no=made.set_no,
        reranker_no=ranker and ranker.row.reranker_no,
        filters_no=filters_no,
        search_options_no=search_options_number(connection, options.search) or None,
    )
