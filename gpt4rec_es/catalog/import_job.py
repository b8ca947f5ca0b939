"""Parameters and report of an import."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from sqlalchemy import Connection

from gpt4rec_es.db.rows.catalog import CatalogChanges
from gpt4rec_es.errors import DataError
from gpt4rec_es.feeds.batches import Batch, Feed, Reject
from gpt4rec_es.feeds.formats import Formats, Reading
from gpt4rec_es.feeds.shapes import FIELDS, Kind, Shape

DEFAULT_FORMATS = Formats()


@dataclass(frozen=True)
class OpenFile:
    """One file of an import, its reader, its shape, and how its values are read."""

    path: str
    feed: Feed
    shape: Shape
    reading: Reading


class Staged(NamedTuple):
    """What became of the records of a batch that were not stored.

    skipped: reason -> number of records left out, and of lines that are no records.
    """

    rejects: list[Reject]
    skipped: Mapping[str, int]


class Stager(Protocol):
    """The part of an import that is specific to its kind of records."""

    def stage(self, connection: Connection, file: OpenFile, batch: Batch) -> Staged:
        """Store the records of ``batch`` in the staging tables; return the others."""

    def apply(self, connection: Connection, dry_run: bool) -> CatalogChanges:
        """Apply the staged rows in the caller's transaction."""


@dataclass(frozen=True)
class Job:
    """Parameters of an import; see import_items and import_interactions.

    attributes: further columns that are read (of users).
    """

    kind: Kind
    paths: Sequence[str | Path]
    actor: str
    shape: str
    columns: Mapping[str, str]
    max_rejects: float
    dry_run: bool
    formats: Formats = DEFAULT_FORMATS
    attributes: Sequence[str] = ()

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of a record, in the order in which the stager receives them."""
        return (*FIELDS[self.kind], *self.attributes)


@dataclass(frozen=True)
class ImportReport:
    """Records read and changed by an import; with ``is_dry_run``, those it would change.

    records = accepted + rejected + skipped but for blank lines; accepted = inserted + updated +
    unchanged + duplicates.
    rejected: reason code -> count. duplicates: records that a later one of the same key replaced.
    version: version of the catalog or the histories afterwards. seconds: from opening to commit.
    said: what was found out about the files. without: field -> number of items of the catalog
    without it before and after; lost, kept: see ``CatalogChanges``. warnings: what to look at.
    """

    kind: Kind
    import_no: int | None
    is_dry_run: bool
    files: tuple[str, ...]
    shapes: tuple[str, ...]
    records: int
    accepted: int
    rejected: dict[str, int]
    skipped: dict[str, int]
    inserted: int
    updated: int
    unchanged: int
    duplicates: int
    deactivated: int
    users_created: int
    version: int | None
    seconds: float
    first_rejects: tuple[Reject, ...]
    said: tuple[str, ...] = ()
    without: dict[str, tuple[int, int]] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    error: str | None = None


class ImportStoppedError(DataError):
    """Too many records are invalid, so nothing was changed; ``report`` has the counts."""

    report: ImportReport | None = None
