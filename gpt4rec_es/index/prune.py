"""Delete indices: unneeded old builds, and leftovers of killed or failed builds.

Never deleted: the live build, builds kept for rollback, and pinned builds. The row is updated
before the index is deleted, so after a kill in between the next call deletes the index.
"""

import logging

from elasticsearch import Elasticsearch
from sqlalchemy import Engine

from gpt4rec_es.db.engine import transaction
from gpt4rec_es.db.rows import builds as rows
from gpt4rec_es.db.rows.builds import Swap, list_swaps
from gpt4rec_es.db.rows.pins import load_pins, retire
from gpt4rec_es.elastic.alias import alias_targets
from gpt4rec_es.elastic.names import is_index_of
from gpt4rec_es.index.create import delete_index

log = logging.getLogger(__name__)


def find_orphans(engine: Engine, client: Elasticsearch, alias: str) -> list[str]:
    """Return the leftover indices of killed or failed builds of ``alias``; hold ``index_lock``.

    An index that any alias points to is excluded, and so is one that this database has no record
    of, whatever its name: a build is recorded before its index is created, so it is another's.
    """
    existing = client.indices.get(
        index=f"{alias}-*",
        features=["aliases"],
        expand_wildcards=["open", "closed"],
    ).body
    with transaction(engine) as connection:
        known = {build.index_name: build for build in rows.list_builds(connection, alias)}
    orphans = []
    for name, found in existing.items():
        if not is_index_of(alias, name) or found.get("aliases"):
            continue
        build = known.get(name)
        if build is not None and build.state != "ready":
            orphans.append(name)
    return sorted(orphans)


def remove_orphans(engine: Engine, client: Elasticsearch, alias: str) -> list[str]:
    """Delete the orphans of ``alias`` and mark their records; return their names.

    Hold ``index_lock``, so that every unfinished build is one whose process died.
    """
    orphans = find_orphans(engine, client, alias)
    for name in orphans:
        log.info("deleting the index %s that an unfinished build left", name)
        delete_index(client, name)
    with transaction(engine) as connection:
        for build in rows.list_builds(connection, alias, ["building"]):
            rows.fail(connection, build.build_no, "its process was killed")
    return orphans


def prune_builds(engine: Engine, client: Elasticsearch, alias: str, keep: int = 2) -> list[str]:
    """Delete ready builds of ``alias`` except live, the ``keep`` live before it, and pinned ones.

    Returns the names of the deleted indices; hold ``index_lock``.
    """
    return sorted(
        build.index_name
        for build in prunable(engine, client, alias, keep)
        if remove_build(engine, client, build)
    )


def remove_build(engine: Engine, client: Elasticsearch, build: rows.Build) -> bool:
    """Delete a ready build that is not live, unless it is pinned; hold ``index_lock``."""
    with transaction(engine) as connection:
        is_retired = retire(connection, build.build_no)
    if is_retired:
        log.info("deleting the old index %s", build.index_name)
        delete_index(client, build.index_name)
    return is_retired


def prunable(engine: Engine, client: Elasticsearch, alias: str, keep: int) -> list[rows.Build]:
    """Return the ready builds that are neither live, nor among the ``keep`` before, nor pinned."""
    targets = set(alias_targets(client, alias))
    with transaction(engine) as connection:
        ready = rows.list_builds(connection, alias, ["ready"])
        swaps = list_swaps(connection, alias)
        pins = load_pins(connection)
    live = {build.build_no for build in ready if build.index_name in targets}
    before = [no for no in recently_live(swaps, {b.build_no for b in ready}) if no not in live]
    kept = live | set(pins) | set(before[:keep])
    return [build for build in ready if build.build_no not in kept]


def recently_live(swaps: list[Swap], ready: set[int]) -> list[int]:
    """Return the numbers of the builds in ``ready`` that were live, most recently live first.

    ``swaps`` are newest first.
    """
    numbers: dict[int, None] = {}
    for swap in swaps:
        for number in (swap.to_build_no, swap.from_build_no):
            if number is not None and number in ready:
                numbers.setdefault(number)
    return list(numbers)
