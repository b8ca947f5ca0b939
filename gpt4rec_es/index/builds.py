"""List, pin and prune index builds, and roll back to an earlier one."""

from dataclasses import dataclass

from elasticsearch import Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import audit
from gpt4rec_es.db.rows import builds as rows
from gpt4rec_es.db.rows.builds import Build, list_swaps
from gpt4rec_es.db.rows.pins import load_pins, pinnable, set_pinned
from gpt4rec_es.elastic.alias import alias_targets
from gpt4rec_es.elastic.errors import plain_errors
from gpt4rec_es.errors import UsageError
from gpt4rec_es.index import live
from gpt4rec_es.index.prune import (
    find_orphans,
    prunable,
    prune_builds,
    recently_live,
    remove_orphans,
)


@dataclass(frozen=True, slots=True)
class BuildStatus:
    """A build, whether the alias points to it, and its pins: "hand", or ids of runs."""

    build: Build
    is_live: bool
    pinned_by: list[str]


def list_builds(
    engine: Engine, client: Elasticsearch, alias: str, *, with_gone: bool = False
) -> list[BuildStatus]:
    """Return the builds for ``alias``, newest first; ``with_gone``: with failed and deleted ones.

    Raises:
        DependencyError: a server cannot be reached.
    """
    with plain_errors(client):
        targets = alias_targets(client, alias)
    with transaction(engine) as connection:
        states = () if with_gone else ("building", "ready")
        found = rows.list_builds(connection, alias, states)
        pinned = load_pins(connection)
    return [
        BuildStatus(build, build.index_name in targets, pinned.get(build.build_no, []))
        for build in found
    ]


def prune_index(
    engine: Engine, client: Elasticsearch, alias: str, *, keep: int = 2, dry_run: bool = False
) -> list[str]:
    """Delete unneeded builds and leftovers of killed ones; return the names of their indices.

    Kept are the live build, the ``keep`` builds that were live before it, and pinned ones.

    Raises:
        ConflictError: another process builds or tunes behind this alias.
        DependencyError: a server cannot be reached.
    """
    with plain_errors(client), live.index_lock(engine, alias):
        if dry_run:
            old = [build.index_name for build in prunable(engine, client, alias, keep)]
            return sorted({*find_orphans(engine, client, alias), *old})
        live.reconcile(engine, client, alias)
        orphans = remove_orphans(engine, client, alias)
        return sorted([*orphans, *prune_builds(engine, client, alias, keep)])


def set_build_pinned(
    engine: Engine,
    build_no: int,
    *,
    is_pinned: bool,
    actor: str,
    reason: str | None,
    dry_run: bool = False,
) -> Build:
    """Pin a build so that it is not pruned, or unpin it; return it.

    dry_run: only check.

    Raises:
        UsageError: there is no such build, or its index is gone.
    """
    with transaction(engine) as connection:
        before = pinnable(connection, build_no, is_pinned)
        if dry_run:
            return before
        set_pinned(connection, build_no, is_pinned)
        if before.is_pinned != is_pinned:
            audit.record(
                connection,
                actor,
                "index_pin" if is_pinned else "index_unpin",
                before.index_name,
                before={"is_pinned": before.is_pinned},
                after={"is_pinned": is_pinned},
                reason=reason,
            )
        return rows.load(connection, build_no)


def rollback_index(
    engine: Engine,
    client: Elasticsearch,
    alias: str,
    *,
    build_no: int | None = None,
    actor: str,
    reason: str | None,
    dry_run: bool = False,
) -> tuple[Build | None, Build]:
    """Make an older build live again and return (live before, live now).

    ``build_no`` None: the one that was live before. If the catalog has changed since the build, the
    next night reindexes. "Live before" is None if the alias pointed to an index of another origin.

    Raises:
        UsageError: there is no such build, or its index is deleted.
        ConflictError: another process builds or tunes behind this alias.
        DependencyError: a server cannot be reached.
    """
    with plain_errors(client), live.index_lock(engine, alias) as lock:
        if not dry_run:
            live.reconcile(engine, client, alias)
        before, after = _find(engine, alias, alias_targets(client, alias), build_no)
        live.check_build(client, after)
        if not dry_run:
            live.make_live(
                engine, client, lock, after, action="rollback", actor=actor, reason=reason
            )
        return before, after


def _find(
    engine: Engine, alias: str, targets: list[str], build_no: int | None
) -> tuple[Build | None, Build]:
    """Return the build of ``targets``, and build ``build_no`` (None: the one live before it)."""
    with transaction(engine) as connection:
        ready = {build.build_no: build for build in rows.list_builds(connection, alias, ["ready"])}
        swaps = list_swaps(connection, alias)
    before = next((build for build in ready.values() if [build.index_name] == targets), None)
    earlier = [number for number in recently_live(swaps, set(ready)) if ready[number] != before]
    wanted = build_no if build_no is not None else next(iter(earlier), None)
    if wanted is None or wanted not in ready:
        name = "an earlier build" if wanted is None else f"a build {wanted}"
        raise UsageError(f"There is not {name} to go back to.", "See `gpt4rec index builds`.")
    if ready[wanted] == before:
        raise UsageError(f"Build {wanted} is live already.", "See `gpt4rec index builds`.")
    return before, ready[wanted]
