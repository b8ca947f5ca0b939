"""``gpt4rec rules``: what is never to be recommended."""

import datetime as dt
from pathlib import Path
from typing import Any

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.options import json_option
from gpt4rec_es.cli.output import emit, print_line, print_table

_DRY_RUN = click.option("--dry-run", is_flag=True, help="Only say what would be done.")
_DATE = click.DateTime(["%Y-%m-%d"])


@click.group()
def rules() -> None:
    """Block items, brands and categories; list and take back such rules."""


@rules.command()
@click.argument("kind", type=click.Choice(["item", "brand", "category"]))
@click.argument("value")
@click.option("--reason", required=True, help="Why; goes into the audit and into explanations.")
@click.option("--from", "valid_from", type=_DATE, help="First date of a night that keeps it.")
@click.option("--until", "valid_until", type=_DATE, help="Last such date.")
@_DRY_RUN
@json_option
def add(
    kind: str,
    value: str,
    reason: str,
    valid_from: dt.datetime | None,
    valid_until: dt.datetime | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Block an item, brand or category.

    VALUE is an item id, a brand in any case, or a category path, then with all below it.
    """
    from gpt4rec_es.catalog.block_rules import add_rules
    from gpt4rec_es.db.rows.rules import NewRule

    runtime = get_runtime()
    rule = NewRule(
        kind,
        value,
        reason,
        valid_from.date() if valid_from else None,
        valid_until.date() if valid_until else None,
    )
    added = add_rules(runtime.engine, [rule], actor=runtime.settings.actor, dry_run=dry_run)
    emit({**added.as_dict(), "dry_run": dry_run}, as_json, _print_added)


@rules.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--reason", help="Reason of rows that have none.")
@_DRY_RUN
@json_option
def import_(file: Path, reason: str | None, dry_run: bool, as_json: bool) -> None:
    """Add the rules of a CSV file, all or none.

    Its columns are kind and value, and reason, valid_from and valid_until where wanted.
    """
    from gpt4rec_es.catalog.block_rules import add_rules, read_rules

    runtime = get_runtime()
    given = read_rules(file, reason)
    added = add_rules(runtime.engine, given, actor=runtime.settings.actor, dry_run=dry_run)
    emit({**added.as_dict(), "dry_run": dry_run}, as_json, _print_added)


@rules.command()
@click.argument("rule_no", type=int)
@click.option("--reason", required=True, help="Why; goes into the audit.")
@_DRY_RUN
@json_option
def remove(rule_no: int, reason: str, dry_run: bool, as_json: bool) -> None:
    """Take a rule back.

    Nights planned from now on do not keep it; RULE_NO is its number in the list.
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
        lambda row: print_line(f"Rule {rule_no} ({row['kind']} {row['value']}) {verb} taken back."),
    )


@rules.command("list")
@click.option("--all", "removed", is_flag=True, help="Also those that were taken back.")
@json_option
def list_(removed: bool, as_json: bool) -> None:
    """List the rules, the oldest first."""
    from gpt4rec_es.catalog.block_rules import list_rules

    emit(list_rules(get_runtime().engine, removed=removed), as_json, _print_rules)


def _print_added(data: dict[str, Any]) -> None:
    about = f"They are about {sum(data['items']):,} items of the catalog as it is now."
    if data["dry_run"]:
        print_line(f"Rules that would be added: {len(data['items'])}. {about}")
        return
    numbers = ", ".join(map(str, data["rules"][:10])) + (", ..." if data["rules"][10:] else "")
    print_line(
        f"Rules added: {len(data['rules'])}{f' ({numbers})' if numbers else ''}; "
        f"in force already: {data['known']}. {about}"
    )


def _print_rules(found: list[dict[str, Any]]) -> None:
    columns = ["rule_no", "kind", "value", "reason", "valid_from", "valid_until", "actor"]
    columns += ["created_at", "removed_at"]
    print_table(
        [name.replace("_", " ") for name in columns],
        [[rule[name] for name in columns] for rule in found],
    )
