"""``gpt4rec split``: what may be learned from, and what is held out to measure on."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.names import names
from gpt4rec_es.cli.number_types import SEEDS, FloatRange
from gpt4rec_es.cli.options import dry_run_option, json_option
from gpt4rec_es.cli.output import emit, plural, print_line, print_table
from gpt4rec_es.cli.progress import progress_bar

if TYPE_CHECKING:
    from gpt4rec_es.db.rows.splits import SplitRow
    from gpt4rec_es.lab.splits.create import SplitReport

_FRACTION = FloatRange(0, 1, min_open=True, max_open=True)


@click.group()
def split() -> None:
    """Split purchases into training, validation and test; see docs/evaluation.md."""


@split.command()
@click.argument("name")
@click.option(
    "--protocol",
    required=True,
    type=click.Choice(["leave-one-out", "users", "gpt4rec", "next-basket", "global-time"]),
    help="Split protocol; gpt4rec: by users, newest 15 purchases, titles up to 400 characters.",
)
@click.option(
    "--seed", type=SEEDS, default=1, show_default=True, help="Random seed of a split by users."
)
@click.option(
    "--shuffle-ties",
    type=SEEDS,
    metavar="SEED",
    help="Shuffle purchases with equal times. [default: stored order]",
)
@click.option(
    "--validation-fraction",
    type=_FRACTION,
    default=0.1,
    show_default=True,
    help="Fraction of users (or of events, by time) held out for validation.",
)
@click.option(
    "--test-fraction",
    type=_FRACTION,
    default=0.1,
    show_default=True,
    help="Fraction of users (or of events, by time) held out for the test.",
)
@click.option(
    "--validation-from",
    type=click.DateTime(),
    help="Start of validation (UTC) in protocol global-time, instead of fractions.",
)
@click.option(
    "--test-from", type=click.DateTime(), help="Start of the test (UTC) in protocol global-time."
)
@click.option(
    "--newest", type=click.IntRange(min=1), help="Number of newest purchases to keep per user."
)
@click.option(
    "--longest-title",
    type=click.IntRange(min=1),
    help="Leave out items without a title or with a title longer than this.",
)
@dry_run_option
@json_option
def create(
    name: str,
    validation_fraction: float,
    test_fraction: float,
    validation_from: datetime | None,
    test_from: datetime | None,
    dry_run: bool,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Create the split NAME from all purchases.

    Example: gpt4rec split create beauty --protocol leave-one-out
    """
    from gpt4rec_es.lab.splits.create import create_split
    from gpt4rec_es.lab.splits.protocols import SplitOptions

    if (validation_from is None) != (test_from is None):
        raise click.UsageError("--validation-from and --test-from go together.")
    moments = None
    if validation_from and test_from:
        moments = (_seconds(validation_from), _seconds(test_from))
    options = SplitOptions(
        fractions=(validation_fraction, test_fraction), moments=moments, **chosen
    )
    runtime = get_runtime()
    with progress_bar("Reading histories", "users") as progress:
        report = create_split(
            runtime.engine,
            name,
            options,
            actor=runtime.settings.actor,
            dry_run=dry_run,
            progress=progress,
        )
    emit(report, as_json, _print_report)


@split.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the splits, oldest first.

    Example: gpt4rec split list
    """
    from gpt4rec_es.lab.splits.stored import list_splits

    emit(list_splits(get_runtime().engine), as_json, _print_rows)


@split.command()
@click.argument("name", shell_complete=names("split"))
@json_option
def show(name: str, as_json: bool) -> None:
    """Show how the split NAME was made and the size of its parts.

    Example: gpt4rec split show beauty --json
    """
    from gpt4rec_es.lab.splits.stored import show_split

    emit(show_split(get_runtime().engine, name), as_json, _print_split)


@split.command()
@click.argument("name", shell_complete=names("split"))
@click.option("--force", is_flag=True, help="Delete the split's evaluations as well.")
@dry_run_option
@json_option
def drop(name: str, force: bool, dry_run: bool, as_json: bool) -> None:
    """Delete the split NAME.

    Example: gpt4rec split drop beauty --dry-run
    """
    from gpt4rec_es.lab.splits.stored import drop_split

    runtime = get_runtime()
    row = drop_split(
        runtime.engine, name, actor=runtime.settings.actor, force=force, dry_run=dry_run
    )
    verb = "would be" if dry_run else "is"
    emit(row, as_json, lambda row: print_line(f"The split {row.name} {verb} deleted."))


def _seconds(moment: datetime) -> float:
    return moment.replace(tzinfo=UTC).timestamp()


def _print_report(report: "SplitReport") -> None:
    verb = "would be" if report.created_at is None else "is"
    print_line(f"The split {report.name} ({report.protocol}) {verb} made:")
    print_line(
        f"  {plural(report.users_to_learn_from, 'user')} with "
        f"{plural(report.purchases_to_learn_from, 'purchase')} "
        f"to learn from, {plural(report.validation_users, 'user')} for validation, "
        f"{report.test_users:,} for the test"
    )
    if report.users_left_out:
        print_line(f"  {plural(report.users_left_out, 'user')} have too little to be measured")
    if report.unfindable_targets:
        print_line(
            f"  {report.unfindable_targets:,} held-out items of the test have no title or are not "
            "active, so no search can find them"
        )
    if report.tied_users:
        print_line(
            f"  {report.tied_users:,} targets were bought in the same moment as the purchase "
            "before: make the split with --shuffle-ties SEED, too, and report both"
        )
    if not report.has_times:
        print_line("  There are no times, only an order: see segments by item id when evaluating.")


def _print_rows(rows: "list[SplitRow]") -> None:
    columns = [
        "name",
        "protocol",
        "n_train",
        "n_validation",
        "n_test",
        "content_hash",
        "created_at",
    ]
    print_table(
        ["name", "protocol", "learn from", "validation", "test", "content", "made"],
        [[getattr(row, column) for column in columns] for row in rows],
    )


def _print_split(data: dict[str, Any]) -> None:
    print_line(f"{data['name']}: {data['protocol']}, made {data['created_at']:%Y-%m-%d %H:%M} UTC")
    given = {key: value for key, value in data["options"].items() if value is not None}
    print_line("options: " + ", ".join(f"{key} {value}" for key, value in given.items()))
    print_line(f"content {data['content_hash']}, histories up to version {data['history_version']}")
    columns = ["part", "users", "targets", "mean_history"]
    print_table(columns, [[part[name] for name in columns] for part in data["parts"]])
