"""Train a query generator in phases, from data to a finished checkpoint folder.

The folder is created complete or not at all. Until then a folder beside it holds the state to
resume from after a kill. Independent of the database; train_generator.py passes the titles.
"""

import copy
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from gpt4rec_es.encoders import network as networks
from gpt4rec_es.encoders.adapters import ALL_LINEAR, LoraOptions, merged, with_adapters
from gpt4rec_es.encoders.folder import open_checkpoint
from gpt4rec_es.encoders.tokenizer import PromptTokenizer, open_tokenizer, train_tokenizer
from gpt4rec_es.errors import DataError, UsageError
from gpt4rec_es.generation.options import VOCABULARIES, TrainingOptions, TrainingReport
from gpt4rec_es.lab.training.dataset import (
    Examples,
    Pieces,
    TrainingData,
    pair_examples,
    window_examples,
)
from gpt4rec_es.lab.training.divergence import require_finite_weights
from gpt4rec_es.lab.training.history_training import train_history_network
from gpt4rec_es.lab.training.new_network import new_network
from gpt4rec_es.lab.training.prune_vocabulary import prune_network, prune_tokenizer
from gpt4rec_es.lab.training.run_phase import Phase, PhaseResult, count_steps, run_phase
from gpt4rec_es.lab.training.save import save_checkpoint, work_folder
from gpt4rec_es.lab.training.validation import Validation, validate
from gpt4rec_es.protocols import Progress
from gpt4rec_es.records import PromptForm
from gpt4rec_es.version import code_version

_WARMUP_DIVISOR = 10  # warm-up takes at most a tenth of the steps


@dataclass(frozen=True)
class _Planned:
    """One phase before it runs."""

    name: str
    examples: Examples
    epochs: float
    lr: float
    steps: int

    @property
    def tokens(self) -> float:
        return self.epochs * float(self.examples.lengths.sum())


def train_network(
    data: TrainingData, options: TrainingOptions, output: Path, progress: Progress
) -> TrainingReport:
    """Train a generator and write its folder ``output``, which must not exist.

    Called again after a kill with equal arguments it resumes from the last checkpoint.

    Raises:
        UsageError: ``output`` exists, or beside it an unfinished training with other arguments.
        DataError: no user has two titles to train on.
        DivergedError: the loss or a weight is not finite; snapshots saved before stay.
    """
    started = time.monotonic()
    if output.exists():
        raise UsageError(f"{output} exists already.", "Choose another folder or remove it.")
    device = networks.pick_device(options.device)
    networks.set_threads(options.threads)
    torch.manual_seed(options.seed)
    network, tokenizer, form = _begin(data, options)
    if options.history == "vectors":
        return train_history_network(data, network, tokenizer, form, options, output, progress)
    context = int(network.config.max_position_embeddings)
    phases = _plan(data, options, tokenizer, context, form)
    parameters = sum(weights.numel() for weights in network.parameters())
    learner = network
    if options.lora:
        adapters = LoraOptions(options.lora, alpha=2 * options.lora, targets=ALL_LINEAR)
        learner = with_adapters(network, adapters)

    def card(results: dict[str, PhaseResult], validation: Validation) -> dict[str, Any]:
        return {
            "data": data.facts,
            "options": options.as_dict(),
            "prompt": form.as_dict(),
            "phases": {name: asdict(result) for name, result in results.items()},
            "model_type": network.config.model_type,
            "parameters": parameters,
            "validation_loss": validation.loss,
            "nats_per_title": validation.nats,
            "popularity_nats": validation.popularity,
            "device": device,
            "precision": _precision(options, device),
            "seconds": round(time.monotonic() - started, 1),
            "code_version": code_version(),
        }

    def save_snapshot(name: str, result: PhaseResult) -> None:
        require_finite_weights(learner, name, result.steps)
        folder = output.with_name(f"{output.name}-snapshots") / f"{name}-{result.steps:06d}"
        if not folder.exists():  # otherwise it was saved before a kill
            now = merged(copy.deepcopy(learner)) if options.lora else network
            save_checkpoint(now, tokenizer, folder, card({name: result}, Validation()), form)

    with work_folder(output, data, options) as work:
        results = _run(learner, phases, options, device, work, progress, save_snapshot)
        network = merged(learner)
        validation = validate(network, data, options, tokenizer, context, form)
        finished = card(results, validation)
        content_hash = save_checkpoint(network, tokenizer, output, finished, form)
    return TrainingReport(output, content_hash, finished)


