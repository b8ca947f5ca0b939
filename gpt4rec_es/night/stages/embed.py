"""The embed stage: a vector for each user with purchases, by the run's re-ranker.

It reads what planning froze: each user's newest items, and the item vectors of one catalog version.
Only attributes of users are read as they are now.
"""

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
from gpt4rec_es.ranking.vectors import ItemVectors, as_bytes


def embed_shard(
    engine: Engine, run: Run, lease: Lease, maker: VectorMaker, items: ItemVectors
) -> Work:
    """Make the vectors of the shard's users from ``items``, see ``load_run_items``.

    A user gets none if none of the newest items has a vector.
    """
    members = lease.shard.members
    newest = retrying(engine, lambda connection: load_newest(connection, run.run_no, members))
    known = {}
    if maker.reads_users:
        known = retrying(engine, lambda connection: load_attributes(connection, members))
    histories = {user: newest[user][: maker.history_length] for user in members if newest.get(user)}
    wanted = np.unique(np.fromiter(chain.from_iterable(histories.values()), np.int64))
    vectors, found = items.of(wanted)
    # Planning made a vector of each item that the re-ranker knows.
    places = {int(item): place for place, item in enumerate(wanted) if found[place]}
    read = {
        user: [places[item] for item in one if item in places] for user, one in histories.items()
    }
    users = [user for user, one in read.items() if one]
    attributes = [known.get(user, {}) for user in users]
    embedded = maker.user_vectors([read[user] for user in users], vectors, attributes)
    lease.check()
    rows = [(user, as_bytes(vector)) for user, vector in zip(users, embedded, strict=True)]

    def store(connection: Connection) -> int:
        return store_user_vectors(connection, run.run_no, rows)

    return Work(store)
