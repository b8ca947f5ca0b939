"""Parameters and report of an import."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection

from gpt4rec_es.db.rows.catalog import CatalogChanges
from gpt4rec_es.errors import DataError
from gpt4rec_es.feeds.batches import Batch, Feed, Reject
from gpt4rec_es.feeds.shapes import Kind, Shape


@dataclass(frozen=True)
class OpenFile:
    """One file of an import, its reader and its shape."""

    path: str
    feed: Feed
    shape: Shape


class Stager(Protocol):
    """The part of an import that is specific to its kind of records."""

    def stage(self, connection: Connection, file: OpenFile, batch: Batch) -> list[Reject]:
        """Store the records of ``batch`` in the staging tables; return the rejects."""

    def apply(self, connection: Connection, dry_run: bool) -> CatalogChanges:
        """Apply the staged rows in the caller's transaction."""


@dataclass(frozen=True)
class Job:
    """Parameters of an import; see import_items and import_interactions."""

    kind: Kind
    paths: Sequence[str | Path]
    actor: str
    shape: str
    columns: Mapping[str, str]
    max_rejects: float
    dry_run: bool


@dataclass(frozen=True)
class ImportReport:
    """Records read and changed by an import; with ``is_dry_run``, those it would change.

    records = accepted + all rejected; accepted = inserted + updated + unchanged + duplicates.
    rejected: reason code -> count. duplicates: records that a later one of the same key replaced.
    version: version of the catalog or the histories afterwards. seconds: from opening to commit.
    """

    kind: Kind
    import_no: int | None
    is_dry_run: bool
    files: tuple[str, ...]
    shapes: tuple[str, ...]
    records: int
    accepted: int
    rejected: dict[str, int]
    inserted: int
    updated: int
    unchanged: int
    duplicates: int
    deactivated: int
    users_created: int
    version: int | None
    seconds: float
    first_rejects: tuple[Reject, ...]
    error: str | None = None


class ImportStoppedError(DataError):
    """Too many records are invalid, so nothing was changed; ``report`` has the counts."""

    report: ImportReport | None = None
