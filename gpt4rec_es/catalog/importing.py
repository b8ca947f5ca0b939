"""Common part of both imports: read everything, reject invalid records, apply all or nothing.

Records stream into temporary tables; the catalog and the histories are changed in one transaction
at the end, or not at all. Rejects are stored in both cases, with file, line and reason.
"""

import logging
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from gpt4rec_es.catalog.import_job import ImportReport, ImportStoppedError, Job, OpenFile, Stager
from gpt4rec_es.catalog.import_notes import findings, notes, warnings
from gpt4rec_es.db.errors import dependency_error, is_transient
from gpt4rec_es.db.rows import imports
from gpt4rec_es.db.rows.catalog import CatalogChanges
from gpt4rec_es.db.rows.staging import REJECT_COLUMNS, create_tables, stage, store_rejects
from gpt4rec_es.errors import Gpt4RecError, UsageError
from gpt4rec_es.feeds.batches import Batch, Reject
from gpt4rec_es.feeds.opening import open_feed, read_values
from gpt4rec_es.feeds.shapes import find_shape
from gpt4rec_es.feeds.skips import SKIP_BLANK
from gpt4rec_es.gc_freeze import freeze_gc
from gpt4rec_es.logs import scrub
from gpt4rec_es.protocols import Progress

log = logging.getLogger(__name__)

_SHOWN_REJECTS = 10
# Minimum number of rejects before an import that exceeds its limit stops early.
_STOP_FROM = 1000
# Hints by reject code.
_HINTS = {
    "unknown_item": "Import the items first, or allow more by --max-rejects.",
    "not_utf8": "Convert the files, as by iconv -f WINDOWS-1252 -t UTF-8.",
    "missing_id": "Correct the files, skip purchases without a user by --skip-guests, or allow "
    "more by --max-rejects.",
    "bad_price": "Correct the files, say how they write numbers by --decimal, leave the column "
    "out by --column price=, or allow more by --max-rejects.",
    "bad_quote": "Say how the files quote by --quoting, or allow more by --max-rejects.",
    "unterminated_quote": "Say how the files quote by --quoting, or allow more by --max-rejects.",
    "bad_time": "Say how the files write times by --time-format or --time-unit, or allow more by "
    "--max-rejects.",
    "bad_event": "Name purchases by --purchases and returns by --returns, or leave the column out "
    "by --column event=.",
    "no_order": "Map a column to timestamp or ordinal, or take the order of lines by --order file.",
}


def run_import(engine: Engine, job: Job, stager: Stager, progress: Progress) -> ImportReport:
    """Read all files, apply them in one transaction and return the report.

    Raises:
        UsageError: a file cannot be read or matches no shape; nothing was recorded.
        DataError: a file is damaged, or (ImportStoppedError) has too many rejects; nothing was
            changed, the import is recorded as failed together with its rejects.
        DependencyError: the connection to Postgres was lost; nothing was changed.
    """
    if not job.paths:
        raise UsageError("There is no file to import.", "Name at least one.")
    started = time.monotonic()
    freeze_gc()
    with ExitStack() as stack:
        files = [_open(stack, path, job) for path in job.paths]
        try:
            run = _Run(stack.enter_context(imports.own_session(engine)), job, files)
            try:
                changes = run.carry_out(stager, progress)
            except BaseException as error:
                run.record_failure(engine, error)
                raise
        except DBAPIError as error:
            if is_transient(error):
                raise dependency_error(error, engine.url) from error
            raise
        except ImportStoppedError as error:
            error.report = run.report(None, started, error.message)
            raise
        return run.report(changes, started)


def _open(stack: ExitStack, path: str | Path, job: Job) -> OpenFile:
    feed = open_feed(path, job.formats)
    stack.callback(feed.close)
    shape = find_shape(feed.path, job.kind, feed.fields, job.shape, job.columns, job.attributes)
    return OpenFile(feed.path, feed, shape, read_values(feed, path, shape, job.formats))


