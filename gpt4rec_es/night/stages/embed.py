"""The embed stage: a vector for each user with purchases, by the run's re-ranker.

It reads what planning froze: each user's newest items, and the item vectors of one catalog version.
Only attributes of users are read as they are now.
"""

from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
from sqlalchemy import Connection, Engine

from gpt4rec_es.db.engine import retrying
from gpt4rec_es.db.rows.item_vectors import store_user_vectors
from gpt4rec_es.db.rows.lists import load_newest
from gpt4rec_es.db.rows.metadata import load_attributes
from gpt4rec_es.db.rows.runs import Run
from gpt4rec_es.night.inputs.parts import VectorMaker
from gpt4rec_es.night.stages.leases import Lease, Work
from gpt4rec_es.ranking.vectors import Fixed, ItemVectors, as_bytes


def embed_shard(
    engine: Engine, run: Run, lease: Lease, maker: VectorMaker, items: ItemVectors
) -> Work:
    """Make the vectors of the shard's users from ``items``, see ``load_run_items``."""
    members = lease.shard.members
    newest = retrying(engine, lambda connection: load_newest(connection, run.run_no, members))
    embedded = embed_users(engine, {user: newest.get(user, ()) for user in members}, maker, items)
    lease.check()
    rows = [(user, as_bytes(vector)) for user, vector in embedded.items()]

    def store(connection: Connection) -> int:
        return store_user_vectors(connection, run.run_no, rows)

    return Work(store)


def embed_users(
    engine: Engine, newest: Mapping[int, Sequence[int]], maker: VectorMaker, items: ItemVectors
) -> dict[int, Fixed]:
    """Return user number -> vector, of those of whose newest items any has a vector.

    newest: purchases by user, newest first.
    """
    known = {}
    if maker.reads_users:
        known = retrying(engine, lambda connection: load_attributes(connection, list(newest)))
    histories = {user: own[: maker.history_length] for user, own in newest.items() if own}
    wanted = np.unique(np.fromiter(chain.from_iterable(histories.values()), np.int64))
    vectors, found = items.of(wanted)
    # Planning made a vector of each item that the re-ranker knows.
    places = {int(item): place for place, item in enumerate(wanted) if found[place]}
    all_read = {
        user: [places[item] for item in one if item in places] for user, one in histories.items()
    }
    read = {user: one for user, one in all_read.items() if one}
    attributes = [known.get(user, {}) for user in read]
    embedded = maker.user_vectors(list(read.values()), vectors, attributes)
    return dict(zip(read, embedded, strict=True))
