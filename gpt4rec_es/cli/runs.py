"""``gpt4rec runs``: look at runs, publish or withdraw one, make sure tonight's is started."""

from typing import Any

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.output import emit, print_line, print_table
from gpt4rec_es.cli.progress import progress_bar

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_STALE_HOURS = 26.0


@click.group()
def runs() -> None:
    """Look at runs; publish one, roll back."""


@runs.command("list")
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="How many."
)
@_JSON
def list_runs(limit: int, as_json: bool) -> None:
    """List the newest runs, newest first."""
    from gpt4rec_es.db import runs as run_rows

    with get_runtime().engine.connect() as connection:
        published = run_rows.published(connection, "nightly")
        found = [_row(run, run.run_no == published) for run in run_rows.newest(connection, limit)]
    emit(found, as_json, _print_list)


@runs.command()
@click.argument("run_id", default="latest")
@_JSON
def show(run_id: str, as_json: bool) -> None:
    """Show one run: stages, outcomes, gates (RUN_ID or `latest`)."""
    from gpt4rec_es.db import runs as run_rows
    from gpt4rec_es.runs.status import run_status

    with get_runtime().engine.connect() as connection:
        data = run_status(connection, run_rows.find(connection, run_id)).as_dict()
    emit(data, as_json, _print_status)


