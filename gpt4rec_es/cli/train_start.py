"""Options of ``gpt4rec train generator`` about the checkpoint that a training starts from."""

from collections.abc import Callable
from typing import Any

import click


def start_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the checkpoint, and how it is adapted to the shop."""
    for option in (
        click.option(
            "--prune-vocab",
            is_flag=True,
            help="With --start: drop the tokens that no title of the catalog and no prompt uses. "
            "Other titles can still be written, by smaller tokens.",
        ),
        click.option(
            "--lora",
            type=click.IntRange(min=1),
            metavar="RANK",
            help="With --start: train LoRA adapters of this rank and merge them at the end; the "
            "checkpoint's own weights do not learn. They need a larger --lr, such as 1e-3.",
        ),
        click.option(
            "--start",
            help="Checkpoint to fine-tune: a folder or a hub id such as gpt2. "
            "[default: a new network]",
        ),
    ):
        command = option(command)
    return command
