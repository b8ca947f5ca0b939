"""Working on shards: claim, renew the lease, store once, release, split, give up.

The work of a stage is passed in as a function.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine

from gpt4rec_es.db.engine import retrying, transaction
from gpt4rec_es.db.errors import DATABASE_ERRORS, dependency_error, is_transient
from gpt4rec_es.db.rows import shards as shard_rows
from gpt4rec_es.db.rows.shards import Shard
from gpt4rec_es.errors import DependencyError, LeaseLostError
from gpt4rec_es.logs import scrub

log = logging.getLogger(__name__)

# Longest wait of a shard after an outage, in seconds.
_MAX_DELAY_S = 5.0

# stores a shard's rows in the given transaction and returns their number
Store = Callable[[Connection], int]


@dataclass(frozen=True)
class Work:
    """A shard's work, done but not stored; ``counts`` are its counts by name."""

    store: Store
    counts: Mapping[str, int] = field(default_factory=dict)


class Lease:
    """The lease on one shard during its work; call ``check`` before each costly step."""

    def __init__(self, shard: Shard) -> None:
        self.shard = shard
        self._lost = threading.Event()

    def check(self) -> None:
        """Raise unless the lease is still held.

        Raises:
            LeaseLostError: another worker may have the shard; stop and store nothing.
        """
        if self._lost.is_set():
            raise LeaseLostError(f"The lease of shard {self.shard.shard_no} was lost.")

    def mark_lost(self) -> None:
        """Record that the lease was lost."""
        self._lost.set()


@contextmanager
def kept_alive(engine: Engine, shard: Shard, lease_seconds: float) -> Iterator[Lease]:
    """Renew the lease every third of its duration, in a thread, during the block."""
    lease = Lease(shard)
    stop = threading.Event()

    def renew() -> None:
        while not stop.wait(lease_seconds / 3):
            try:
                with transaction(engine) as connection:
                    shard_rows.renew(connection, shard, lease_seconds)
            except LeaseLostError:
                lease.mark_lost()
                return
            except (DependencyError, *DATABASE_ERRORS) as error:
                # The next try may succeed in time; if not, the fencing token prevents storing.
                log.warning("lease of shard %s not renewed: %s", shard.shard_no, scrub(str(error)))

    thread = threading.Thread(target=renew, name=f"lease-{shard.shard_no}", daemon=True)
    thread.start()
    try:
        yield lease
    finally:
        stop.set()
        thread.join()


def finish(engine: Engine, shard: Shard, work: Work, error: str | None = None) -> int:
    """Store a shard's rows and mark it done in one transaction; return the number of rows.

    Raises:
        LeaseLostError: another worker has the shard; nothing was stored. DependencyError: Postgres
        was unavailable for too long.
    """

    def store_and_finish(connection: Connection) -> int:
        # The fenced update is first: it locks the row, so no worker can claim the shard meanwhile.
        shard_rows.finish(connection, shard, work.counts, error)
        return work.store(connection)

    try:
        return retrying(engine, store_and_finish)
    except LeaseLostError:
        if _is_done(engine, shard):  # the commit succeeded, only its answer was lost
            return 0
        raise


def _is_done(engine: Engine, shard: Shard) -> bool:
    return retrying(engine, lambda connection: shard_rows.is_done(connection, shard))


def give_back(engine: Engine, shard: Shard, error: BaseException) -> None:
    """Release the shard after ``error``; only an error of its own counts as a failure.

    A lost server is none, nor is a stopped process. After a failure the next worker may take the
    shard at once; after an outage it waits, longer with each attempt, at most 5 seconds.
    """
    is_stopped = not isinstance(error, Exception)  # Ctrl-C or SIGTERM
    own_fault = not is_stopped and not is_outage(error)
    delay = min(2.0 ** min(shard.attempt, 6), _MAX_DELAY_S) if is_outage(error) else 0.0
    try:
        with transaction(engine) as connection:
            shard_rows.give_back(
                connection, shard, None if is_stopped else error, delay, is_own_fault=own_fault
            )
    except (LeaseLostError, DependencyError):
        return  # the lease expires without a release


def is_outage(error: BaseException) -> bool:
    """Return whether ``error`` means that a server was unavailable."""
    if isinstance(error, DependencyError):
        return True
    return isinstance(error, DATABASE_ERRORS) and is_transient(error)


def as_dependency_error(engine: Engine, error: BaseException) -> DependencyError:
    """Return an outage as a DependencyError to show."""
    if isinstance(error, DependencyError):
        return error
    return dependency_error(error, engine.url)
