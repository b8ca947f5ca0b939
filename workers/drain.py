"""The body of both drain tasks: work on a run's stages, then notify the next stage's workers."""

import logging

from celery import Celery, current_task

from gpt4rec_es.db.rows import runs as run_rows
from gpt4rec_es.errors import ConflictError, DependencyError, GateError, UsageError
from gpt4rec_es.logs import log_context
from gpt4rec_es.night.drain import drain
from gpt4rec_es.night.stages.advance import STAGES_OF
from gpt4rec_es.reports.after_night import write_after_night
from gpt4rec_es.version import is_code_unchanged
from workers.notify import notify
from workers.process import owner, process_runtime

log = logging.getLogger(__name__)


def drain_queue(app: Celery, queue: str, run_id: str) -> None:
    """Drain the stages of ``queue`` for one run; a message for an unknown run is only logged."""
    if not is_code_unchanged():
        log.warning("declined: the program's files changed since this worker started; restart it")
        return
    if not isinstance(run_id, str) or len(run_id) > run_rows.MAX_RUN_ID:
        log.warning("declined: a message without the id of a run")
        return
    runtime = process_runtime()
    with log_context(run=run_id, task=current_task.request.id):
        try:
            with runtime.engine.connect() as connection:
                run = run_rows.find(connection, run_id)
            parts, options = runtime.night_parts(), runtime.night_options()
            report = drain(parts, options, run.run_no, owner(), STAGES_OF[queue])
        except (ConflictError, UsageError) as error:
            log.warning("declined: %s", error)
        except GateError as error:
            log.error("%s", error)
        else:
            log.info("drained: %s, %s shards", report.run.state, report.counts.shards)
            write_after_night(
                runtime.reader_engine,
                runtime.engine,
                runtime.settings.reports_folder,
                run_id,
                report.run.state,
                pictures=runtime.settings.reports_pictures,
                again=False,
            )
            try:
                notify(app, report.run, float(runtime.settings.redrive_seconds))
            except DependencyError as error:  # the work is stored, and re-drivers notify again
                log.warning("%s", error)
