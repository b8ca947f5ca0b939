"""``gpt4rec train baseline``: known recommenders to compare with."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpt4rec_es.cli.context import after_interrupt, get_runtime
from gpt4rec_es.cli.names import names
from gpt4rec_es.cli.number_types import SEEDS, FloatRange
from gpt4rec_es.cli.options import json_option
from gpt4rec_es.cli.output import emit, plural, print_line, print_table
from gpt4rec_es.cli.progress import progress_bar
from gpt4rec_es.cli.train_output import print_facts

if TYPE_CHECKING:
    from gpt4rec_es.lab.baselines.train_baseline import BaselineReport

_METHODS = [
    *("bpr_mf", "fm_bpr", "sasrec", "sasrec_text", "youtube_dnn", "content_rec", "bert4rec")
]


class _Several(click.ParamType[tuple[Any, ...]]):
    """One or several values with commas between."""

    def __init__(self, one: click.ParamType[Any]) -> None:
        self.one, self.name = one, f"{one.name}[,...]"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[Any, ...]:
        """Return the values, each once."""
        parts = value.split(",") if isinstance(value, str) else (value,)
        return tuple(dict.fromkeys(self.one.convert(part, param, ctx) for part in parts))


_AT_LEAST_1 = click.IntRange(min=1)
_COUNTS = _Several(_AT_LEAST_1)
_COUNTS_OR_0 = _Several(click.IntRange(min=0))
_ABOVE_0 = _Several(FloatRange(min=0, min_open=True))
_NUMBERS = _Several(FloatRange(min=0))
_FRACTIONS = _Several(FloatRange(0, 1))


@click.command()
@click.argument("method", type=click.Choice(_METHODS))
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
@click.option("--dim", type=_COUNTS, help="Width of vectors. [default: by METHOD]")
@click.option("--epochs", type=_AT_LEAST_1, help="Epochs, at most. [default: by METHOD]")
@click.option(
    "--lr",
    type=_ABOVE_0,
    help="Learning rate of Adam. [default: by METHOD]",
)
@click.option(
    "--batch-size",
    type=_COUNTS,
    help="Training examples per step: users with sasrec and bert4rec, else purchases. [default: by "
    "METHOD]",
)
@click.option(
    "--samples",
    type=_COUNTS_OR_0,
    help="Negatives: of each purchase with bpr_mf and fm_bpr, of a batch with others; 0: all "
    "items, with sasrec, youtube_dnn and bert4rec. [default: by METHOD]",
)
@click.option(
    "--l2",
    type=_NUMBERS,
    help="Weight of squared weights in the loss of bpr_mf and fm_bpr. [default: by METHOD]",
)
@click.option(
    "--length",
    type=_COUNTS,
    help="Newest items of a history that all but bpr_mf and fm_bpr read. [default: by METHOD]",
)
@click.option(
    "--whole/--newest",
    default=None,
    help="Training of sasrec and bert4rec on windows of all items of histories longer than "
    "--length, or on the newest one. [default: newest]",
)
@click.option(
    "--text",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder of a GPT-2 whose reading of titles sasrec_text starts with. [default: the titles' "
    "words, each a random vector]",
)
@click.option("--blocks", type=_COUNTS, help="Blocks of sasrec and bert4rec. [default: by METHOD]")
@click.option(
    "--heads", type=_COUNTS, help="Attention heads of sasrec and bert4rec. [default: by METHOD]"
)
@click.option(
    "--dropout",
    type=_Several(FloatRange(0, 1, max_open=True)),
    help="Dropout of sasrec and bert4rec, or fraction of items that youtube_dnn leaves out. "
    "[default: by METHOD]",
)
@click.option(
    "--margin",
    type=_NUMBERS,
    help="Margin of cosines in the loss of content_rec. [default: by METHOD]",
)
@click.option(
    "--masked",
    type=_FRACTIONS,
    help="Fraction of items that bert4rec has to guess beside the newest one. [default: by METHOD]",
)
@click.option(
    "--patience",
    type=_AT_LEAST_1,
    help="Epochs without a better NDCG@10 on validation users that end the training. [default: by "
    "METHOD]",
)
@click.option("--seed", type=SEEDS, default=1, show_default=True, help="Random seed.")
@click.option("--dry-run", is_flag=True, help="Read the data and show what would be trained on.")
@json_option
def baseline(
    method: str,
    split: str,
    name: str | None,
    output: Path | None,
    text: Path | None,
    dry_run: bool,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Train a known recommender to compare other methods with.

    METHOD: bpr_mf, fm_bpr, sasrec, sasrec_text, youtube_dnn, content_rec or bert4rec. Options of
    numbers take several values, as --dim 64,128: each combination is trained, and the best one on
    validation users is kept. An interrupted training resumes when the same command is run again;
    see docs/evaluation.md.

    Example: gpt4rec train baseline sasrec --split beauty --dim 64,128
    """
    from gpt4rec_es.lab.baselines.grid import plan_grid, train_grid

    after_interrupt("The same command goes on from the last epoch.")
    runtime = get_runtime()
    settings = runtime.settings.generator
    name = name or f"{method}-{split}"
    options = {"device": settings.device, "threads": settings.threads, **chosen}
    given: dict[str, Any] = {
        "name": name,
        "split": split,
        "output": output or Path(".models") / name,
        "text": text,
    }
    if dry_run:
        emit(plan_grid(runtime.engine, method, options, **given), as_json, print_baseline_plan)
        return
    report = train_grid(runtime.engine, method, options, **given, bars=progress_bar)
    emit(report, as_json, print_baseline)


