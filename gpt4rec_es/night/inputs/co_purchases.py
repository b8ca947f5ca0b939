"""Create the co-purchase set of a history version and a catalog version unless it is stored.

A set is stored in one transaction, so a killed process leaves nothing and a retry is safe. Memory:
about 50 bytes per counted purchase, plus one block of pairs.
"""

import logging
from array import array
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine

from gpt4rec_es.db import locks
from gpt4rec_es.db.engine import untimed
from gpt4rec_es.db.rows.co_purchases import find_set, load_buyers, store_buyers, store_set
from gpt4rec_es.db.rows.history import data_versions, stream_purchases
from gpt4rec_es.db.rows.items import numbers_by_id
from gpt4rec_es.options.lists import Fusion
from gpt4rec_es.protocols import Progress, no_progress
from gpt4rec_es.ranking.features import Buyers
from gpt4rec_es.ranking.neighbours import Purchases, strongest

# Another night or replay may be creating the same set.
_WAIT_S = 900

log = logging.getLogger(__name__)


def ensure_co_purchases(
    engine: Engine,
    fusion: Fusion,
    *,
    history_version: int | None = None,
    progress: Progress = no_progress,
) -> int:
    """Return the number of the set for ``fusion``, created if it is not stored.

    history_version: interactions up to it are counted; None: the newest. Neighbours are items that
    can be recommended now: active, with a usable title. ``progress`` counts items.
    """
    with locks.hold_lock(engine, "co-purchases", wait_s=_WAIT_S):
        snapshot = engine.execution_options(isolation_level="REPEATABLE READ")
        with snapshot.connect() as connection, connection.begin():
            versions = data_versions(connection)
            if history_version is None:
                history_version = versions["history_version"]
            key = {
                "history_version": history_version,
                "catalog_version": versions["catalog_version"],
                **fusion.counting,
            }
            found = find_set(connection, key)
            if found is not None and load_buyers(connection, found) is not None:
                return found
            # The statement reads all histories.
            untimed(connection)
            item_nos, is_allowed = _items_by_id(connection)
            bought = _bought(connection, item_nos, history_version, fusion.pair_history)
            rows = _neighbour_rows(item_nos, is_allowed, bought, fusion, progress)
            set_no = store_set(connection, rows, key) if found is None else found
            store_buyers(connection, set_no, _count_buyers(item_nos, bought))
        log.info("co-purchases up to history version %s are stored", history_version)
        return set_no


def _neighbour_rows(
    item_nos: NDArray[np.int32],
    is_allowed: NDArray[np.bool_],
    bought: Purchases,
    fusion: Fusion,
    progress: Progress,
) -> Iterator[tuple[int, list[int], list[float]]]:
    """Yield (item number, neighbours, similarities) of each item that has neighbours."""
    found = strongest(bought, fusion.pairs, fusion.neighbours, is_allowed)
    for place, (neighbours, similarities) in enumerate(found):
        if len(neighbours):
            yield int(item_nos[place]), item_nos[neighbours].tolist(), similarities.tolist()
        if (place + 1) % 1000 == 0 or place + 1 == len(item_nos):
            progress(place + 1, len(item_nos))


def _count_buyers(item_nos: NDArray[np.int32], bought: Purchases) -> bytes:
    """Return the numbers of buyers by item number, as they are stored."""
    counts = np.zeros(int(item_nos.max(initial=-1)) + 1, "<i4")
    counts[item_nos] = np.bincount(bought.items, minlength=len(item_nos))
    return counts.tobytes()


def load_item_buyers(connection: Connection, set_no: int) -> Buyers:
    """Return the numbers of buyers of a set that ``ensure_co_purchases`` returned."""
    return Buyers(np.frombuffer(load_buyers(connection, set_no) or b"", "<i4"))


def _items_by_id(connection: Connection) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Return all item numbers in order of item id (the tie-break), and which may be neighbours."""
    found = numbers_by_id(connection)
    item_nos = np.array([row[0] for row in found], np.int32)
    return item_nos, np.array([row[1] for row in found], np.bool_)


def _bought(
    connection: Connection, item_nos: NDArray[np.int32], history_version: int, newest: int
) -> Purchases:
    """Return the newest purchases of all users, items as positions in ``item_nos``."""
    places = np.zeros(int(item_nos.max(initial=0)) + 1, np.int32)
    places[item_nos] = np.arange(len(item_nos), dtype=np.int32)
    items, event_nos, starts = array("i"), array("q"), array("q", [0])
    for bought, moments in stream_purchases(connection, history_version=history_version):
        items.extend(bought[-newest:])
        event_nos.extend(moments[-newest:])
        starts.append(len(items))
    columns = places[np.frombuffer(items, np.int32)] if items else np.zeros(0, np.int32)
    return Purchases.at_times(columns, event_nos, starts, len(item_nos))
