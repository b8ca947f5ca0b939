"""``gpt4rec replay RUN``: a retained night merged again, without generator or GPU."""

from typing import TYPE_CHECKING, Any

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.options import json_option, part_option
from gpt4rec_es.cli.output import emit, print_line
from gpt4rec_es.cli.progress import progress_bar
from gpt4rec_es.cli.runs_output import print_deltas, print_lists_diff

if TYPE_CHECKING:
    from gpt4rec_es.options.lists import SearchOptions

# Options that are fields of ``ListRules``.
_RULES = ("min_price", "max_price", "categories", "max_per_brand")


@click.command()
@click.argument("run_id")
@click.option("--k", type=int, help="Items per user.")
@click.option("--num-queries", type=int, help="Use the best so many queries of each user.")
@click.option("--k1", type=float, help="Term saturation, >= 0; searches in this process.")
@click.option("--b", type=float, help="Length normalisation, 0 to 1; searches in this process.")
@click.option(
    "--exclude-bought/--include-bought",
    default=None,
    help="Leave out what users bought, or do not.",
)
@click.option(
    "--minimum-should-match",
    help="How many of a query's terms a title must have, as 2 or 75%; searches anew.",
)
@click.option("--without-rules", is_flag=True, help="Keep nothing out of lists by rules.")
@click.option("--min-price", type=float, help="Only items of this price and above.")
@click.option("--max-price", type=float, help="Only items of this price and below.")
@click.option("--category", "categories", multiple=True, help="Only this and below; repeatable.")
@click.option("--max-per-brand", type=int, help="Items of one brand per list.")
@click.option("--sources", help="Weighted sources, as queries:0.1,co_purchase:0.9.")
@click.option(
    "--fusion", type=click.Choice(["scores", "ranks"]), help="What is added up over sources."
)
@click.option(
    "--history-decay",
    type=float,
    help="Factor by which each older purchase counts less, above 0 and at most 1.",
)
@click.option("--split", help="Also compare by what this split holds out.")
@part_option()
@click.option(
    "--verify", is_flag=True, help="Change nothing; exit with 3 unless the result is the same."
)
@click.option("--dry-run", is_flag=True, help="Keep no record of it.")
@json_option
@click.pass_context
def replay(
    ctx: click.Context,
    /,
    run_id: str,
    minimum_should_match: str | None,
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
    """Merge the lists of RUN_ID again from its stored queries, and compare.

    Options that are not given stay as in the run; RUN_ID may be `latest`. What the run stored and
    what readers see stays as it is.
    """
    from gpt4rec_es.lab.replay.changes import ReplayChanges
    from gpt4rec_es.lab.replay.replay import replay as replay_run

    given = {"weights": _weights(sources), "method": fusion, "history_decay": history_decay}
    fused = {name: value for name, value in given.items() if value is not None}
    asked = {name: changes.pop(name) for name in _RULES}
    chosen = ReplayChanges(
        **changes,
        fusion=fused,
        rules={name: value for name, value in asked.items() if value not in (None, ())},
        search=_search_options(minimum_should_match),
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


def _search_options(minimum_should_match: str | None) -> "SearchOptions | None":
    from gpt4rec_es.options.lists import SearchOptions

    if minimum_should_match is None:
        return None
    return SearchOptions(minimum_should_match)


def _weights(sources: str | None) -> tuple[tuple[str, float], ...] | None:
    from gpt4rec_es.settings.checks import parse_sources

    try:
        return parse_sources(sources) if sources else None
    except ValueError as error:
        raise click.UsageError(f"--sources: {error}") from error


def _print(data: dict[str, Any]) -> None:
    changed = ", ".join(f"{name} {then} -> {now}" for name, (then, now) in data["changed"].items())
    print_line(
        f"{data['run_id']} merged again for {data['users']:,} users, "
        f"{data['recommendations']:,} recommendations, {data['searches']:,} searches made"
    )
    print_line(f"changed: {changed or 'nothing'}")
    if data["is_equal"]:
        print_line("the result is that of the run, row by row")
    elif not changed:
        users = ", ".join(data["differing_users"])
        print_line(f"NOT the result of the run: {data['differing_rows']:,} rows, as of {users}")
    print_lists_diff(data["lists"])
    print_deltas(data["metrics"])
