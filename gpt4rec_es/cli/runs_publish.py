"""``gpt4rec runs publish|reject|rollback|pin|unpin``: which lists readers see, which are kept."""

from typing import Any

import click

from gpt4rec_es.cli import runs_output as shown
from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.names import names
from gpt4rec_es.cli.options import (
    dry_run_option,
    json_option,
    reason_option,
    required_reason_option,
)
from gpt4rec_es.cli.output import emit, print_line
from gpt4rec_es.cli.report import write_page


@click.command()
@click.argument("run_id", shell_complete=names("run"))
@click.option(
    "--force", is_flag=True, help="Publish although a gate rejects the run; needs --reason."
)
@reason_option
@click.option("--dry-run", is_flag=True, help="Show the results of the gates without publishing.")
@json_option
def publish(run_id: str, force: bool, reason: str | None, dry_run: bool, as_json: bool) -> None:
    """Publish RUN_ID: its lists become those that readers see.

    A run that its canary rejected has lists of few users: it goes on with all others first, and
    gates judge it again.

    Example: gpt4rec runs publish nightly-2026-11-28-1
    """
    from gpt4rec_es.night.publish import publish as publishing

    runtime = get_runtime()
    parts = runtime.night_parts()
    if dry_run:
        emit(publishing.gates_of(parts, run_id), as_json, shown.print_gates)
        return
    run = publishing.publish(parts, run_id, force=force, reason=reason)
    write_page(runtime, run.run_id, run.state)
    is_published = run.state == "published"
    data = {"published": run.run_id if is_published else None, "run_id": run.run_id}
    emit(data | {"state": run.state}, as_json, _print_published)


def _print_published(data: dict[str, Any]) -> None:
    print_line(
        f"{data['published']} is published."
        if data["published"]
        else f"{data['run_id']} goes on; workers take it, or `gpt4rec night`."
    )


@click.command()
@required_reason_option
@click.option("--dry-run", is_flag=True, help="Show the run that readers would see.")
@json_option
def rollback(reason: str, dry_run: bool, as_json: bool) -> None:
    """Withdraw the current run; the published run before it becomes current.

    Example: gpt4rec runs rollback --reason "wrong prices" --dry-run
    """
    from gpt4rec_es.night.publish import withdraw

    run = withdraw.rollback(get_runtime().night_parts(), reason=reason, dry_run=dry_run)
    verb = "would be" if dry_run else "is"
    emit(
        {"published": run.run_id, "dry_run": dry_run},
        as_json,
        lambda d: print_line(f"{d['published']} {verb} published again."),
    )


@click.command()
@click.argument("run_id", shell_complete=names("run"))
@required_reason_option
@click.option("--dry-run", is_flag=True, help="Show the run that readers would see.")
@json_option
def reject(run_id: str, reason: str, dry_run: bool, as_json: bool) -> None:
    """Reject RUN_ID, published or being checked.

    If it is the current run, the published run before it becomes current.

    Example: gpt4rec runs reject nightly-2026-11-28-1 --reason "bad lists"
    """
    from gpt4rec_es.night.publish import withdraw

    done = withdraw.reject(get_runtime().night_parts(), run_id, reason=reason, dry_run=dry_run)
    data = {
        "rejected": done.rejected.run_id,
        "published": done.published.run_id if done.published else None,
        "dry_run": dry_run,
    }
    emit(data, as_json, shown.print_rejected)


@click.command()
@click.argument("run_id", shell_complete=names("run"))
@reason_option
@dry_run_option
@json_option
def pin(run_id: str, **options: Any) -> None:
    """Pin RUN_ID, so that pruning keeps the run and its index build.

    Example: gpt4rec runs pin nightly-2026-11-28-1
    """
    _set_pinned(run_id, is_pinned=True, **options)


@click.command()
@click.argument("run_id", shell_complete=names("run"))
@reason_option
@dry_run_option
@json_option
def unpin(run_id: str, **options: Any) -> None:
    """Unpin RUN_ID, so that pruning may drop its lists.

    Example: gpt4rec runs unpin nightly-2026-11-28-1
    """
    _set_pinned(run_id, is_pinned=False, **options)


def _set_pinned(
    run_id: str, *, is_pinned: bool, reason: str | None, dry_run: bool, as_json: bool
) -> None:
    from gpt4rec_es.night.publish import withdraw

    parts = get_runtime().night_parts()
    run = withdraw.set_pinned(parts, run_id, is_pinned=is_pinned, reason=reason, dry_run=dry_run)
    verb = "would be" if dry_run else "is"
    state = "pinned" if is_pinned else "not pinned"
    emit(
        {"run_id": run.run_id, "is_pinned": is_pinned, "dry_run": dry_run},
        as_json,
        lambda _: print_line(f"{run.run_id} {verb} {state}."),
    )
