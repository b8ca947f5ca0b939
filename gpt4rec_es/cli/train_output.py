"""Printed forms of ``gpt4rec train``: the plan of a dry run and the report of a training."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gpt4rec_es.cli.output import print_line, print_table

if TYPE_CHECKING:
    from gpt4rec_es.lab.training.train_generator import TrainReport


def print_plan(plan: dict[str, Any]) -> None:
    """Print what a training would read and write."""
    print_line(f"would train {plan['name']} by preset {plan['preset']} and write {plan['folder']}")
    print_facts(plan["data"])


def print_facts(facts: Mapping[str, Any]) -> None:
    """Print what a training reads, one fact per line."""
    for fact, value in facts.items():
        shown = f"{value:,}" if type(value) is int else value
        print_line(f"  {fact.replace('_', ' ')}: {shown}")


def print_report(report: "TrainReport") -> None:
    """Print what a training did, and how to use its generator."""
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
    figures = {
        "loss per target token": card["validation_loss"],
        "reader's NDCG@10": card.get("reader_ndcg"),
        "nats per title": card["nats_per_title"],
        "nats per written title": card.get("nats_per_written_title"),
        "by purchases": card.get("popularity_nats"),
    }
    shown = [f"{name} {value:.3f}" for name, value in figures.items() if value is not None]
    if shown:
        print_line(f"on users kept back: {', '.join(shown)}")
    if report.is_current:
        print_line("The next night uses it.")
    else:
        print_line(f"Let nights use it with `gpt4rec generators use {report.name}`.")
