"""``gpt4rec train reranker``: a recommender whose IDs attend to a GPT-2's reading of metadata."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpt4rec_es.cli.context import after_interrupt, get_runtime
from gpt4rec_es.cli.names import names
from gpt4rec_es.cli.number_types import SEEDS, FloatRange
from gpt4rec_es.cli.options import json_option, trust_option
from gpt4rec_es.cli.output import emit, print_line, print_table
from gpt4rec_es.cli.progress import progress_bar

if TYPE_CHECKING:
    from gpt4rec_es.lab.training.train_reranker import RerankerReport


@click.command()
@click.option("--name", required=True, help="Name under which to register the re-ranker.")
@click.option(
    "--split",
    required=True,
    shell_complete=names("split"),
    help="Split to train on: its training part, with the best epoch chosen by its validation part.",
)
@click.option(
    "--preset",
    type=click.Choice(["fast", "no-finetune", "hybrid", "end-to-end"]),
    default="no-finetune",
    show_default=True,
    help="Kind of training; fast: fixed vectors of metadata beside IDs; no-finetune: IDs attend to "
    "fixed vectors of each field; hybrid: the same, then adapters of the GPT-2 learn, too; "
    "end-to-end: adapters learn from the start.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Folder to write; must not exist. [default: .models/NAME]",
)
@click.option(
    "--generator",
    shell_complete=names("generator"),
    help="Generator whose GPT-2 reads the metadata. [default: the one nights use]",
)
@click.option("--gpt2", help="GPT-2 to read the metadata instead: a folder or a hub id.")
@trust_option
@click.option(
    "--user-mode",
    type=click.Choice(["id", "history", "both"]),
    default="history",
    show_default=True,
    help="Reading of users: by an embedding of their number, by their history, or by both; nights "
    "use history alone.",
)
@click.option(
    "--blocks",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Blocks of a transformer that reads histories in order; 0: the mean of their items.",
)
@click.option(
    "--history-length",
    type=click.IntRange(1, 1000),
    default=20,
    show_default=True,
    help="Newest items of a history that are read.",
)
@click.option(
    "--loss",
    "objective",
    type=click.Choice(["softmax", "bpr"]),
    default="softmax",
    show_default=True,
    help="Ranking loss: sampled softmax, or Bayesian personalized ranking.",
)
@click.option(
    "--contrastive-weight",
    type=FloatRange(min=0),
    default=0.1,
    show_default=True,
    help="Weight of the contrastive loss between IDs and metadata; 0: without.",
)
@click.option(
    "--attention/--no-attention",
    "use_attention",
    default=True,
    show_default=True,
    help="Attention to the fields, or a gated concatenation of them; unused by preset fast.",
)
@click.option(
    "--dim",
    type=click.IntRange(min=4),
    default=64,
    show_default=True,
    help="Width of user and item vectors; a multiple of 4.",
)
@click.option(
    "--epochs", type=click.IntRange(min=1), help="Epochs of each phase. [default: by --preset]"
)
@click.option(
    "--lr",
    type=FloatRange(min=0, min_open=True),
    help="Learning rate of all but the adapters. [default: by --preset]",
)
@click.option(
    "--encoder-lr",
    type=FloatRange(min=0, min_open=True),
    default=1e-4,
    show_default=True,
    help="Learning rate of the adapters.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=1024,
    show_default=True,
    help="Examples per training step.",
)
@click.option(
    "--patience",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="Epochs without a better NDCG@10 on validation users that end a phase.",
)
@click.option(
    "--learn-validation",
    is_flag=True,
    help="Learn from the validation part as well, for exactly --epochs epochs, before the test or "
    "for nights.",
)
@click.option("--seed", type=SEEDS, default=1, show_default=True, help="Random seed.")
@json_option
def reranker(
    name: str,
    split: str,
    output: Path | None,
    generator: str | None,
    gpt2: str | None,
    trust: bool,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Train a recommender in which a GPT-2 reads the metadata, and register it for nights.

    An interrupted training resumes when the same command is run again; see docs/reranking.md.

    Example: gpt4rec train reranker --name fields --split beauty --preset hybrid
    """
    from gpt4rec_es.lab.training.reranker_options import RerankerOptions
    from gpt4rec_es.lab.training.train_reranker import train_reranker

    after_interrupt("The same command goes on from the last epoch.")
    runtime = get_runtime()
    settings = runtime.settings.generator
    options = RerankerOptions(device=settings.device, threads=settings.threads, **chosen)
    with progress_bar("Training", "epochs") as progress:
        report = train_reranker(
            runtime.engine,
            options,
            name=name,
            split=split,
            output=output or Path(".models") / name,
            generator=generator,
            gpt2=gpt2,
            trust=trust,
            actor=runtime.settings.actor,
            progress=progress,
        )
    emit(report, as_json, print_reranker)


def print_reranker(report: "RerankerReport") -> None:
    """Print what a training did, and how to measure its re-ranker."""
    card = report.card
    print_line(
        f"{report.name}: {card['parameters']:,} parameters, {card['seconds']:.0f} s on "
        f"{card['device']}, written to {report.folder}"
    )
    print_table(
        ["phase", "epoch", "ranking loss", "contrastive loss", "validation NDCG@10"],
        [
            (
                row["phase"],
                row["epoch"] + 1,
                row["ranking_loss"],
                row["contrastive_loss"],
                row["ndcg"],
            )
            for row in card["epochs"]
        ],
    )
    if card["validation_ndcg"] is not None:
        print_line(f"NDCG@10 on validation users: {card['validation_ndcg']:.4f}")
    if not report.is_registered:
        print_line("It is not registered: nights use re-rankers of --user-mode history alone.")
    print_line(
        f"Measure it: `gpt4rec evaluate run {card['data']['split']} --trained {report.folder}`"
    )
