"""``gpt4rec train baseline``: known recommenders to compare with."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpt4rec_es.cli.context import after_interrupt, get_runtime
from gpt4rec_es.cli.names import names
from gpt4rec_es.cli.options import json_option
from gpt4rec_es.cli.output import emit, print_line, print_table
from gpt4rec_es.cli.progress import progress_bar

if TYPE_CHECKING:
    from gpt4rec_es.lab.baselines.train_baseline import BaselineReport

_AT_LEAST_1 = click.IntRange(min=1)
_AT_LEAST_0 = click.IntRange(min=0)


@click.command()
@click.argument(
    "method", type=click.Choice(["bpr_mf", "fm_bpr", "sasrec", "youtube_dnn", "content_rec"])
)
@click.option(
    "--split",
    required=True,
    shell_complete=names("split"),
    help="Split to train on: its training part, with the best epoch chosen by its validation part.",
)
@click.option("--name", help="Name of the baseline. [default: METHOD-SPLIT]")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Folder to write; must not exist. [default: .models/NAME]",
)
@click.option(
    "--learn-validation",
    is_flag=True,
    help="Learn from the validation part as well, for exactly --epochs epochs, before the test.",
)
@click.option("--dim", type=_AT_LEAST_1, help="Width of vectors. [default: by METHOD]")
@click.option("--epochs", type=_AT_LEAST_1, help="Epochs, at most. [default: by METHOD]")
@click.option(
    "--lr",
    type=click.FloatRange(min=0, min_open=True),
    help="Learning rate of Adam. [default: by METHOD]",
)
@click.option(
    "--batch-size",
    type=_AT_LEAST_1,
    help="Training examples per step: users with sasrec, purchases with others. [default: by "
    "METHOD]",
)
@click.option(
    "--samples",
    type=_AT_LEAST_0,
    help="Negatives: of each purchase with bpr_mf and fm_bpr, of a batch with others; sasrec "
    "and youtube_dnn take all items with 0. [default: by METHOD]",
)
@click.option(
    "--l2",
    type=click.FloatRange(min=0),
    help="Weight of squared weights in the loss of bpr_mf and fm_bpr. [default: by METHOD]",
)
@click.option(
    "--length",
    type=_AT_LEAST_1,
    help="Newest items of a history that all but bpr_mf and fm_bpr read. [default: by METHOD]",
)
@click.option("--blocks", type=_AT_LEAST_1, help="Blocks of sasrec. [default: by METHOD]")
@click.option("--heads", type=_AT_LEAST_1, help="Attention heads of sasrec. [default: by METHOD]")
@click.option(
    "--dropout",
    type=click.FloatRange(0, 1, max_open=True),
    help="Dropout of sasrec, or fraction of items that youtube_dnn leaves out. [default: by "
    "METHOD]",
)
@click.option(
    "--margin",
    type=click.FloatRange(min=0),
    help="Margin of cosines in the loss of content_rec. [default: by METHOD]",
)
@click.option(
    "--patience",
    type=_AT_LEAST_1,
    help="Epochs without a better NDCG@10 on validation users that end the training. [default: by "
    "METHOD]",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Random seed.")
@json_option
def baseline(
    method: str,
    split: str,
    name: str | None,
    output: Path | None,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Train a known recommender to compare other methods with.

    METHOD: bpr_mf, fm_bpr, sasrec, youtube_dnn or content_rec. An interrupted training resumes when
    the same command is run again; see docs/evaluation.md.

    Example: gpt4rec train baseline sasrec --split beauty
    """
    from gpt4rec_es.lab.baselines.baseline_options import options_of
    from gpt4rec_es.lab.baselines.train_baseline import train_baseline

    after_interrupt("The same command goes on from the last epoch.")
    runtime = get_runtime()
    settings = runtime.settings.generator
    options = options_of(method, device=settings.device, threads=settings.threads, **chosen)
    name = name or f"{method}-{split}"
    with progress_bar("Training", "epochs") as progress:
        report = train_baseline(
            runtime.engine,
            method,
            options,
            name=name,
            split=split,
            output=output or Path(".models") / name,
            progress=progress,
        )
    emit(report, as_json, print_baseline)


def print_baseline(report: "BaselineReport") -> None:
    """Print what a training did, and how to measure its baseline."""
    card = report.card
    print_line(
        f"{report.name}: {card['parameters']:,} parameters, {card['seconds']:.0f} s on "
        f"{card['device']}, written to {report.folder}"
    )
    print_table(
        ["epoch", "loss", "validation NDCG@10"],
        [(row["epoch"] + 1, row["losses"]["loss"], row["ndcg"]) for row in card["epochs"]],
    )
    if card["validation_ndcg"] is not None:
        print_line(f"NDCG@10 on validation users: {card['validation_ndcg']:.4f}")
    print_line(
        f"Measure it: `gpt4rec evaluate run {card['data']['split']} --trained {report.folder}`"
    )