def _begin(data: TrainingData, options: TrainingOptions) -> tuple[Any, PromptTokenizer, PromptForm]:
    """Return the network to train, its tokenizer and its form of prompts."""
    if options.start:
        checkpoint = open_checkpoint(networks.fetch(options.start))
        form = options.prompt_form(checkpoint.prompt_form)
        network = networks.open_to_train(checkpoint.folder, options.dropout)
        tokenizer = checkpoint.tokenizer
        if options.prune_vocab:
            tokenizer, kept = prune_tokenizer(
                tokenizer, [*data.catalog_titles, *data.histories.titles]
            )
            prune_network(network, kept)
        return network, tokenizer, form
    if options.tokenizer:
        tokenizer = open_tokenizer(options.tokenizer)
    else:
        size = options.vocab_size or VOCABULARIES[options.size]
        tokenizer = train_tokenizer(data.catalog_titles, size)
    network = new_network(options.size, tokenizer.size, tokenizer.end_id, options.dropout)
    return network, tokenizer, options.prompt_form(PromptForm())


def _plan(
    data: TrainingData,
    options: TrainingOptions,
    tokenizer: PromptTokenizer,
    context: int,
    form: PromptForm,
) -> list[_Planned]:
    pieces = Pieces(data.histories.titles, tokenizer, context, options.reserve, form)
    pairs = pair_examples(data.histories, pieces, options.pairs, options.newest_pairs)
    if not len(pairs):
        raise DataError(
            "No user has bought two items with a title to train on.",
            "Import more purchases, or check titles and held-out lists.",
        )
    planned = []
    if options.new_epochs:
        windows = window_examples(data.histories, pieces)
        planned.append(("pretrain", windows, options.new_epochs, options.pretrain_lr))
    if options.epochs:
        planned.append(("pairs", pairs, options.epochs, options.lr))
    return [
        _Planned(name, examples, epochs, lr, count_steps(len(examples), epochs, options.batch_size))
        for name, examples, epochs, lr in planned
    ]


def _run(
    network: Any,
    phases: list[_Planned],
    options: TrainingOptions,
    device: str,
    work: Path,
    progress: Progress,
    save_snapshot: Callable[[str, PhaseResult], None],
) -> dict[str, PhaseResult]:
    """Run the phases in order, each with its fraction of the limits."""
    results: dict[str, PhaseResult] = {}
    limits = _step_limits([phase.steps for phase in phases], options.max_steps)
    total, done = sum(limits), 0
    every = max(1, total // (options.snapshots + 1)) if options.snapshots else None
    left_tokens = sum(phase.tokens for phase in phases)
    ends = options.max_minutes and time.monotonic() + 60 * options.max_minutes
    for phase, limit in zip(phases, limits, strict=True):
        now = time.monotonic()
        fraction = phase.tokens / left_tokens
        settings = Phase(
            epochs=phase.epochs,
            lr=phase.lr,
            warmup_steps=min(options.warmup_steps, phase.steps // _WARMUP_DIVISOR),
            weight_decay=options.weight_decay,
            batch_size=options.batch_size,
            seed=options.seed,
            device=device,
            precision=_precision(options, device),
            max_steps=limit,
            deadline=now + (ends - now) * fraction if ends else None,
        )
        report = _reporter(progress, done, total, phase, limit, every, save_snapshot)
        results[phase.name] = run_phase(
            network, phase.examples, settings, work / phase.name, report
        )
        done += limit
        left_tokens -= phase.tokens
    return results


def _reporter(
    progress: Progress,
    before: int,
    total: int,
    phase: _Planned,
    limit: int,
    every: int | None,
    save_snapshot: Callable[[str, PhaseResult], None],
) -> Callable[[int], None]:
    """Return the step callback of a phase: reports progress, and saves snapshots before its end."""

    def report(steps: int) -> None:
        progress(before + steps, total)
        if every and steps % every == 0 and steps < limit:
            read = round(phase.tokens * steps / phase.steps)
            save_snapshot(phase.name, PhaseResult(steps, phase.steps, read, None))

    return report


def _step_limits(planned: list[int], most: int | None) -> list[int]:
    """Return the maximum steps of each phase: all ``planned``, or its fraction of ``most``."""
    if most is None or most >= sum(planned):
        return planned
    limits = [steps * most // sum(planned) for steps in planned]
    limits[-1] += most - sum(limits)
    return limits


def _precision(options: TrainingOptions, device: str) -> Literal["fp32", "fp16", "bf16"]:
    """Return the precision: by default mixed 16-bit if the device supports it, else fp32."""
    if options.precision != "auto":
        return options.precision
    if device != "cpu":
        return "fp16"
    return "bf16" if networks.trains_fast_in_bf16(device) else "fp32"
