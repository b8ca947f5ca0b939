"""``gpt4rec rules``: block, boost or pin items, brands and categories."""

import datetime as dt
from pathlib import Path
from typing import Any

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.options import (
    Command,
    dry_run_option,
    json_option,
    required_reason_option,
    wide_option,
)
from gpt4rec_es.cli.output import emit, print_line
from gpt4rec_es.cli.rules_output import print_added, print_rules

_DATE = click.DateTime(["%Y-%m-%d"])
_FORCE = click.option("--force", is_flag=True, help="Add rules that match no item yet.")


@click.group()
def rules() -> None:
    """Block, boost or pin items, brands and categories; list and remove rules."""


_RULE = (
    click.argument("kind", type=click.Choice(["item", "brand", "category"])),
    click.argument("value"),
    click.option(
        "--reason", required=True, help="Reason, kept in the audit log and shown in explanations."
    ),
    click.option(
        "--from", "valid_from", type=_DATE, help="First night's date on which the rule applies."
    ),
    click.option(
        "--until", "valid_until", type=_DATE, help="Last night's date on which the rule applies."
    ),
    _FORCE,
    dry_run_option,
    json_option,
)


def _rule(command: Command) -> Command:
    """Add the arguments and options of a new rule."""
    for parameter in reversed(_RULE):
        command = parameter(command)
    return command


@rules.command()
@_rule
def add(**given: Any) -> None:
    """Block an item, brand or category.

    VALUE is an item id, a brand (case is ignored), or a category path with all below it.

    Example: gpt4rec rules add brand Acme --reason "recall" --until 2026-12-31
    """
    _add("block", None, **given)


@rules.command()
@click.option(
    "--places", type=int, required=True, help="Number of places that an item moves up in a list."
)
@_rule
def boost(places: int, **given: Any) -> None:
    """Move an item, or those of a brand or category, up in lists.

    Only items that a list's sources found move; of several boosts the largest counts. VALUE as of
    `rules add`.

    Example: gpt4rec rules boost brand Acme --places 5 --reason "overstock" --until 2026-12-31
    """
    _add("boost", places, **given)


@rules.command()
@click.option(
    "--places",
    type=int,
    default=1,
    show_default=True,
    help="Maximum number of the rule's items per list.",
)
@_rule
def pin(places: int, **given: Any) -> None:
    """Put an item, or some of a brand or category, at the beginning of every list.

    Bought and blocked items are left out, and the last place of a list is never pinned, so none is
    in lists of one item; `runs show` counts what was left out. VALUE as of `rules add`.

    Example: gpt4rec rules pin item 22423 --reason "campaign" --from 2026-12-01 --until 2026-12-24
    """
    _add("pin", places, **given)


def _add(
    action: str,
    places: int | None,
    *,
    kind: str,
    value: str,
    reason: str,
    valid_from: dt.datetime | None,
    valid_until: dt.datetime | None,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    from gpt4rec_es.catalog.block_rules import add_rules
    from gpt4rec_es.db.rows.rules import NewRule

    runtime = get_runtime()
    rule = NewRule(
        kind,
        value,
        reason,
        valid_from.date() if valid_from else None,
        valid_until.date() if valid_until else None,
        action,
        places,
    )
    added = add_rules(
        runtime.engine,
        [rule],
        actor=runtime.settings.actor,
        must_match=not force,
        dry_run=dry_run,
        k=runtime.settings.night.k,
    )
    emit({**added.as_dict(), "dry_run": dry_run}, as_json, print_added)


@rules.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--reason", help="Reason of rows without one.")
@_FORCE
@dry_run_option
@json_option
def import_(file: Path, reason: str | None, force: bool, dry_run: bool, as_json: bool) -> None:
    """Add the rules of a CSV file in one transaction.

    Columns: kind, value, and optionally reason, valid_from, valid_until, action (block, boost
    or pin) and places.

    Example: gpt4rec rules import rules.csv --dry-run
    """
    from gpt4rec_es.catalog.block_rules import add_rules, read_rules

    runtime = get_runtime()
    given = read_rules(file, reason)
    added = add_rules(
        runtime.engine,
        given,
        actor=runtime.settings.actor,
        must_match=not force,
        dry_run=dry_run,
        k=runtime.settings.night.k,
    )
    emit({**added.as_dict(), "dry_run": dry_run}, as_json, print_added)


@rules.command()
@click.argument("rule_no", type=int)
@required_reason_option
@dry_run_option
@json_option
def remove(rule_no: int, reason: str, dry_run: bool, as_json: bool) -> None:
    """Remove a rule.

    Nights planned from now on ignore it. RULE_NO is its number in `rules list`.

    Example: gpt4rec rules remove 7 --reason "recall ended"
    """
    from dataclasses import asdict

    from gpt4rec_es.catalog.block_rules import remove_rule

    runtime = get_runtime()
    rule = remove_rule(
        runtime.engine, rule_no, actor=runtime.settings.actor, reason=reason, dry_run=dry_run
    )
    verb = "would be" if dry_run else "is"
    emit(
        asdict(rule),
        as_json,
        lambda row: print_line(f"Rule {rule_no} ({row['kind']} {row['value']}) {verb} removed."),
    )


@rules.command("list")
@click.option("--all", "removed", is_flag=True, help="Include removed rules.")
@wide_option
@json_option
def list_(removed: bool, wide: bool, as_json: bool) -> None:
    """List the rules, oldest first.

    Example: gpt4rec rules list --all
    """
    from gpt4rec_es.catalog.block_rules import list_rules

    found = list_rules(get_runtime().engine, removed=removed)
    emit(found, as_json, lambda rows: print_rules(rows, wide=wide or removed))
