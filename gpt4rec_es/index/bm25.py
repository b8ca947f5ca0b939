"""Change k1 and b without interrupting searches, by a clone of the live build and an alias swap.

The previous build is kept unchanged, so undo is one alias swap.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from types import MappingProxyType

from elasticsearch import Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import builds as rows
from gpt4rec_es.db.rows.builds import Build, Swap, list_swaps
from gpt4rec_es.elastic.errors import plain_errors
from gpt4rec_es.elastic.index_fields import require_fields
from gpt4rec_es.elastic.similarity import (
    FieldBm25,
    other_than_default,
    same_bm25,
    same_field_bm25,
)
from gpt4rec_es.errors import DataError, UsageError
from gpt4rec_es.index import live
from gpt4rec_es.index.building import derived_build
from gpt4rec_es.index.prune import prune_builds, remove_orphans
from gpt4rec_es.records import Bm25


@dataclass(frozen=True, slots=True)
class Bm25Change:
    """An alias swap to other k1, b. ``after``: the new live build; None: a dry run of a clone.

    fields: k1, b of fields beside the title that have others than the defaults.
    """

    before: Build
    after: Build | None
    bm25: Bm25
    deleted: list[str]
    fields: FieldBm25


def show_bm25(
    engine: Engine, client: Elasticsearch, alias: str, limit: int = 10
) -> tuple[Build, list[Swap]]:
    """Return the live build, its k1 and b as read from the server, and the last alias swaps.

    Raises as ``live_build`` does.
    """
    build = live.live_build(engine, client, alias)
    with transaction(engine) as connection:
        return build, list_swaps(connection, alias, limit)


def set_bm25(
    engine: Engine,
    client: Elasticsearch,
    alias: str,
    bm25: Bm25 | None = None,
    *,
    fields: FieldBm25 = MappingProxyType({}),
    actor: str,
    reason: str | None,
    keep: int = 2,
    dry_run: bool = False,
) -> Bm25Change:
    """Make a build with these values live and return the change; searches continue meanwhile.

    bm25: of titles; fields: of fields beside the title; others keep those of the live build.
    A kept build of the same documents with these values is reused, with all searches stored for it.

    Raises:
        UsageError: the live build has these values already; or the alias cannot be used.
        ConflictError: another process builds or tunes behind this alias.
        DataError: the live index lacks a field; or the clone, which was removed, does not use the
            values.
        DependencyError: a server cannot be reached.
    """
    with plain_errors(client), live.index_lock(engine, alias) as lock:
        if not dry_run:
            live.reconcile(engine, client, alias)
            remove_orphans(engine, client, alias)
        before = live.live_build(engine, client, alias)
        require_fields(client, before.index_name, fields)
        bm25 = before.bm25 if bm25 is None else bm25
        of_fields = other_than_default({**before.field_bm25, **fields})
        if same_bm25(before.bm25, bm25) and same_field_bm25(before.field_bm25, of_fields):
            some = next(iter(fields.values()), bm25)
            raise UsageError(f"k1 {some.k1:g}, b {some.b:g} are live already.")
        wanted = replace(before, field_bm25=of_fields)
        after = reusable_build(engine, client, wanted, bm25)
        if dry_run:
            return Bm25Change(before, after, bm25, [], of_fields)
        if after is None:
            after = derived_build(
                engine, client, before, bm25, actor=actor, reason=reason, field_bm25=of_fields
            )
        live.make_live(engine, client, lock, after, action="bm25", actor=actor, reason=reason)
        deleted = prune_builds(engine, client, alias, keep)
        return Bm25Change(before, after, bm25, deleted, of_fields)


def undo_bm25(
    engine: Engine,
    client: Elasticsearch,
    alias: str,
    *,
    actor: str,
    reason: str | None,
    dry_run: bool = False,
) -> Bm25Change:
    """Make the build before the last ``set_bm25`` live again and return the change.

    A second call undoes the ``set_bm25`` before that one.

    Raises:
        UsageError: the live build came from a reindex, or the previous build is deleted.
        ConflictError: another process builds or tunes behind this alias.
        DependencyError: a server cannot be reached.
    """
    with plain_errors(client), live.index_lock(engine, alias) as lock:
        if not dry_run:
            live.reconcile(engine, client, alias)
        before = live.live_build(engine, client, alias)
        with transaction(engine) as connection:
            changes = undoable(reversed(list_swaps(connection, alias)))
            if not changes or changes[-1].from_build_no is None:
                raise UsageError(
                    "There is no change of k1, b to undo since the last reindex, rollback or "
                    "change of synonyms.",
                    "`gpt4rec index rollback` goes back to the build before.",
                )
            after = rows.load(connection, changes[-1].from_build_no)
        if after.state != "ready":
            raise UsageError(
                f"The build before was deleted; it had k1 {after.bm25.k1:g}, b {after.bm25.b:g}.",
                f"Run `gpt4rec index bm25 set --k1 {after.bm25.k1:g} --b {after.bm25.b:g}`.",
            )
        live.check_build(client, after)
        if not dry_run:
            live.make_live(engine, client, lock, after, action="undo", actor=actor, reason=reason)
        return Bm25Change(before, after, after.bm25, [], after.field_bm25)


def undoable(swaps: Iterable[Swap]) -> list[Swap]:
    """Return the changes of k1, b that can be undone, oldest first; ``swaps`` are oldest first.

    Changes before a reindex, a rollback or a change of synonyms cannot be undone: that would
    restore another catalog, or other synonyms.
    """
    changes: list[Swap] = []
    for swap in swaps:
        if swap.action == "bm25":
            changes.append(swap)
        elif swap.action == "undo":
            del changes[-1:]
        else:
            changes.clear()
    return changes


def reusable_build(engine: Engine, client: Elasticsearch, build: Build, bm25: Bm25) -> Build | None:
    """Return a ready build with the documents of ``build`` and these k1, b, if there is one.

    Of fields it has the values of ``build``.
    """
    with transaction(engine) as connection:
        same = rows.same_content(connection, build)
    for other in same:
        if same_bm25(other.bm25, bm25) and same_field_bm25(other.field_bm25, build.field_bm25):
            try:
                live.check_build(client, other)
            except (DataError, UsageError):
                continue
            return other
    return None