def _reason(error: BaseException) -> str:
    """Return one line for the table of imports."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    said = str(error) if isinstance(error, Gpt4RecError) else f"{type(error).__name__}: {error}"
    return scrub(said.strip().partition("\n")[0])[:1000]


class _Run:
    """A running import on its own database session."""

    def __init__(self, connection: Connection, job: Job, files: Sequence[OpenFile]) -> None:
        self._connection = connection
        self._job = job
        self._files = files
        self._import_no: int | None = None
        self._accepted = 0
        self._rejected: Counter[str] = Counter()
        self._skipped: Counter[str] = Counter()
        self._first: list[Reject] = []

    def carry_out(self, stager: Stager, progress: Progress) -> CatalogChanges:
        """Stage all records, check the fraction of rejects, and apply the staged rows."""
        job = self._job
        create_tables(self._connection)
        if not job.dry_run:
            names = [file.path for file in self._files]
            self._import_no = imports.start(self._connection, job.kind, names, job.actor)
        self._stage_all(stager, progress)
        self._check_rejects(self._records)
        with self._connection.begin() as transaction:
            changes = stager.apply(self._connection, job.dry_run)
            if job.dry_run:
                transaction.rollback()
            else:
                self._finish(changes)
        return changes

    @property
    def _records(self) -> int:
        blank = self._skipped[SKIP_BLANK]
        return self._accepted + self._rejected.total() + self._skipped.total() - blank

    def _stage_all(self, stager: Stager, progress: Progress) -> None:
        total = sum(file.feed.size for file in self._files) or None
        before = 0
        for file in self._files:
            sources = [file.shape.sources.get(name, ()) for name in self._job.fields]
            for batch in file.feed.batches(sources):
                self._stage(stager, file, batch)
                done = before + file.feed.position
                progress(done, total)
                if total:
                    # Even if the rest had twice as many records per byte, all of them valid.
                    self._check_rejects(2 * self._records * total // max(done, 1), _STOP_FROM)
            before += file.feed.size
            progress(before, total)

    def _stage(self, stager: Stager, file: OpenFile, batch: Batch) -> None:
        records = len(batch.values) + len(batch.rejects)
        rejects, skipped = stager.stage(self._connection, file, batch)
        rejects.sort(key=lambda reject: reject.line or 0)
        if rejects:
            rows = [
                (number, file.path, one.line, one.code, one.reason, one.excerpt)
                for number, one in enumerate(rejects, self._rejected.total() + 1)
            ]
            stage(self._connection, "staged_rejects", REJECT_COLUMNS, rows)
        self._skipped.update(skipped)
        left_out = sum(skipped.values()) - skipped.get(SKIP_BLANK, 0)
        self._accepted += records - len(rejects) - left_out
        self._rejected.update(one.code for one in rejects)
        self._first += rejects[: _SHOWN_REJECTS - len(self._first)]

    def _check_rejects(self, records: int, least: int = 0) -> None:
        rejected = self._rejected.total()
        if rejected > least and rejected > self._job.max_rejects * records:
            code, count = self._rejected.most_common(1)[0]
            raise ImportStoppedError(
                f"{rejected:,} of {self._records:,} records read are wrong, most of them {code} "
                f"({count:,}); {self._job.max_rejects:.2%} may be. Nothing was changed.",
                _HINTS.get(code, "Correct the files, or allow more by --max-rejects."),
            )

    def _finish(self, changes: CatalogChanges | None, error: str | None = None) -> None:
        """Store rejects and outcome in the caller's transaction."""
        if self._import_no is None:
            return
        store_rejects(self._connection, self._import_no)
        imports.finish(
            self._connection,
            self._import_no,
            records=self._records,
            rejected=self._rejected.total(),
            inserted=changes.inserted if changes else 0,
            updated=changes.updated + changes.deactivated if changes else 0,
            notes=notes(self._files, self._skipped, changes),
            error=error,
        )

    def record_failure(self, engine: Engine, error: BaseException) -> None:
        """Record that this import failed, on another session if its own is closed."""
        if self._import_no is None:
            return
        reason = _reason(error)
        try:
            with self._connection.begin():
                self._finish(None, reason)
        except SQLAlchemyError:
            log.warning("rejects of a failed import are lost", extra={"import": self._import_no})
            with suppress(SQLAlchemyError), engine.begin() as other:
                imports.finish(
                    other,
                    self._import_no,
                    records=self._records,
                    rejected=self._rejected.total(),
                    error=reason,
                )

    def report(
        self, changes: CatalogChanges | None, started: float, error: str | None = None
    ) -> ImportReport:
        """Return the report for ``changes`` (None: nothing was changed)."""
        made = changes or CatalogChanges(0, 0, 0, 0, 0)
        return ImportReport(
            kind=self._job.kind,
            import_no=self._import_no,
            is_dry_run=self._job.dry_run,
            files=tuple(file.path for file in self._files),
            shapes=tuple(file.shape.name for file in self._files),
            records=self._records,
            accepted=self._accepted,
            rejected=dict(self._rejected.most_common()),
            skipped=dict(self._skipped.most_common()),
            inserted=made.inserted,
            updated=made.updated,
            unchanged=made.unchanged,
            duplicates=made.duplicates,
            deactivated=made.deactivated,
            users_created=made.users_created,
            version=made.version if changes else None,
            seconds=round(time.monotonic() - started, 3),
            first_rejects=tuple(self._first),
            said=findings(self._files),
            without=dict(made.without),
            lost={name: n for name, n in made.lost.items() if n},
            kept={name: n for name, n in made.kept.items() if n},
            warnings=warnings(made),
            error=error,
        )
