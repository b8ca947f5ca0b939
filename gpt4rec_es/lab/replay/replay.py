"""Replay: merge a retained night again from its stored rows, with other k1, b, K and so on.

No generator and no partitions are needed: lists are kept in temporary tables until they are
compared, and one row stores the result. Without changes the lists equal the night's, row by row.
"""

from dataclasses import replace

from sqlalchemy import Connection

from gpt4rec_es.db.engine import session, transaction
from gpt4rec_es.db.rows import builds
from gpt4rec_es.db.rows import replays as rows
from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.db.rows.lists import next_users, store_lists
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.db.rows.stored_lists import ListsTable, count_outcomes, count_rows
from gpt4rec_es.elastic.similarity import same_bm25
from gpt4rec_es.errors import ConflictError
from gpt4rec_es.lab.replay.changes import ReplayChanges, changed_run
from gpt4rec_es.lab.replay.diff import (
    changed_entries,
    diff_lists,
    metric_deltas,
    require_comparable,
)
from gpt4rec_es.lab.replay.recipe_changes import bm25_of, fusion_of, not_applied
from gpt4rec_es.lab.replay.result import Replay, metric_rows, replay_row
from gpt4rec_es.lab.replay.sources import (
    LazyRetriever,
    ensure_titles,
    has_new_searches,
    with_co_purchases,
    with_encoder,
    with_search_options,
)
from gpt4rec_es.night.inputs.item_vectors import load_run_items
from gpt4rec_es.night.inputs.parts import NightParts
from gpt4rec_es.night.inputs.rules import item_rules_now, load_item_rules
from gpt4rec_es.night.stages.hits import RunHits
from gpt4rec_es.night.stages.merge import merge_users
from gpt4rec_es.protocols import Progress, Retriever, no_progress

# Users whose hits are in memory at once.
_SLICE = 2_000
_SHOWN = 3


def replay(
    parts: NightParts,
    run_id: str,
    changes: ReplayChanges,
    *,
    store: bool = True,
    items: int = 10,
    split: str | None = None,
    part: str = "test",
    progress: Progress = no_progress,
) -> Replay:
    """Return the result of a replay of run ``run_id`` with ``changes``; ``progress`` counts users.

    store: store the result as a row. items: number of gained and lost items to name. split: also
    measure by its held-out items in ``part``.

    Raises:
        UsageError: there is no such run or split, a change is invalid, or there is no user to
            measure.
        ConflictError: the run is not finished, or was pruned, or needs searches in an index that is
            deleted.
        DependencyError: a server cannot be reached.
    """
    with transaction(parts.engine) as connection:
        run = run_rows.find(connection, run_id)
        _require_lists(connection, run)
        build = builds.load(connection, run.build_no)
    if changes.k is not None:
        build.require_items(changes.k)
    changed = with_search_options(parts, run, changed_run(run, changes))
    changed = with_co_purchases(parts, run, with_encoder(parts, run, build, changed))
    ensure_titles(parts, run, changed)
    if split is not None:
        with transaction(parts.engine) as connection:
            require_comparable(connection, (run, changed), split)
    is_same_build = same_bm25(bm25_of(changed.manifest), build.bm25)
    retriever = LazyRetriever(parts, build, changed, is_same_build)
    with session(parts.engine) as connection:
        rows.create_tables(connection)
        # Commit at once, so that catalog locks are released.
        connection.commit()
        users, searches = _merge(
            parts,
            connection,
            changed,
            retriever,
            keep=is_same_build,
            is_new=has_new_searches(run, changed),
            has_other_rules=bool(changes.rules),
            progress=progress,
        )
        found = _compare(connection, run, changed, searches, items)
        if changes.changed_recipe is not None:
            found = replace(found, not_applied=not_applied(run, changes.changed_recipe.recipe))
        if split is not None:
            measured = metric_deltas(
                connection, ListsTable(run.run_no), _replayed(run), (run, changed), split, part
            )
            found = replace(found, metrics=measured)
        if users != run.cohort_size or not run_rows.has_lists(connection, run.run_no):
            raise ConflictError(f"The lists of {run.run_id} were pruned meanwhile.")
    if not store:
        return found
    with transaction(parts.engine) as connection:
        number = rows.store(
            connection, replay_row(changed, found, parts.actor), metric_rows(found.metrics)
        )
    return replace(found, replay_no=number)


def _require_lists(connection: Connection, run: Run) -> None:
    if not run.is_finished:
        raise ConflictError(f"{run.run_id} is {run.state}: it has no lists yet.", "Let it end.")
    if not run_rows.has_lists(connection, run.run_no):
        raise ConflictError(
            f"The lists of {run.run_id} were pruned.", "`gpt4rec runs list` shows others."
        )
    merged = count_outcomes(connection, run.run_no)
    if merged != run.cohort_size:
        raise ConflictError(
            f"{run.run_id} is {run.state}: only {merged:,} of {run.cohort_size:,} users were "
            "merged.",
            "Replay a run that came to its end.",
        )


def _merge(
    parts: NightParts,
    connection: Connection,
    run: Run,
    retriever: Retriever,
    *,
    keep: bool,
    is_new: bool,
    has_other_rules: bool,
    progress: Progress,
) -> tuple[int, int]:
    """Merge all users into temporary tables; return the numbers of users and of searches."""
    done = searches = 0
    with transaction(parts.engine) as reading:
        # Only the run's frozen rules are stored; other rules use the current catalog.
        changed = run.manifest.get("rules") if has_other_rules else None
        rules = item_rules_now(reading, changed) if changed else load_item_rules(reading, run)
        items = load_run_items(reading, run) if fusion_of(run.manifest).uses_reranker else None
    after = -1
    while users := next_users(connection, run.run_no, after, _SLICE):
        hits = RunHits(parts.engine, run, retriever, keep=keep, is_new=is_new)
        merged = merge_users(parts.engine, run, users, hits, rules, check=lambda: None, items=items)
        store_lists(connection, run.run_no, merged.outcomes, merged.rows(), tables=rows.ENDING)
        connection.commit()
        after = users[-1]
        done += len(users)
        searches += hits.searched
        progress(done, run.cohort_size)
    rows.analyze(connection)
    return done, searches


def _replayed(run: Run) -> ListsTable:
    return ListsTable(run.run_no, f"recommendations_{rows.ENDING}")


def _compare(connection: Connection, run: Run, changed: Run, searches: int, items: int) -> Replay:
    differing = rows.find_differing(connection, run.run_no, _SHOWN)
    return Replay(
        replay_no=None,
        run_id=run.run_id,
        changed=changed_entries(run.manifest, changed.manifest),
        users=run.cohort_size,
        recommendations=count_rows(connection, _replayed(run)),
        searches=searches,
        is_equal=differing.rows == 0,
        differing_rows=differing.rows,
        differing_users=differing.users,
        lists=diff_lists(connection, ListsTable(run.run_no), _replayed(run), items=items),
    )
