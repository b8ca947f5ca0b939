"""Import users, with or without purchases, so that every one of them gets a list."""

from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path

from sqlalchemy import Connection, Engine

from gpt4rec_es.catalog.import_job import DEFAULT_FORMATS, ImportReport, Job, OpenFile, Staged
from gpt4rec_es.catalog.importing import run_import
from gpt4rec_es.db.rows.catalog import CatalogChanges
from gpt4rec_es.db.rows.new_users import apply_users
from gpt4rec_es.db.rows.staging import USER_COLUMNS, stage
from gpt4rec_es.feeds.batches import Batch
from gpt4rec_es.feeds.formats import Formats
from gpt4rec_es.feeds.users import read_users
from gpt4rec_es.protocols import Progress, no_progress


def import_users(
    engine: Engine,
    paths: Sequence[str | Path],
    *,
    actor: str,
    columns: Mapping[str, str] | None = None,
    attributes: Sequence[str] = (),
    formats: Formats = DEFAULT_FORMATS,
    max_rejects: float = 0.01,
    dry_run: bool = False,
    progress: Progress = no_progress,
) -> ImportReport:
    """Import users from files and return the changes; repeating it changes nothing.

    ``columns`` maps ``user_id`` to a column; ``attributes`` are columns that are stored with the
    user. An attribute without a value keeps the stored one.

    Raises:
        UsageError, DataError, DependencyError: see ``importing.run_import``.
    """
    names = tuple(dict.fromkeys(attributes))
    job = Job(
        "users", paths, actor, "own", columns or {}, max_rejects, dry_run, formats, attributes=names
    )
    return run_import(engine, job, _UserStager(names), progress)


class _UserStager:
    """Stages users in file order."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._seq = count()

    def stage(self, connection: Connection, file: OpenFile, batch: Batch) -> Staged:
        """Store the users of ``batch``; return the other records."""
        found = read_users(batch, file.path, self._names, file.reading)
        rows = ((seq, *user) for seq, user in zip(self._seq, found.users, strict=False))
        stage(connection, "staged_new_users", USER_COLUMNS, rows)
        return Staged(found.rejects, found.skipped)

    def apply(self, connection: Connection, dry_run: bool) -> CatalogChanges:
        """Apply the users."""
        return apply_users(connection, dry_run=dry_run)