@runs.command()
@_JSON
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Show what runs now, and how old the published lists are.

    Exit code 3 when nothing was published for 26 hours, or the newest run was rejected or failed.
    """
    from gpt4rec_es.db import runs as run_rows
    from gpt4rec_es.runs.status import published_age_hours, run_status

    with get_runtime().engine.connect() as connection:
        newest = run_rows.newest(connection, 1)
        age = published_age_hours(connection)
        data = {
            "published_hours_ago": age,
            "newest": run_status(connection, newest[0]).as_dict() if newest else None,
        }
    emit(data, as_json, _print_now)
    bad = newest and newest[0].state in {"rejected", "failed"}
    if age is None or age > _STALE_HOURS or bad:
        ctx.exit(3)


@runs.command()
@click.argument("run_id")
@click.option("--force", is_flag=True, help="Publish although a gate says no; needs --reason.")
@click.option("--reason", help="Why; kept in the audit.")
@click.option("--dry-run", is_flag=True, help="Only say what the gates find.")
@_JSON
def publish(run_id: str, force: bool, reason: str | None, dry_run: bool, as_json: bool) -> None:
    """Publish RUN_ID: readers see its lists from then on."""
    from gpt4rec_es.runs import publish as publishing

    parts = get_runtime().night_parts()
    if dry_run:
        emit(publishing.gates_of(parts, run_id), as_json, _print_gates)
        return
    run = publishing.publish(parts, run_id, force=force, reason=reason)
    emit(
        {"published": run.run_id}, as_json, lambda d: print_line(f"{d['published']} is published.")
    )


@runs.command()
@click.option("--reason", help="Why; kept in the audit.")
@click.option("--dry-run", is_flag=True, help="Only say which run would be shown.")
@_JSON
def rollback(reason: str | None, dry_run: bool, as_json: bool) -> None:
    """Withdraw the published run: readers see the one before it."""
    from gpt4rec_es.runs import publish as publishing

    run = publishing.rollback(get_runtime().night_parts(), reason=reason, dry_run=dry_run)
    verb = "would be" if dry_run else "is"
    emit(
        {"published": run.run_id, "dry_run": dry_run},
        as_json,
        lambda d: print_line(f"{d['published']} {verb} published again."),
    )


@runs.command()
@click.option("--here", is_flag=True, help="Run it in this process instead of ringing workers.")
@click.option("--dry-run", is_flag=True, help="Only say which date is due.")
@_JSON
def ensure(here: bool, dry_run: bool, as_json: bool) -> None:
    """Start the night that is due unless it ran or runs: a second clock for cron or systemd."""
    from gpt4rec_es.runs.inprocess import drain_here
    from gpt4rec_es.runs.night import ensure_night
    from gpt4rec_es.runs.schedule import due_date

    runtime = get_runtime()
    due = due_date(runtime.settings.nightly_cron, runtime.settings.timezone)
    data: dict[str, Any] = {"due": due.isoformat(), "dry_run": dry_run}
    data |= {"run_id": None, "state": None}
    if not dry_run:
        parts, options = runtime.night_parts(), runtime.night_options()
        started = ensure_night(parts, options, due)
        if started and here:
            run = drain_here(parts, options, started.run)
            data |= {"run_id": run.run_id, "state": run.state}
        elif started:
            from workers.celery import app
            from workers.doorbell import ring

            ring(app, started.run, float(runtime.settings.redrive_seconds))
            data |= {"run_id": started.run.run_id, "state": started.run.state}
    emit(data, as_json, _print_ensured)


@runs.command()
@click.argument("run_id")
@click.option("--reason", required=True, help="Why; kept in the audit.")
def cancel(run_id: str, reason: str) -> None:
    """Stop an unfinished run; its workers stop at their next shard."""
    from gpt4rec_es.db import runs as run_rows
    from gpt4rec_es.runs.night import stop_run

    parts = get_runtime().night_parts()
    with parts.engine.connect() as connection:
        run = run_rows.find(connection, run_id)
    stop_run(parts, run, "cancelled", reason)
    print_line(f"{run.run_id} is cancelled.")


@runs.command()
@click.argument("first")
@click.argument("second", default="latest")
@_JSON
def diff(first: str, second: str, as_json: bool) -> None:
    """Compare the lists and queries of run FIRST with those of SECOND (default: the published)."""
    from gpt4rec_es.runs.diff import diff_runs

    emit(diff_runs(get_runtime().engine, first, second).as_dict(), as_json, _print_diff)


@runs.command()
@click.option("--keep-published", default=7, show_default=True, help="Published runs to keep.")
@click.option("--keep-rejected", default=2, show_default=True, help="Other ended runs to keep.")
@click.option("--dry-run", is_flag=True, help="Only say which runs would lose their lists.")
@_JSON
def prune(keep_published: int, keep_rejected: int, dry_run: bool, as_json: bool) -> None:
    """Drop the lists of old runs, and prompts, queries and searches that no run needs any more.

    The published run and the one before it are always kept.
    """
    from gpt4rec_es.runs.prune import prune as prune_runs

    with progress_bar("Pruning", "runs") as progress:
        report = prune_runs(
            get_runtime().night_parts(),
            keep_published=keep_published,
            keep_rejected=keep_rejected,
            dry_run=dry_run,
            progress=progress,
        )
    emit(report.as_dict(), as_json, _print_pruned)


def _row(run: Any, is_published: bool) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "state": run.state,
        "is_published": is_published,
        "logical_date": run.logical_date,
        "cohort_size": run.cohort_size,
        "k": run.k,
        "planned_at": run.planned_at,
        "finished_at": run.finished_at,
        "error": run.error,
    }


def _print_list(rows: list[dict[str, Any]]) -> None:
    columns = [
        "run_id",
        "state",
        "is_published",
        "cohort_size",
        "planned_at",
        "finished_at",
        "error",
    ]
    print_table(columns, [[row[name] for name in columns] for row in rows])


def _print_status(data: dict[str, Any]) -> None:
    mark = " (published)" if data["is_published"] else ""
    print_line(f"{data['run_id']} is {data['state']}{mark}")
    if data["error"]:
        print_line(f"why: {data['error']}")
    print_line(
        f"{data['cohort_size']:,} users, {data['k']} items each; generator {data['generator']}; "
        f"index {data['index']}, k1 {data['k1']:g}, b {data['b']:g}"
    )
    columns = ["stage", "done", "total", "shards_open", "leases", "expired_leases"]
    columns += ["members_per_second", "eta_seconds", "last_error"]
    print_table(columns, [[stage[name] for name in columns] for stage in data["stages"]])
    for name in ("outcomes", "sources"):
        print_line(f"{name}: " + ", ".join(f"{key} {n:,}" for key, n in data[name].items()))
    _print_gates(data["gates"])


def _print_gates(gates: list[dict[str, Any]]) -> None:
    columns = ["gate", "passed", "measured", "required"]
    print_table(columns, [[gate[name] for name in columns] for gate in gates], "gates")


def _print_now(data: dict[str, Any]) -> None:
    age = data["published_hours_ago"]
    print_line("Nothing is published yet." if age is None else f"Published {age:.1f} hours ago.")
    if data["newest"]:
        _print_status(data["newest"])


def _print_ensured(data: dict[str, Any]) -> None:
    if data["run_id"]:
        print_line(f"{data['run_id']} is {data['state']}.")
    else:
        end = "." if data["dry_run"] else "; there was nothing to start."
        print_line(f"The night due is that of {data['due']}{end}")


def _print_diff(data: dict[str, Any]) -> None:
    print_line(
        f"{data['b']} against {data['a']}: {data['users_in_both']:,} users in both, "
        f"{data['users_only_in_b']:,} new, {data['users_only_in_a']:,} gone"
    )
    print_lists_diff(data)
    print_line(f"{data['users_with_other_queries']:,} users have other queries")
    print_table(
        ["input", "was", "is"],
        [[name, *map(str, values)] for name, values in data["changed_inputs"].items()],
        "changed inputs",
    )


def print_lists_diff(data: dict[str, Any]) -> None:
    """Print how lists differ: how much by users, and which items most gained and lost."""
    if data["mean_jaccard"] is not None:
        deciles = " ".join(f"{value:.2f}" for value in data["deciles"])
        print_line(
            f"lists: {data['equal_lists']:,} equal, mean Jaccard {data['mean_jaccard']:.3f}, "
            f"at 0, 10, ... 100 % of users: {deciles}"
        )
    for name in ("gained", "lost"):
        print_table(
            ["users", "item_id", "title"],
            [[row["users"], row["item_id"], row["title"]] for row in data[name]],
            f"items {name}",
        )


def _print_pruned(data: dict[str, Any]) -> None:
    if data["prompts"] is None:
        print_line(f"Would drop the lists of: {', '.join(data['runs']) or 'no run'}.")
        return
    print_line(f"Dropped the lists of: {', '.join(data['runs']) or 'no run'}.")
    print_line(
        f"Collected {data['prompts']:,} prompts, {data['generations']:,} generations, "
        f"{data['queries']:,} queries and {data['searches']:,} searches."
    )
