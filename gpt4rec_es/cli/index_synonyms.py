"""``gpt4rec index synonyms``: show and set the synonyms of searches without reindexing."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.options import dry_run_option, json_option, reason_option
from gpt4rec_es.cli.output import emit, print_line
from gpt4rec_es.errors import UsageError

if TYPE_CHECKING:
    from gpt4rec_es.index.synonyms import SynonymsChange


@click.group()
def synonyms() -> None:
    """Show and set the synonyms of the live index; no reindexing, no outage."""


@synonyms.command()
@json_option
def show(as_json: bool) -> None:
    """Show the synonym rules of the live index.

    Example: gpt4rec index synonyms show
    """
    from gpt4rec_es.index.synonyms import show_synonyms

    runtime = get_runtime()
    build, rules = show_synonyms(runtime.engine, runtime.elastic, runtime.settings.index_alias)
    file, is_current = "of a file that cannot be read", None
    # The rules of the live index are shown whatever happened to the file.
    with suppress(UsageError):
        is_current = rules == runtime.analysis().synonyms
        file = "those of the file" if is_current else "others than in the file"

    def render(_data: dict[str, Any]) -> None:
        for rule in rules:
            print_line(rule)
        print_line(f"{len(rules)} rules, {file} (build {build.build_no}, {build.index_name})")

    emit({"build": build, "rules": rules, "is_current": is_current}, as_json, render)


@synonyms.command(name="set")
@reason_option
@dry_run_option
@json_option
def set_(reason: str | None, dry_run: bool, as_json: bool) -> None:
    """Set the rules of the file GPT4REC_SYNONYMS_FILE: clone the live index, move the alias.

    To go back, restore the file and run it again: the build before is still there.

    Example: gpt4rec index synonyms set --reason "couches are sofas"
    """
    from gpt4rec_es.index.synonyms import set_synonyms

    runtime = get_runtime()
    change = set_synonyms(
        runtime.engine,
        runtime.elastic,
        runtime.settings.index_alias,
        runtime.analysis(),
        actor=runtime.settings.actor,
        reason=reason,
        dry_run=dry_run,
    )
    emit(change, as_json, lambda shown: _render(shown, dry_run))


def _render(change: "SynonymsChange", dry_run: bool) -> None:
    for sign, rules in (("+", change.added), ("-", change.removed)):
        for rule in rules:
            print_line(f"{sign} {rule}")
    verb = "would move" if dry_run else "moved"
    print_line(
        f"alias {change.before.alias} {verb} from {change.before.index_name} to "
        f"{change.after.index_name if change.after else 'a new clone'}"
    )
    if change.deleted:
        print_line(f"deleted {', '.join(change.deleted)}")
