"""``gpt4rec night``: recommend for every user, in this process or by the Celery workers."""

import datetime as dt
from typing import Any

import click

from gpt4rec_es.cli.context import after_interrupt, get_runtime
from gpt4rec_es.cli.names import names
from gpt4rec_es.cli.options import json_option, rule_options
from gpt4rec_es.cli.output import emit, plural, print_line
from gpt4rec_es.cli.progress import progress_bar
from gpt4rec_es.cli.report import write_page


@click.command()
@click.option(
    "--date",
    "logical_date",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Date of the night. [default: today in GPT4REC_TIMEZONE]",
)
@click.option(
    "--celery",
    "by_celery",
    is_flag=True,
    help="Plan here and leave the other stages to the Celery workers.",
)
@click.option(
    "--allow-future", is_flag=True, help="Accept a --date that has not begun yet, for tests."
)
@click.option("--supersede", is_flag=True, help="Cancel the unfinished run and plan a new one.")
@rule_options
@click.option(
    "--not-shown-days",
    "shown_days",
    type=int,
    help="Leave out items shown in published lists of the last N days.",
)
@click.option(
    "--recipe",
    "recipe_name",
    shell_complete=names("recipe"),
    help="Recipe of a night planned by this command. [default: the live one]",
)
@click.option(
    "--dry-run", is_flag=True, help="Show what the night would start from without running it."
)
@json_option
def night(
    logical_date: dt.datetime | None,
    by_celery: bool,
    allow_future: bool,
    supersede: bool,
    recipe_name: str | None,
    dry_run: bool,
    as_json: bool,
    **rules: Any,
) -> None:
    """Recommend for every user: plan, generate, search, merge, check and publish.

    An unfinished night is resumed.

    Options about prices, categories, brands, days and the recipe apply to a night planned by this
    command; a resumed night keeps its own.

    Exit code 3: a gate rejected the run; the last published run stays in place.

    Example: gpt4rec night --date 2026-11-28
    """
    from gpt4rec_es.night.inprocess import plan_summary, run_night
    from gpt4rec_es.night.schedule import require_not_future, today

    after_interrupt(
        "`gpt4rec night` goes on; `gpt4rec runs cancel RUN --reason 'why'` gives the run up."
    )
    runtime = get_runtime()
    timezone = runtime.settings.timezone
    date = logical_date.date() if logical_date else today(runtime.engine, timezone)
    if not allow_future:
        require_not_future(runtime.engine, date, timezone)
    recipe = runtime.recipe_called(recipe_name)
    parts, options = runtime.night_parts(), runtime.night_options(recipe, **rules)
    if dry_run:
        emit(plan_summary(parts, options, date), as_json, _print_plan)
    elif by_celery:
        emit(_notify_workers(runtime, options, date, supersede), as_json, _print_notified)
    else:
        with progress_bar("Night", "done in this stage") as progress:
            report = run_night(parts, options, date, supersede=supersede, progress=progress)
        page = write_page(runtime, report.run_id, report.state)
        emit(report.as_dict() | {"page": page}, as_json, _print_report)


def _notify_workers(runtime: Any, options: Any, date: dt.date, supersede: bool) -> dict[str, Any]:
    from gpt4rec_es.night.start import start_night
    from workers.celery import app
    from workers.notify import notify

    runtime.settings.require("celery_broker_url")
    with progress_bar("Planning", "done in this step") as progress:
        started = start_night(
            runtime.night_parts(),
            options,
            date,
            supersede=supersede,
            progress=progress,
        )
    notify(app, started.run, float(runtime.settings.redrive_seconds))
    return {"run_id": started.run.run_id, "is_new": started.is_new, "state": started.run.state}


def _print_plan(data: dict[str, Any]) -> None:
    print_line(
        f"A night for {data['date']} would recommend {data['k']} items to each of "
        f"{plural(data['users'], 'user')} from {data['active_items']:,} active items, with "
        + (
            f"{data['num_queries']} queries of generator {data['generator']}."
            if data["generator"] and data["num_queries"]
            else "no generated queries."
        )
    )
    sources = ", ".join(f"{name}:{weight:g}" for name, weight in data["sources"].items())
    reranker = f"; re-ranker {data['reranker']}" if data["reranker"] else ""
    encoder = f"; encoder {data['encoder']}" if data["encoder"] else ""
    print_line(f"Recipe {data['recipe']}: {sources}{reranker}{encoder}")
    if data["minimum_should_match"]:
        print_line(f"minimum_should_match: {data['minimum_should_match']}")
    if data["holdback"]:
        arms = ", ".join(f"{share:.1%} {arm}" for arm, share in data["holdback"].items())
        print_line(f"Holdback: other lists for {arms} of the users")
    for name, value in data["rules"].items():
        print_line(f"Rule: {name.replace('_', ' ')} {value}")
    if data["unfinished_run"]:
        print_line(f"Run {data['unfinished_run']} is unfinished: it would be resumed instead.")


def _print_notified(data: dict[str, Any]) -> None:
    what = "Planned" if data["is_new"] else "Resuming"
    print_line(f"{what} {data['run_id']}; workers are notified. Watch: gpt4rec runs status")


def _print_report(data: dict[str, Any]) -> None:
    print_line(
        f"{data['run_id']} is {data['state']}: "
        f"{plural(data['recommendations'], 'recommendation')} for "
        f"{plural(data['users'], 'user')}."
    )
    if data["prompts"] or data["searches"]:
        print_line(
            f"Generated for {plural(data['prompts'], 'prompt')} ({data['tokens']:,} tokens), "
            f"searched {data['searches']:,} query texts."
        )
    else:
        print_line("No new queries or searches were needed.")
    if data["page"]:
        print_line(f"Its page is {data['page']}.")
