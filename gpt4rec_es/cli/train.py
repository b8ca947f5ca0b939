"""``gpt4rec train``: from the shop's histories to a query generator that nights can use."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpt4rec_es.cli.context import get_runtime
from gpt4rec_es.cli.options import json_option
from gpt4rec_es.cli.output import emit, print_line, print_table
from gpt4rec_es.cli.progress import progress_bar

if TYPE_CHECKING:
    from gpt4rec_es.lab.training.train_generator import TrainReport

_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
_AT_LEAST_0 = click.FloatRange(min=0)


@click.group()
def train() -> None:
    """Train a query generator."""


@train.command()
@click.option("--name", required=True, help="Name to call the generator by.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Folder to write; must not exist. [default: .models/NAME]",
)
@click.option(
    "--start",
    help="Go on from this checkpoint: a folder, or a hub id as gpt2. [default: a new network]",
)
@click.option(
    "--size",
    type=click.Choice(["tiny", "small", "gpt2"]),
    default="tiny",
    show_default=True,
    help="Size of a new network.",
)
@click.option(
    "--tokenizer",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder of a byte-level BPE for a new network. [default: learnt from the catalog]",
)
@click.option(
    "--vocab-size",
    type=click.IntRange(min=300),
    help="Entries of a learnt tokenizer. [default: tiny 3000, small 6000, gpt2 30000]",
)
@click.option(
    "--epochs",
    type=_AT_LEAST_0,
    default=20.0,
    show_default=True,
    help="Passes over the pairs of prompt and next title.",
)
@click.option(
    "--lr",
    type=click.FloatRange(min=0, min_open=True),
    default=1e-4,
    show_default=True,
    help="Highest learning rate of these passes.",
)
@click.option(
    "--pairs",
    type=click.Choice(["last", "every-prefix"]),
    default="last",
    show_default=True,
    help="Targets: each user's last title, or every title but the first.",
)
@click.option(
    "--newest-pairs",
    type=click.IntRange(min=1),
    help="With every-prefix: only so many newest targets of each user.",
)
@click.option(
    "--prompt-titles",
    type=click.IntRange(min=1),
    help="Newest titles in a prompt, as far as they fit. [default: 15, or as those of --start]",
)
@click.option(
    "--newest-first/--oldest-first",
    default=None,
    help="Order of titles in a prompt. [default: oldest first, or as --start]",
)
@click.option(
    "--pretrain-epochs",
    type=_AT_LEAST_0,
    help="Passes over whole histories beforehand, learning every word. [default: 3 for a new "
    "network, else 0]",
)
@click.option(
    "--pretrain-lr",
    type=click.FloatRange(min=0, min_open=True),
    default=1e-3,
    show_default=True,
    help="Highest learning rate of those.",
)
@click.option(
    "--warmup-steps",
    type=click.IntRange(min=0),
    default=2000,
    show_default=True,
    help="Steps in which the rate rises; at most a tenth of all steps.",
)
@click.option("--weight-decay", type=_AT_LEAST_0, default=0.01, show_default=True, help="Of AdamW.")
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=32,
    show_default=True,
    help="Examples per step.",
)
@click.option("--dropout", type=click.FloatRange(0, 0.9), help="Instead of the network's own.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of all that is random.")
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "fp16", "bf16"]),
    default="auto",
    show_default=True,
    help="Of the arithmetic; auto: mixed fp16 on a GPU, mixed bf16 on a CPU with instructions for "
    "it, else fp32.",
)
@click.option("--max-steps", type=click.IntRange(min=1), help="Stop after so many steps.")
@click.option(
    "--max-minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="Stop after about so long; unlike --max-steps this is not repeatable.",
)
@click.option(
    "--snapshots",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Generators to keep on the way, in OUTPUT-snapshots.",
)
@click.option("--hold-out-users", type=_FILE, help="File of user ids not to learn, one per line.")
@click.option(
    "--hold-out-events", type=_FILE, help="CSV of purchases not to learn: user_id,item_id."
)
@click.option("--split", help="Learn from the training part of this split alone.")
@click.option(
    "--with-validation",
    is_flag=True,
    help="With --split: learn from its validation part, too, before the test.",
)
@click.option(
    "--validation-fraction",
    type=click.FloatRange(0, 0.5),
    default=0.02,
    show_default=True,
    help="Fraction of users kept back to measure the loss on.",
)
@click.option(
    "--use/--no-use",
    default=None,
    help="Let the next night use it. [default: if none is in use]",
)
@click.option("--dry-run", is_flag=True, help="Only read the data and say what would be learnt.")
@json_option
def generator(
    name: str,
    output: Path | None,
    hold_out_users: Path | None,
    hold_out_events: Path | None,
    split: str | None,
    with_validation: bool,
    validation_fraction: float,
    use: bool | None,
    dry_run: bool,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Train a GPT-2 that writes a customer's next search queries, and register it.

    Defaults are those of the GPT4Rec paper where it gives a value. A killed training goes on where
    it was when it is called again in the same way.
    """
    from gpt4rec_es.generation.options import TrainingOptions
    from gpt4rec_es.lab.splits.held_out import read_held_out_lists
    from gpt4rec_es.lab.training.split_data import SplitPart
    from gpt4rec_es.lab.training.train_generator import plan_training, train_generator

    if with_validation and split is None:
        raise click.UsageError("--with-validation needs --split.")
    part = None if split is None else SplitPart(split, with_validation)
    runtime = get_runtime()
    settings = runtime.settings
    options = TrainingOptions(
        device=settings.generator.device, threads=settings.generator.threads, **chosen
    )
    held_out = read_held_out_lists(hold_out_users, hold_out_events)
    folder = output or Path(".models") / name
    if dry_run:
        plan = plan_training(
            runtime.engine, options, name, folder, held_out, validation_fraction, part
        )
        emit(plan, as_json, _print_plan)
        return
    with progress_bar("Training", "steps") as progress:
        report = train_generator(
            runtime.engine,
            options,
            name=name,
            output=folder,
            actor=settings.actor,
            held_out=held_out,
            validation_fraction=validation_fraction,
            split=part,
            use=use,
            progress=progress,
        )
    emit(report, as_json, _print_report)


def _print_plan(plan: dict[str, Any]) -> None:
    print_line(f"would train {plan['name']} and write {plan['folder']}")
    for fact, value in plan["data"].items():
        shown = f"{value:,}" if type(value) is int else value
        print_line(f"  {fact.replace('_', ' ')}: {shown}")


def _print_report(report: "TrainReport") -> None:
    card = report.card
    print_line(
        f"{report.name}: {card['parameters']:,} parameters, {card['seconds']:.0f} s on "
        f"{card['device']}, written to {report.folder}"
    )
    print_table(
        ["phase", "steps", "planned", "tokens", "loss"],
        [
            (phase, row["steps"], row["planned_steps"], row["tokens"], row["loss"])
            for phase, row in card["phases"].items()
        ],
    )
    if card["validation_loss"] is not None:
        print_line(f"loss per target token on users kept back: {card['validation_loss']:.3f}")
    if report.is_current:
        print_line("The next night uses it.")
    else:
        print_line(f"Let nights use it with `gpt4rec generators use {report.name}`.")
