"""``gpt4rec train``: from the shop's histories to a query generator that nights can use."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpt4rec_es.cli.context import after_interrupt, get_runtime
from gpt4rec_es.cli.names import names
from gpt4rec_es.cli.number_types import SEEDS, FloatRange
from gpt4rec_es.cli.options import json_option
from gpt4rec_es.cli.output import emit
from gpt4rec_es.cli.progress import progress_bar
from gpt4rec_es.cli.train_baseline import baseline
from gpt4rec_es.cli.train_output import print_plan, print_report
from gpt4rec_es.cli.train_reranker import reranker
from gpt4rec_es.cli.train_start import start_options

if TYPE_CHECKING:
    from gpt4rec_es.generation.options import Preset

_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
_AT_LEAST_0 = FloatRange(min=0)


@click.group()
def train() -> None:
    """Train a query generator, a re-ranker, or a baseline to compare with."""


train.add_command(reranker)
train.add_command(baseline)


@train.command()
@click.option("--name", required=True, help="Name under which to register the generator.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Folder to write the checkpoint to; must not exist. [default: .models/NAME]",
)
@start_options
@click.option(
    "--history",
    type=click.Choice(["words", "vectors"]),
    default="words",
    show_default=True,
    help="Input for a history: all words of its titles, or a vector per title.",
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
    help="Folder of a byte-level BPE tokenizer for a new network. [default: trained on the "
    "catalog]",
)
@click.option(
    "--vocab-size",
    type=click.IntRange(min=300),
    help="Vocabulary size of a trained tokenizer. [default: tiny 3000, small 6000, gpt2 30000]",
)
@click.option(
    "--preset",
    type=click.Choice(["paper", "small", "demo", "vectors"]),
    help="Defaults of the options below; paper: 20 epochs at 1e-4, to fine-tune a pretrained "
    "GPT-2; small: a new small network, in hours on a CPU; demo: in minutes; vectors: default of "
    "--history vectors. [default: paper with --start or --size gpt2, else small]",
)
@click.option(
    "--epochs",
    type=_AT_LEAST_0,
    help="Epochs over the pairs of prompt and next title. [default: by --preset]",
)
@click.option(
    "--lr",
    type=FloatRange(min=0, min_open=True),
    help="Peak learning rate of these epochs. [default: by --preset]",
)
@click.option(
    "--pairs",
    type=click.Choice(["last", "every-prefix"]),
    help="Training targets: each user's last title, or every title but the first. [default: by "
    "--preset]",
)
@click.option(
    "--newest-pairs",
    type=click.IntRange(min=1),
    help="With every-prefix: newest targets per user, at most. [default: by --preset]",
)
@click.option(
    "--prompt-titles",
    type=click.IntRange(min=1),
    help="Newest titles in a prompt, at most. [default: 15, or as in the --start checkpoint]",
)
@click.option(
    "--newest-first/--oldest-first",
    default=None,
    help="Order of titles in a prompt. [default: oldest first, or as in the --start checkpoint]",
)
@click.option(
    "--pretrain-epochs",
    type=_AT_LEAST_0,
    help="Epochs of language-model pretraining on whole histories. [default: by --preset; paper: 3 "
    "for a new network, else 0]",
)
@click.option(
    "--pretrain-lr",
    type=FloatRange(min=0, min_open=True),
    help="Peak learning rate of pretraining. [default: by --preset]",
)
@click.option(
    "--warmup-steps",
    type=click.IntRange(min=0),
    help="Warmup steps of the learning rate; at most a tenth of all steps. [default: by --preset]",
)
@click.option(
    "--weight-decay",
    type=_AT_LEAST_0,
    help="Weight decay of AdamW. [default: by --preset]",
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    help="Examples per training step; of long histories read as vectors, fewer. [default: by "
    "--preset]",
)
@click.option(
    "--dropout",
    type=FloatRange(0, 0.9),
    help="Dropout probability, instead of the network's own.",
)
@click.option("--seed", type=SEEDS, default=1, show_default=True, help="Random seed.")
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "fp16", "bf16"]),
    default="auto",
    show_default=True,
    help="Floating-point precision; auto: mixed fp16 on a GPU, mixed bf16 on a CPU that supports "
    "it, else fp32.",
)
@click.option("--max-steps", type=click.IntRange(min=1), help="Maximum number of training steps.")
@click.option(
    "--max-minutes",
    type=FloatRange(min=0, min_open=True),
    help="Maximum training time in minutes; unlike --max-steps not reproducible.",
)
@click.option(
    "--snapshots",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Number of intermediate checkpoints to keep, in OUTPUT-snapshots.",
)
@click.option(
    "--hold-out-users", type=_FILE, help="File of user ids to exclude from training, one per line."
)
@click.option(
    "--hold-out-events",
    type=_FILE,
    help="CSV of purchases to exclude from training: user_id,item_id.",
)
@click.option(
    "--split", shell_complete=names("split"), help="Train on the training part of this split only."
)
@click.option(
    "--with-validation",
    is_flag=True,
    help="With --split: train on its validation part as well, but for 2 % of its users, before "
    "the test.",
)
@click.option(
    "--validation-fraction",
    type=FloatRange(0, 0.5),
    default=0.02,
    show_default=True,
    help="Fraction of users held out to measure the loss.",
)
@click.option(
    "--use/--no-use",
    default=None,
    help="Use the generator from the next night on. [default: if none is in use]",
)
@click.option("--dry-run", is_flag=True, help="Read the data and show what would be trained on.")
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
    preset: "Preset | None",
    **chosen: Any,
) -> None:
    """Train a model that generates a customer's next search queries, and register it.

    An interrupted training resumes when the same command is run again.

    Example: gpt4rec train generator --name first --start gpt2
    """
    from gpt4rec_es.generation.options import fitting_preset, training_options
    from gpt4rec_es.lab.splits.held_out import read_held_out_lists
    from gpt4rec_es.lab.training.split_data import SplitPart
    from gpt4rec_es.lab.training.train_generator import plan_training, train_generator

    if with_validation and split is None:
        raise click.UsageError("--with-validation needs --split.")
    part = None if split is None else SplitPart(split, with_validation)
    after_interrupt("The same command goes on from the last checkpoint.")
    runtime = get_runtime()
    settings = runtime.settings
    preset = preset or fitting_preset(chosen["start"], chosen["size"], chosen["history"])
    options = training_options(
        preset,
        {"device": settings.generator.device, "threads": settings.generator.threads, **chosen},
    )
    held_out = read_held_out_lists(hold_out_users, hold_out_events)
    folder = output or Path(".models") / name
    if dry_run:
        read = (held_out, validation_fraction, part)
        plan = plan_training(runtime.engine, options, name, folder, *read)
        emit({**plan, "preset": preset}, as_json, print_plan)
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
    emit(report, as_json, print_report)
