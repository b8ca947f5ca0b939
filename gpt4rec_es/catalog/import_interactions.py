"""Import a shop's purchases (or other interactions) into the histories."""

from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path

from sqlalchemy import Connection, Engine

from gpt4rec_es.catalog.import_job import DEFAULT_FORMATS, ImportReport, Job, OpenFile, Staged
from gpt4rec_es.catalog.importing import run_import
from gpt4rec_es.db.rows.catalog import CatalogChanges, apply_interactions
from gpt4rec_es.db.rows.staging import INTERACTION_COLUMNS, load_item_nos, stage
from gpt4rec_es.feeds.batches import Batch, Reject, excerpt, shown
from gpt4rec_es.feeds.formats import Formats
from gpt4rec_es.feeds.interactions import Interactions, Order, read_interactions
from gpt4rec_es.protocols import Progress, no_progress

# Maximum number of item numbers cached in memory; further ones are looked up again.
_KEPT_ITEMS = 500_000


def import_interactions(
    engine: Engine,
    paths: Sequence[str | Path],
    *,
    actor: str,
    shape: str = "auto",
    columns: Mapping[str, str] | None = None,
    formats: Formats = DEFAULT_FORMATS,
    order: Order = "record",
    max_rejects: float = 0.01,
    dry_run: bool = False,
    progress: Progress = no_progress,
) -> ImportReport:
    """Import interactions from files and return the changes; repeating it changes nothing.

    ``columns`` maps fields (``feeds.shapes.INTERACTION_FIELDS``) to columns. ``order`` "file":
    without time and ordinal, the line number is the order. Unknown items are rejects, unknown users
    are created. Returns and other events than purchases are skipped.

    Raises:
        UsageError, DataError, DependencyError: see ``importing.run_import``.
    """
    job = Job("interactions", paths, actor, shape, columns or {}, max_rejects, dry_run, formats)
    return run_import(engine, job, _InteractionStager(order), progress)


class _InteractionStager:
    """Stages interactions in file order, with the numbers of their items."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._seq = count()
        self._known: dict[str, int] = {}
        self._file: OpenFile | None = None
        self._lines_before = self._last_line = 0

    def stage(self, connection: Connection, file: OpenFile, batch: Batch) -> Staged:
        """Store the interactions of ``batch``; return the other records."""
        if file is not self._file:
            self._file = file
            self._lines_before += self._last_line
        if batch.lines:
            self._last_line = batch.lines[-1]
        found, rejects = read_interactions(
            batch, file.path, file.reading, self._order, self._lines_before
        )
        item_nos = self._item_nos(connection, found.item_ids)
        rows = zip(
            self._seq,
            found.user_ids,
            item_nos,
            found.event_nos,
            found.has_times,
            found.ordinals,
            found.ratings,
            strict=False,  # the counter is unbounded
        )
        known = [row for row in rows if row[2] is not None]
        stage(connection, "staged_interactions", INTERACTION_COLUMNS, known)
        if len(known) < len(item_nos):
            rejects += _unknown_items(file, found, item_nos)
        return Staged(rejects, found.skipped)

    def apply(self, connection: Connection, dry_run: bool) -> CatalogChanges:
        """Apply the interactions."""
        return apply_interactions(connection, dry_run=dry_run)

    def _item_nos(self, connection: Connection, item_ids: Sequence[str]) -> list[int | None]:
        """Return the number of each item; None where the catalog has none."""
        wanted = set(item_ids)
        missing = wanted - self._known.keys()
        if len(self._known) + len(missing) > _KEPT_ITEMS:
            self._known.clear()
            missing = wanted
        if missing:
            self._known |= load_item_nos(connection, missing)
        return [self._known.get(item_id) for item_id in item_ids]


def _unknown_items(
    file: OpenFile, found: Interactions, item_nos: Sequence[int | None]
) -> list[Reject]:
    return [
        Reject(
            file.path,
            line,
            "unknown_item",
            f"the catalog has no item {shown(item_id)}",
            excerpt(raw),
        )
        for line, raw, item_id, item_no in zip(
            found.lines, found.raws, found.item_ids, item_nos, strict=True
        )
        if item_no is None
    ]
