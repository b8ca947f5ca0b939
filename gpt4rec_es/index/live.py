"""The live build behind the alias; alias swaps and their records.

The alias in Elasticsearch decides which build is live; the table ``alias_swaps`` records each swap.
``reconcile`` adds the record if a process was killed between the two. The alias is swapped only
under ``index_lock``.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from elasticsearch import Elasticsearch
from sqlalchemy import Connection, Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.locks import HeldLock, hold_lock
from gpt4rec_es.db.rows import audit
from gpt4rec_es.db.rows import builds as rows
from gpt4rec_es.db.rows.builds import Build, list_swaps, record_swap
from gpt4rec_es.elastic.alias import alias_targets, resolve_alias, swap_alias
from gpt4rec_es.elastic.errors import plain_errors
from gpt4rec_es.elastic.similarity import FieldBm25, same_bm25, same_field_bm25
from gpt4rec_es.errors import DataError, UsageError
from gpt4rec_es.index.inspect import describe_index
from gpt4rec_es.records import Bm25

_REBUILD = "Run `gpt4rec reindex` to make one from this catalog."


@contextmanager
def index_lock(engine: Engine, alias: str) -> Iterator[HeldLock]:
    """Hold the lock for building behind ``alias`` and swapping it; it does not expire.

    Raises:
        ConflictError: another process builds or tunes.
    """
    with hold_lock(engine, f"index {alias}") as lock:
        yield lock


def live_build(engine: Engine, client: Elasticsearch, alias: str) -> Build:
    """Return the ready build that ``alias`` points to, after comparing it with its record.

    Raises:
        UsageError: the alias points nowhere, to several indices, or to an index without record.
        DataError: the index differs from its record (replaced, changed, incomplete).
        DependencyError: a server cannot be reached.
    """
    with plain_errors(client):
        index = resolve_alias(client, alias)
    with transaction(engine) as connection:
        build = rows.find_by_index(connection, index)
    if build is None or build.state != "ready":
        raise UsageError(
            f"The alias {alias!r} points to {index}, which is no finished build of this database.",
            "Choose another alias (GPT4REC_INDEX_ALIAS), or `gpt4rec reindex --take-over`.",
        )
    check_build(client, build)
    return build


def check_build(client: Elasticsearch, build: Build) -> None:
    """Compare a ready build's index with the record of its verification.

    Raises:
        DataError: uuid, number of documents, or k1 and b differ.
        UsageError: the index does not exist.
    """
    state = describe_index(client, build.index_name)
    differs = []
    if state.uuid != build.index_uuid:
        differs.append("it is another index of that name")
    if state.documents != build.document_count:
        differs.append(f"it holds {state.documents} documents, not {build.document_count}")
    if not same_bm25(state.bm25, build.bm25):
        found = f"{state.bm25.k1:g}, {state.bm25.b:g}"
        differs.append(f"k1, b are {found} although no command set them")
    if not same_field_bm25(state.field_bm25, build.field_bm25):
        differs.append("k1, b of a field are others although no command set them")
    if differs:
        raise DataError(f"The index {build.index_name} changed: {'; '.join(differs)}.", _REBUILD)


def require_own_alias(
    engine: Engine,
    client: Elasticsearch,
    alias: str,
    *,
    take_over: bool = False,
    actor: str | None = None,
) -> None:
    """Check that ``alias`` points only to builds of this database, so that it may be moved.

    take_over: record that ``actor`` (None: nobody yet) takes it from other indices instead.

    Raises:
        UsageError: it points to an index that this database did not make.
    """
    targets = alias_targets(client, alias)
    with transaction(engine) as connection:
        others = [name for name in targets if rows.find_by_index(connection, name) is None]
        if others and not take_over:
            raise UsageError(
                f"The alias {alias!r} points to {', '.join(others)}, which this database did not "
                "make.",
                "Choose another alias (GPT4REC_INDEX_ALIAS), or move it with --take-over.",
            )
        if others and actor:
            audit.record(connection, actor, "index_take_over", alias, {"indices": others})


def recorded_bm25(engine: Engine, alias: str, default: Bm25) -> tuple[Bm25, FieldBm25]:
    """Return k1, b of titles and fields of the build that is live by the records.

    Without one these are ``default`` and none.
    """
    with transaction(engine) as connection:
        swaps = list_swaps(connection, alias, limit=1)
        if not swaps:
            return default, {}
        build = rows.load(connection, swaps[0].to_build_no)
        return build.bm25, build.field_bm25


def reconcile(engine: Engine, client: Elasticsearch, alias: str) -> None:
    """Record an alias swap whose process was killed before recording it; hold ``index_lock``."""
    targets = alias_targets(client, alias)
    if len(targets) != 1:
        return
    with transaction(engine) as connection:
        build = rows.find_by_index(connection, targets[0])
        swaps = list_swaps(connection, alias, limit=1)
        before = swaps[0].to_build_no if swaps else None
        if build is None or build.state != "ready" or build.build_no == before:
            return
        action = "reindex"
        if build.parent_build_no is not None:
            parent = rows.load(connection, build.parent_build_no)
            action = "bm25" if parent.mapping_hash == build.mapping_hash else "synonyms"
        note = "recorded later: the process that moved the alias was killed"
        reason = f"{build.reason} ({note})" if build.reason else note
        record_swap(connection, alias, before, build.build_no, action, build.actor, reason)
        _audit(connection, alias, action, before, build, build.actor, reason)


def make_live(
    engine: Engine,
    client: Elasticsearch,
    lock: HeldLock,
    build: Build,
    *,
    action: str,
    actor: str,
    reason: str | None,
) -> None:
    """Point the alias to ``build`` in one step and record it; hold ``index_lock`` as ``lock``.

    Raises:
        ConflictError: the lock was lost, or another process swapped the alias.
    """
    alias = build.alias
    old = alias_targets(client, alias)
    with transaction(engine) as connection:
        before = rows.find_by_index(connection, old[0]) if len(old) == 1 else None
        before_no = None if before is None else before.build_no
        record_swap(connection, alias, before_no, build.build_no, action, actor, reason)
        _audit(connection, alias, action, before_no, build, actor, reason)
        # Inside the transaction: a refused swap leaves no record. A swap without record is handled
        # by reconcile.
        lock.check()
        swap_alias(client, alias, old, build.index_name)


def _audit(
    connection: Connection,
    alias: str,
    action: str,
    before_no: int | None,
    build: Build,
    actor: str,
    reason: str | None,
) -> None:
    before = None if before_no is None else _summary(rows.load(connection, before_no))
    audit.record(connection, actor, f"index_{action}", alias, before, _summary(build), reason)


def _summary(build: Build) -> dict[str, object]:
    return {
        "build_no": build.build_no,
        "index_name": build.index_name,
        "k1": build.bm25.k1,
        "b": build.bm25.b,
        "catalog_version": build.catalog_version,
    }
