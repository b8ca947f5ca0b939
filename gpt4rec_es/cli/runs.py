"""``gpt4rec runs``: look at runs, publish or withdraw one, make sure tonight's is started."""

from typing import Any

import click

from gpt4rec_es.cli import runs_output as shown
from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.names import names
from gpt4rec_es.cli.options import (
    dry_run_option,
    json_option,
    part_option,
    required_reason_option,
    wide_option,
)
from gpt4rec_es.cli.output import emit, print_line
from gpt4rec_es.cli.progress import progress_bar
from gpt4rec_es.cli.report import write_page
from gpt4rec_es.cli.runs_publish import pin, publish, reject, rollback, unpin
from gpt4rec_es.cli.runs_trend import trend


@click.group()
def runs() -> None:
    """Inspect, compare, publish, reject, roll back, pin and prune runs."""


for _command in (publish, reject, rollback, pin, unpin, trend):
    runs.add_command(_command)


@runs.command("list")
@click.option(
    "--limit",
    default=20,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="Maximum number of runs.",
)
@wide_option
@json_option
def list_runs(limit: int, wide: bool, as_json: bool) -> None:
    """List the runs, newest first.

    Example: gpt4rec runs list --limit 5
    """
    from gpt4rec_es.db.rows import runs as run_rows

    with get_runtime().engine.connect() as connection:
        published = run_rows.published(connection, "nightly")
        found = [
            shown.row_of(run, run.run_no == published) for run in run_rows.newest(connection, limit)
        ]
    emit(found, as_json, lambda rows: shown.print_list(rows, wide=wide))


@runs.command()
@click.argument("run_id", default="latest", shell_complete=names("run"))
@wide_option
@json_option
def show(run_id: str, wide: bool, as_json: bool) -> None:
    """Show stages, outcomes and gates of RUN_ID (`latest`: the published run).

    Example: gpt4rec runs show latest
    """
    from gpt4rec_es.db.rows import runs as run_rows
    from gpt4rec_es.night.inspect.status import run_status

    with get_runtime().engine.connect() as connection:
        data = run_status(connection, run_rows.find(connection, run_id)).as_dict()
    emit(data, as_json, lambda run: shown.print_status(run, wide=wide))


@runs.command()
@json_option
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Show running and stuck work and the age of the published lists.

    Exit code 3 when a run stands still, nothing was published for
    GPT4REC_MAX_PUBLISHED_AGE_HOURS, or the newest run was rejected or failed.

    Example: gpt4rec runs status --json
    """
    from gpt4rec_es.night.inspect.diagnostics import nights

    runtime = get_runtime()
    with runtime.engine.connect() as connection:
        found = nights(connection, max_age_hours=runtime.settings.max_published_age_hours)
    emit(found.as_dict(), as_json, shown.print_now)
    if found.alarms:
        ctx.exit(3)


@runs.command()
@click.option(
    "--here", is_flag=True, help="Run the night in this process instead of notifying workers."
)
@click.option("--dry-run", is_flag=True, help="Show the night that is due without starting it.")
@json_option
def ensure(here: bool, dry_run: bool, as_json: bool) -> None:
    """Start the night that is due, unless it has run or is running.

    A second scheduler beside Celery beat, for cron or systemd.

    Example: gpt4rec runs ensure --here
    """
    from gpt4rec_es.night.inprocess import drain_here
    from gpt4rec_es.night.schedule import due_date
    from gpt4rec_es.night.start import ensure_night, look_for_due

    runtime = get_runtime()
    due = due_date(runtime.settings.nightly_cron, runtime.settings.timezone)
    data: dict[str, Any] = {"due": due.isoformat(), "dry_run": dry_run}
    data |= {"run_id": None, "state": None}
    parts = runtime.night_parts()
    if dry_run:
        found = look_for_due(parts, due)
        data |= {"action": found.action}
        if found.run:
            data |= {"run_id": found.run.run_id, "state": found.run.state}
    else:
        options = runtime.night_options()
        started = ensure_night(parts, options, due)
        if started and here:
            run = drain_here(parts, options, started.run)
            write_page(runtime, run.run_id, run.state)
            data |= {"run_id": run.run_id, "state": run.state}
        elif started:
            from workers.celery import app
            from workers.notify import notify

            notify(app, started.run, float(runtime.settings.redrive_seconds))
            data |= {"run_id": started.run.run_id, "state": started.run.state}
    emit(data, as_json, shown.print_ensured)


@runs.command()
@click.argument("run_id", shell_complete=names("run"))
@required_reason_option
@dry_run_option
@json_option
def cancel(run_id: str, reason: str, dry_run: bool, as_json: bool) -> None:
    """Stop an unfinished run; its workers stop at their next shard.

    Example: gpt4rec runs cancel nightly-2026-11-28-1 --reason "wrong feed"
    """
    from gpt4rec_es.night import start as night

    run = night.cancel(get_runtime().night_parts(), run_id, reason=reason, dry_run=dry_run)
    verb = "would be" if dry_run else "is"
    emit(
        {"cancelled": run.run_id, "was": run.state, "dry_run": dry_run},
        as_json,
        lambda _: print_line(f"{run.run_id}, which was {run.state}, {verb} cancelled."),
    )


@runs.command()
@click.argument("first", shell_complete=names("run"))
@click.argument("second", default="latest", shell_complete=names("run"))
@click.option("--split", shell_complete=names("split"), help="Also compare recall on this split.")
@part_option()
@json_option
def diff(first: str, second: str, split: str | None, part: str, as_json: bool) -> None:
    """Compare the lists and queries of two runs; SECOND defaults to the published one.

    Example: gpt4rec runs diff nightly-2026-11-27-1
    """
    from gpt4rec_es.lab.replay.diff import diff_runs

    found = diff_runs(get_runtime().engine, first, second, split=split, part=part)
    emit(found.as_dict(), as_json, shown.print_diff)


@runs.command()
@click.option(
    "--keep-published",
    default=7,
    show_default=True,
    type=click.IntRange(min=0),
    help="Number of published runs to keep.",
)
@click.option(
    "--keep-rejected",
    default=2,
    show_default=True,
    type=click.IntRange(min=0),
    help="Number of other finished runs to keep.",
)
@click.option("--dry-run", is_flag=True, help="Show the runs that would lose their lists.")
@json_option
def prune(keep_published: int, keep_rejected: int, dry_run: bool, as_json: bool) -> None:
    """Drop the lists of old runs, and texts and searches that no run needs.

    The published run, the one before it and pinned ones are always kept.

    Example: gpt4rec runs prune --keep-published 7 --dry-run
    """
    from gpt4rec_es.night.publish.prune import prune as prune_runs

    runtime = get_runtime()
    with progress_bar("Pruning", "rows") as progress:
        report = prune_runs(
            runtime.night_parts(),
            owner=runtime.owner_engine,
            keep_published=keep_published,
            keep_rejected=keep_rejected,
            dry_run=dry_run,
            progress=progress,
        )
    emit(report.as_dict(), as_json, shown.print_pruned)
