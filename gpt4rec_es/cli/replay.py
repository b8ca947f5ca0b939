"""``gpt4rec replay RUN``: merge a stored run again, without generator or GPU."""

from typing import Any

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.names import names
from gpt4rec_es.cli.number_types import FLOAT
from gpt4rec_es.cli.options import fields_option, json_option, part_option, rule_options
from gpt4rec_es.cli.output import emit, plural, print_line
from gpt4rec_es.cli.progress import progress_bar
from gpt4rec_es.cli.runs_output import print_deltas, print_lists_diff

# Options that are fields of ``ListRules``.
_RULES = ("min_price", "max_price", "categories", "max_per_brand")

# Characters of a changed value that are printed.
_MOST_SHOWN = 40


@click.command()
@click.argument("run_id", shell_complete=names("run"))
@click.option(
    "--recipe",
    "recipe_name",
    shell_complete=names("recipe"),
    help="Recipe to merge by, as far as it needs no other queries; other options change it.",
)
@click.option("--k", type=int, help="Items per list.")
@click.option("--num-queries", type=int, help="Number of each user's best queries to use.")
@click.option("--k1", type=FLOAT, help="BM25 k1, 0 or more; searches with in-process BM25.")
@click.option("--b", type=FLOAT, help="BM25 b, 0 to 1; searches with in-process BM25.")
@click.option(
    "--exclude-bought/--include-bought",
    default=None,
    help="Leave out items that the user bought, or include them.",
)
@click.option(
    "--minimum-should-match",
    help="Number or percentage of a query's terms that a title must contain; searches again.",
)
@fields_option
@click.option("--without-rules", is_flag=True, help="Apply no rules to the lists.")
@rule_options
@click.option("--sources", help="Weighted sources, such as queries:0.1,co_purchase:0.9.")
@click.option(
    "--fusion",
    type=click.Choice(["scores", "ranks"]),
    help="Quantity that fusion adds up: weighted scores or reciprocal ranks.",
)
@click.option(
    "--history-decay",
    type=FLOAT,
    help="Factor by which each older purchase counts less, above 0 and at most 1.",
)
@click.option("--split", shell_complete=names("split"), help="Also compare recall on this split.")
@part_option()
@click.option(
    "--verify",
    is_flag=True,
    help="Exit with 3 unless the result equals the stored lists; options must be unchanged.",
)
@click.option("--dry-run", is_flag=True, help="Compare without storing a record of the replay.")
@json_option
@click.pass_context
def replay(
    ctx: click.Context,
    /,
    run_id: str,
    *,
    recipe_name: str | None,
    minimum_should_match: str | None,
    fields: tuple[tuple[str, float], ...] | None,
    sources: str | None,
    fusion: str | None,
    history_decay: float | None,
    split: str | None,
    part: str,
    verify: bool,
    dry_run: bool,
    as_json: bool,
    **changes: Any,
) -> None:
    """Merge the lists of RUN_ID again from its stored queries and compare them.

    Options that are not given keep the run's values; RUN_ID may be `latest`. The run and the
    published lists are unchanged.

    Example: gpt4rec replay latest --k1 0.9 --b 0.4
    """
    from gpt4rec_es.lab.replay.changes import ReplayChanges
    from gpt4rec_es.lab.replay.replay import replay as replay_run

    given = {"weights": _weights(sources), "method": fusion, "history_decay": history_decay}
    fused = {name: value for name, value in given.items() if value is not None}
    searched = {"minimum_should_match": minimum_should_match, "fields": fields}
    asked = {name: changes.pop(name) for name in _RULES}
    recipe = get_runtime().recipe_called(recipe_name) if recipe_name else None
    chosen = ReplayChanges(
        recipe=recipe,
        **changes,
        fusion=fused,
        rules={name: value for name, value in asked.items() if value not in (None, ())},
        search={name: value for name, value in searched.items() if value is not None},
    )
    if verify and not chosen.is_none:
        raise click.UsageError("--verify is for a replay without any change.")
    with progress_bar("Merging", "users") as progress:
        found = replay_run(
            get_runtime().night_parts(),
            run_id,
            chosen,
            store=not dry_run,
            split=split,
            part=part,
            progress=progress,
        )
    emit(found.as_dict(), as_json, _print)
    if verify and not found.is_equal:
        ctx.exit(3)


def _weights(sources: str | None) -> tuple[tuple[str, float], ...] | None:
    from gpt4rec_es.options.source_weights import parse_sources

    try:
        return parse_sources(sources) if sources else None
    except ValueError as error:
        raise click.UsageError(f"--sources: {error}") from error


def _brief(value: Any) -> str:
    """Return a value as text; of long lists and objects their size."""
    text = str(value)
    if len(text) > _MOST_SHOWN and isinstance(value, dict | list):
        return f"({len(value)} entries)"
    return text


def _print(data: dict[str, Any]) -> None:
    changed = ", ".join(
        f"{name} {_brief(then)} -> {_brief(now)}" for name, (then, now) in data["changed"].items()
    )
    print_line(
        f"{data['run_id']} merged again for {plural(data['users'], 'user')}, "
        f"{plural(data['recommendations'], 'recommendation')}, {data['searches']:,} searches made"
    )
    print_line(f"changed: {changed or 'nothing'}")
    if data["not_applied"]:
        print_line(f"not applied, since they need other queries: {', '.join(data['not_applied'])}")
    if data["is_equal"]:
        print_line("the result equals the run's, row by row")
    elif not changed:
        users = ", ".join(data["differing_users"])
        rows = f"{plural(data['differing_rows'], 'row')}"
        print_line(f"the result DIFFERS from the run's: {rows}, e.g. of users {users}")
    print_lists_diff(data["lists"])
    print_deltas(data["metrics"])
