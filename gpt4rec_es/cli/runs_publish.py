"""``gpt4rec runs publish|reject|rollback|pin|unpin``: which lists readers see, which are kept."""

from typing import Any

import click

from gpt4rec_es.cli import runs_output as shown
from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.options import json_option
from gpt4rec_es.cli.output import emit, print_line

_DRY_RUN = click.option("--dry-run", is_flag=True, help="Say what would be; change nothing.")
_REASON = click.option("--reason", help="Why; kept in the audit.")


@click.command()
@click.argument("run_id")
@click.option("--force", is_flag=True, help="Publish although a gate says no; needs --reason.")
@_REASON
@click.option("--dry-run", is_flag=True, help="Only say what the gates find.")
@json_option
def publish(run_id: str, force: bool, reason: str | None, dry_run: bool, as_json: bool) -> None:
    """Publish RUN_ID: readers see its lists from then on."""
    from gpt4rec_es.night.publish import publish as publishing

    parts = get_runtime().night_parts()
    if dry_run:
        emit(publishing.gates_of(parts, run_id), as_json, shown.print_gates)
        return
    run = publishing.publish(parts, run_id, force=force, reason=reason)
    emit(
        {"published": run.run_id}, as_json, lambda d: print_line(f"{d['published']} is published.")
    )


@click.command()
@_REASON
@click.option("--dry-run", is_flag=True, help="Only say which run would be shown.")
@json_option
def rollback(reason: str | None, dry_run: bool, as_json: bool) -> None:
    """Withdraw the published run: readers see the one before it."""
    from gpt4rec_es.night.publish import withdraw

    run = withdraw.rollback(get_runtime().night_parts(), reason=reason, dry_run=dry_run)
    verb = "would be" if dry_run else "is"
    emit(
        {"published": run.run_id, "dry_run": dry_run},
        as_json,
        lambda d: print_line(f"{d['published']} {verb} published again."),
    )


@click.command()
@click.argument("run_id")
@click.option("--reason", required=True, help="Why; kept in the audit.")
@click.option("--dry-run", is_flag=True, help="Only say what readers would see.")
@json_option
def reject(run_id: str, reason: str, dry_run: bool, as_json: bool) -> None:
    """Take a published RUN_ID, or one that is being checked, back.

    If readers see it now, they see the published run before it from then on.
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
@click.argument("run_id")
@_REASON
@_DRY_RUN
@json_option
def pin(run_id: str, **options: Any) -> None:
    """Keep RUN_ID and its index build from being pruned."""
    _set_pinned(run_id, is_pinned=True, **options)


@click.command()
@click.argument("run_id")
@_REASON
@_DRY_RUN
@json_option
def unpin(run_id: str, **options: Any) -> None:
    """Let RUN_ID be pruned again when its time comes."""
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
