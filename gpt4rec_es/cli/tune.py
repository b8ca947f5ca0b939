"""``gpt4rec tune``: trials of k1 and b and of recipes, and making what was found better live."""

from typing import TYPE_CHECKING, Any

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.names import names
from gpt4rec_es.cli.options import dry_run_option, json_option, reason_option, wide_option
from gpt4rec_es.cli.output import emit
from gpt4rec_es.cli.tune_all import all_
from gpt4rec_es.cli.tune_bm25 import bm25
from gpt4rec_es.cli.tune_fields import fields
from gpt4rec_es.cli.tune_lists import lists
from gpt4rec_es.cli.tune_lists_output import print_list_trial, print_list_trials
from gpt4rec_es.cli.tune_output import print_list, print_trial

if TYPE_CHECKING:
    from gpt4rec_es.index.bm25 import Bm25Change


@click.group()
def tune() -> None:
    """Choose k1 and b, and the recipe of lists, by measurement on a split."""


tune.add_command(bm25)
tune.add_command(fields)
tune.add_command(lists)
tune.add_command(all_)


@tune.command(name="list")
@wide_option
@json_option
def list_(wide: bool, as_json: bool) -> None:
    """List the trials, newest first.

    Example: gpt4rec tune list
    """
    from gpt4rec_es.lab.tuning.lists.promote import list_list_trials
    from gpt4rec_es.lab.tuning.trials import list_trials

    engine = get_runtime().engine
    bm25_trials, others = list_trials(engine), list_list_trials(engine)

    def render(_shown: list[Any]) -> None:
        if bm25_trials or not others:
            print_list(bm25_trials, wide=wide)
        if others:
            print_list_trials(others, wide=wide)

    emit([*bm25_trials, *others], as_json, render)


@tune.command()
@click.argument("trial", type=int, shell_complete=names("trial"))
@json_option
def show(trial: int, as_json: bool) -> None:
    """Show TRIAL: recommendation, gains, and what was measured.

    Example: gpt4rec tune show 2
    """
    from gpt4rec_es.lab.tuning.lists.promote import show_list_trial
    from gpt4rec_es.lab.tuning.trials import show_trial

    engine = get_runtime().engine
    found = show_list_trial(engine, trial)
    if found is not None:
        emit(found, as_json, print_list_trial)
        return
    emit(show_trial(engine, trial), as_json, print_trial)


@tune.command()
@click.argument("trial", type=int, shell_complete=names("trial"))
@reason_option
@click.option(
    "--force",
    is_flag=True,
    help="Apply what was best although TRIAL recommends no change, or other things are live now.",
)
@dry_run_option
@json_option
def promote(trial: int, reason: str | None, force: bool, dry_run: bool, as_json: bool) -> None:
    """Make live what TRIAL recommends: k1 and b, or a recipe with k1 and b of its fields.

    `index bm25 undo` and `recipes undo` revert it.

    Example: gpt4rec tune promote 2 --dry-run
    """
    from gpt4rec_es.cli.index_bm25 import render_change
    from gpt4rec_es.cli.recipes import emit_change
    from gpt4rec_es.lab.tuning.lists.promote import promote_list_trial, show_list_trial
    from gpt4rec_es.lab.tuning.trials import promote as promote_trial

    runtime = get_runtime()

    if found := show_list_trial(runtime.engine, trial):
        change_of_use = promote_list_trial(
            runtime.engine,
            runtime.elastic,
            runtime.settings.index_alias,
            found.trial,
            actor=runtime.settings.actor,
            reason=reason,
            force=force,
            dry_run=dry_run,
        )
        emit_change(change_of_use, dry_run, as_json, found.trial.field_bm25 or {})
        return
    _, change = promote_trial(
        runtime.engine,
        runtime.elastic,
        runtime.settings.index_alias,
        trial,
        actor=runtime.settings.actor,
        reason=reason,
        force=force,
        dry_run=dry_run,
    )

    def render(shown: "Bm25Change") -> None:
        render_change(shown, dry_run)

    emit(change, as_json, render)
