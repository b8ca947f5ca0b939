"""``gpt4rec tune all``: k1, b and the recipe one after the other, with one summary."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpt4rec_es.cli.context import after_interrupt, get_runtime
from gpt4rec_es.cli.names import names
from gpt4rec_es.cli.options import json_option, trust_option
from gpt4rec_es.cli.output import emit, print_line, print_table
from gpt4rec_es.cli.progress import progress_bar
from gpt4rec_es.cli.tune_bm25 import bm25_options
from gpt4rec_es.cli.tune_lists import SEED, TRIALS, USERS, WORK, list_options
from gpt4rec_es.cli.tune_lists_output import print_list_plan
from gpt4rec_es.cli.tune_output import print_plan

if TYPE_CHECKING:
    from gpt4rec_es.lab.tuning.tune_all import AllPlan, AllReport


@click.command(name="all")
@click.argument("split", shell_complete=names("split"))
@click.option(
    "--generator",
    shell_complete=names("generator"),
    help="Generator of the queries. [default: the one nights use]",
)
@trust_option
@TRIALS
@WORK
@USERS
@SEED
@click.option("--dry-run", is_flag=True, help="Show what would be tried, and for about how long.")
@json_option
def all_(
    split: str, trials: int, work: Path | None, dry_run: bool, as_json: bool, **chosen: Any
) -> None:
    """Run `tune bm25` and `tune lists` on SPLIT, one after the other, and print one summary.

    Nothing live changes: the summary says what to type. Without a query generator k1 and b are left
    out. After a kill, the same command measures k1 and b again and goes on with the recipe.

    Example: gpt4rec tune all baskets --dry-run
    """
    from gpt4rec_es.lab.tuning.tune_all import plan_all, tune_all

    after_interrupt("Run it again: settings of the recipe that were measured are kept.")
    runtime = get_runtime()
    bm25 = bm25_options(runtime, split, **chosen)
    lists = list_options(runtime, split, work=work, trials=trials, **chosen)
    parts = runtime.tuning_parts()
    if dry_run:
        emit(plan_all(parts, bm25, lists), as_json, _print_plan)
        return
    report = tune_all(parts, bm25, lists, bars=progress_bar)
    emit(report, as_json, lambda found: _print_summary(found, split))


def _print_plan(plan: "AllPlan") -> None:
    if plan.bm25 is not None:
        print_plan(plan.bm25)
    else:
        print_line(f"k1 and b are left out. {plan.skipped}")
    print_list_plan(plan.lists)
    print_line(
        f"About {max(1, round(plan.seconds / 60))} min, without the time to generate queries."
    )


def _print_summary(report: "AllReport", split: str) -> None:
    print_table(
        ["trial", "of", "live", "best", "change", "metric", "value", "gain", "from", "to", "p"],
        [
            (
                one.trial_no,
                one.subject,
                one.live,
                one.best,
                one.is_change,
                one.metric,
                *(round(value, 4) for value in (one.live_value, one.gain)),
                *(round(value, 4) for value in (one.gain_low, one.gain_high, one.p_value)),
            )
            for one in report.summary
        ],
        "What was live, the best found, and its gain with a 95 % interval",
    )
    if report.skipped:
        print_line(f"k1 and b were left out. {report.skipped}")
    for one in report.summary:
        print_line(one.verdict)
    changes = [one.trial_no for one in report.summary if one.is_change]
    if not changes:
        print_line("Nothing to change. See `gpt4rec tune show TRIAL` for all that was measured.")
        return
    for number in changes:
        print_line(f"Make it live: gpt4rec tune promote {number}")
    if len(changes) > 1:
        print_line(
            "The recipe was chosen with the live k1 and b. With the new ones another may be best: "
            f"gpt4rec tune lists {split}"
        )