def print_baseline_plan(plan: dict[str, Any]) -> None:
    """Print what a training would read and write."""
    from gpt4rec_es.lab.baselines.grid import described

    print_line(
        f"would train {plan['method']}, {plan['epochs']:,} epochs at most, and write "
        f"{plan['folder']}"
    )
    for options in plan["combinations"]:
        if options:
            print_line(f"  by {described(options)}")
    print_facts(plan["data"])


def print_baseline(report: "BaselineReport") -> None:
    """Print what a training did, and how to measure its baseline."""
    card = report.card
    print_line(
        f"{report.name}: {card['parameters']:,} parameters, {card['seconds']:.0f} s on "
        f"{card['device']} with {plural(card['threads'], 'thread')}, peak memory "
        f"{card['peak_memory_mb']:,} MB, written to {report.folder}"
    )
    print_table(
        ["epoch", "loss", "validation NDCG@10"],
        [(row["epoch"] + 1, row["losses"]["loss"], row["ndcg"]) for row in card["epochs"]],
    )
    if grid := card.get("grid"):
        print_table(
            [*grid[0]["options"], "best epoch", "s", "validation NDCG@10"],
            [
                [*row["options"].values(), row["best_epoch"], row["seconds"], row["ndcg"]]
                for row in grid
            ],
            "Combinations, the best one first",
        )
    if card["validation_ndcg"] is not None:
        print_line(f"NDCG@10 on validation users: {card['validation_ndcg']:.4f}")
        print_line(f"Learn the validation part as well: `{_final_command(report)}`")
    print_line(
        f"Measure it: `gpt4rec evaluate run {card['data']['split']} --trained {report.folder}`"
    )


def _final_command(report: "BaselineReport") -> str:
    """Return the command that trains with the chosen options and epochs on validation, too."""
    from gpt4rec_es.lab.baselines.baseline_options import DEFAULTS, exact
    from gpt4rec_es.lab.baselines.grid import best_epoch

    card, defaults = report.card, DEFAULTS[report.method]
    parts = [f"gpt4rec train baseline {report.method} --split {card['data']['split']}"]
    parts.append(f"--name {report.name}-final --epochs {best_epoch(card)} --learn-validation")
    for name, value in card["options"].items():
        if name not in {"epochs", "patience"} and defaults.get(name, value) != value:
            option = "--" + name.replace("_", "-")
            parts.append(option if value is True else f"{option} {exact(value)}")
    if card["options"]["seed"] != 1:
        parts.append(f"--seed {card['options']['seed']}")
    if path := card.get("text", {}).get("path"):
        parts.append(f"--text {path}")
    return " ".join(parts)
