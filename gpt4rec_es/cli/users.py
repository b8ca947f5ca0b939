"""``gpt4rec users``: erasing one, and what analysts see of them."""

import sys
from typing import TYPE_CHECKING

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.options import json_option
from gpt4rec_es.cli.output import emit, plural, print_line, print_table

if TYPE_CHECKING:
    from gpt4rec_es.privacy.forget import ForgetReport


@click.group()
def users() -> None:
    """Erase a user; choose the user ids that analysts see."""


@users.command()
@click.argument("user_id")
@click.option("--dry-run", is_flag=True, help="Show what would be erased.")
@click.option("--yes", is_flag=True, help="Skip the confirmation prompt.")
@click.option(
    "--acknowledge",
    is_flag=True,
    help="Confirm that the exported files that may hold the user are dealt with.",
)
@json_option
@click.pass_context
def forget(
    ctx: click.Context, user_id: str, dry_run: bool, yes: bool, acknowledge: bool, as_json: bool
) -> None:
    """Erase USER_ID from the database; name the exported files that may hold the user.

    Refused while a run is unfinished. Cannot be undone; a later import may add the user again.

    Exit code 3: the user is erased, but exported files may hold the user. Delete them, then repeat
    the command with --acknowledge.

    Example: gpt4rec users forget 16039 --dry-run
    """
    from gpt4rec_es.privacy.forget import forget_user

    runtime = get_runtime()
    if not dry_run and not yes:
        if not sys.stdin.isatty() and not acknowledge:
            raise click.UsageError("Without a terminal to ask, --yes is needed.")
        click.confirm("Erase this user from the database, for good?", abort=True, err=True)
    report = forget_user(
        runtime.engine,
        user_id,
        actor=runtime.settings.actor,
        acknowledge=acknowledge,
        dry_run=dry_run,
    )
    emit(report, as_json, _print_forgotten)
    if report.files and not acknowledge and not dry_run:
        ctx.exit(3)


@users.command()
@click.argument("state", type=click.Choice(["on", "off"]), required=False)
@click.option("--dry-run", is_flag=True, help="Print the state without changing it.")
@json_option
def pseudonyms(state: str | None, dry_run: bool, as_json: bool) -> None:
    """Show analysts pseudonyms (on) or user ids (off); without STATE, print the state.

    Needs GPT4REC_OWNER_DATABASE_URL: only the owner may read the secret.

    Example: gpt4rec users pseudonyms on
    """
    from gpt4rec_es.privacy import pseudonyms as service

    runtime = get_runtime()
    data: dict[str, bool | int] = {"changed_users": 0}
    if state is not None and not dry_run:
        data["changed_users"] = service.set_pseudonyms(
            runtime.owner_engine, is_on=state == "on", actor=runtime.settings.actor
        )
    data["is_on"] = service.has_pseudonyms(runtime.owner_engine)
    emit(data, as_json, _print_pseudonyms)


def _print_forgotten(report: "ForgetReport") -> None:
    verb = "Would be erased" if report.dry_run else "Erased"
    print_table(["table", "rows"], list(report.rows.items()), verb)
    if report.files:
        print_line(
            "These exports may hold the user and are left as they are. Delete them, then confirm "
            "with --acknowledge:"
        )
    for place in report.files:
        print_line(f"  {place}")
    for path in report.leftovers:
        print_line(f"Deleted what a killed export left: {path}")


def _print_pseudonyms(data: dict[str, bool | int]) -> None:
    shown = "pseudonyms" if data["is_on"] else "the shop's user ids"
    print_line(f"Analysts see {shown}; {plural(data['changed_users'], 'user')} changed.")
