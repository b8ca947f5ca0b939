"""Import a shop's items into the catalog."""

from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, Engine

from gpt4rec_es.catalog.import_job import DEFAULT_FORMATS, ImportReport, Job, OpenFile, Staged
from gpt4rec_es.catalog.importing import run_import
from gpt4rec_es.db.rows.catalog import CatalogChanges, apply_items
from gpt4rec_es.db.rows.staging import ITEM_COLUMNS, stage
from gpt4rec_es.feeds.batches import Batch
from gpt4rec_es.feeds.formats import Formats
from gpt4rec_es.feeds.items import read_items
from gpt4rec_es.protocols import Progress, no_progress

OnEmpty = Literal["keep", "clear"]


def import_items(
    engine: Engine,
    paths: Sequence[str | Path],
    *,
    actor: str,
    shape: str = "auto",
    columns: Mapping[str, str] | None = None,
    formats: Formats = DEFAULT_FORMATS,
    on_empty: OnEmpty = "keep",
    max_rejects: float = 0.01,
    deactivate_missing: bool = False,
    max_missing: float = 0.2,
    dry_run: bool = False,
    progress: Progress = no_progress,
) -> ImportReport:
    """Import items from files and return the changes; repeating it changes nothing.

    ``columns`` maps fields (``feeds.shapes.ITEM_FIELDS``) to columns. ``on_empty``: what happens to
    a stored value if the files have the field but no value for it. ``deactivate_missing``: the
    files are the full catalog, so active items missing from them become inactive, unless their
    fraction exceeds ``max_missing``. ``max_rejects`` is a fraction of the records read.

    Raises:
        UsageError, DataError, DependencyError: see ``importing.run_import``.
    """
    job = Job("items", paths, actor, shape, columns or {}, max_rejects, dry_run, formats)
    stager = _ItemStager(deactivate_missing, max_missing, on_empty)
    return run_import(engine, job, stager, progress)


class _ItemStager:
    """Stages items in file order."""

    def __init__(self, deactivate_missing: bool, max_missing: float, on_empty: OnEmpty) -> None:
        self._deactivate_missing = deactivate_missing
        self._max_missing = max_missing
        self._on_empty = on_empty
        self._seq = count()

    def stage(self, connection: Connection, file: OpenFile, batch: Batch) -> Staged:
        """Store the items of ``batch``; return the other records."""
        found = read_items(batch, file.path, file.reading)
        rows = ((seq, *item) for seq, item in zip(self._seq, found.items, strict=False))
        stage(connection, "staged_items", ITEM_COLUMNS, rows)
        if found.rejected_ids:
            ids = ((item_id,) for item_id in found.rejected_ids)
            stage(connection, "staged_rejected_ids", ["item_id"], ids)
        return Staged(found.rejects, found.skipped)

    def apply(self, connection: Connection, dry_run: bool) -> CatalogChanges:
        """Apply the items."""
        return apply_items(
            connection,
            dry_run=dry_run,
            deactivate_missing=self._deactivate_missing,
            max_missing=self._max_missing,
            clear_empty=self._on_empty == "clear",
        )
