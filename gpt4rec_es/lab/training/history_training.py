"""Train a generator that reads histories as vectors: first its reader, then the decoder behind it.

As phases.py does for one that reads words: a complete folder or none, resumed after a kill, without
the database.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from gpt4rec_es.encoders import network as networks
from gpt4rec_es.encoders.architectures import HISTORY
from gpt4rec_es.encoders.history_network import (
    HistoryNetwork,
    new_history_network,
    save_history_network,
)
from gpt4rec_es.encoders.history_reader import (
    HistoryReader,
    divide_scores,
    padded_tokens,
    title_keys,
    token_rarities,
)
from gpt4rec_es.encoders.reader_shape import ReaderShape
from gpt4rec_es.encoders.tokenizer import PromptTokenizer
from gpt4rec_es.errors import DataError, UsageError
from gpt4rec_es.generation.options import TrainingOptions, TrainingReport
from gpt4rec_es.generation.title_search.chooser import title_ids
from gpt4rec_es.lab.training.dataset import TrainingData
from gpt4rec_es.lab.training.fit_loop import EpochRow, LoopOptions, run_loop
from gpt4rec_es.lab.training.history_reading import (
    NumberedTitles,
    ReaderLearner,
    fitted_temperature,
    number_titles,
    reader_nats,
)
from gpt4rec_es.lab.training.history_writing import WriterLearner, WritingOptions, prefix_nats
from gpt4rec_es.lab.training.run_phase import PhaseResult
from gpt4rec_es.lab.training.save import save_folder, work_folder
from gpt4rec_es.lab.training.title_targets import TitleTargets
from gpt4rec_es.lab.training.validation import nats_by_purchases
from gpt4rec_es.prompts.template import display_title, target_text
from gpt4rec_es.protocols import Progress
from gpt4rec_es.records import PromptForm
from gpt4rec_es.version import code_version

# Part of a limit of minutes that the reader may take; its best epoch mostly comes earlier.
_READER_PART = 0.3
_PATIENCE = 4
# A deeper reader with less dropout is for users with long histories. Of short ones it learns
# slower, and nothing more.
_LONG = 32  # titles that are read, on average


def train_history_network(
    data: TrainingData,
    network: Any,
    tokenizer: PromptTokenizer,
    form: PromptForm,
    options: TrainingOptions,
    output: Path,
    progress: Progress,
) -> TrainingReport:
    """Train a reader and the decoder ``network``, a GPT-2, and write the folder ``output``.

    Raises:
        UsageError: ``network`` is no GPT-2; the loss is not finite; beside ``output`` is another
            unfinished training.
        DataError: no user has two titles to train on.
    """
    started = time.monotonic()
    if network.config.model_type != "gpt2":
        raise UsageError(
            f"A {network.config.model_type} cannot go on from vectors.", "Start with a GPT-2."
        )
    titles = data.histories.titles
    encoded = tokenizer.encode_all([target_text(title) for title in titles])
    numbered = number_titles(data.histories, data.validation, padded_tokens(encoded))
    if all(len(own) < 2 for own in numbered.histories):
        raise DataError(
            "No user has bought two items with a title to train on.",
            "Import more purchases, or check titles and held-out lists.",
        )
    device = networks.pick_device(options.device)
    spans = [min(len(own), form.titles) for own in numbered.histories]
    is_long = sum(spans) > _LONG * len(spans)
    layers = 2 if is_long else 1
    reader = HistoryReader(
        ReaderShape(titles=len(titles), length=form.titles, blocks=layers, heads=layers),
        network.config.vocab_size,
        network.config.n_embd,
        0.2 if is_long else 0.3,
    )
    reader.keys.copy_(title_keys(titles))
    reader.token_weights.copy_(token_rarities(encoded, network.config.vocab_size))
    joint = new_history_network(reader.to(device), network.to(device))
    with work_folder(output, data, options) as work:
        total = math.ceil(options.new_epochs) + math.ceil(options.epochs)
        ends = started + 60 * options.max_minutes if options.max_minutes else None

        read, epochs = _train_reader(
            joint.reader, numbered, options, work / "reader", _counted(progress, 0, total), ends
        )
        temperature = fitted_temperature(joint.reader, numbered)
        if options.start is None:
            _begin_as_reader(joint)
        divide_scores(joint.reader, temperature)
        written = _train_decoder(
            joint,
            numbered,
            title_ids(titles, tokenizer, options.reserve),
            options,
            work / "decoder",
            _counted(progress, math.ceil(options.new_epochs), total),
            ends,
        )
        new = sorted({display_title(one) for one in data.catalog_titles if one} - {*titles, ""})
        others = tokenizer.encode_all([target_text(title) for title in new])
        card = {
            "data": data.facts,
            "options": options.as_dict(),
            "prompt": form.as_dict(),
            "phases": {"reader": asdict(read), "decoder": asdict(written)},
            "model_type": HISTORY,
            "parameters": sum(w.numel() for part in joint for w in part.parameters()),
            "validation_loss": None,
            "nats_per_title": reader_nats(joint.reader, numbered, padded_tokens(others)),
            "nats_per_written_title": prefix_nats(
                joint,
                numbered,
                title_ids(titles, tokenizer, options.reserve),
                title_ids(new, tokenizer, options.reserve),
            ),
            "popularity_nats": nats_by_purchases(data),
            "reader_ndcg": max((row.ndcg for row in epochs if row.ndcg is not None), default=None),
            "scores_divided_by": temperature,
            "device": device,
            "precision": "bf16" if _is_mixed(options, device) else "fp32",
            "seconds": round(time.monotonic() - started, 1),
            "code_version": code_version(),
        }
        content_hash = save_folder(
            output,
            lambda folder: save_history_network(joint, folder),
            tokenizer,
            network,
            card,
            form,
        )
    return TrainingReport(output, content_hash, card)


def _train_reader(
    reader: HistoryReader,
    data: NumberedTitles,
    options: TrainingOptions,
    work: Path,
    progress: Progress,
    ends: float | None,
) -> tuple[PhaseResult, list[EpochRow]]:
    now = time.monotonic()
    deadline = now + (ends - now) * _READER_PART if ends else None
    if (work.parent / "decoder" / "state.pt").exists():
        deadline = now  # the decoder has learned from this reader
    learner = ReaderLearner(
        reader, data, options.pretrain_lr, options.batch_size, options.seed, deadline
    )
    stages = [("reader", math.ceil(options.new_epochs))]
    work.mkdir(exist_ok=True)
    loop = LoopOptions(stages, _PATIENCE, 5.0, is_averaged=True, advice=_ADVICE)
    epochs = run_loop(learner, loop, work, progress)
    steps = learner.steps
    titles = sum(map(len, data.histories))
    planned = stages[0][1]
    loss = epochs[-1].losses.get("loss") if epochs else None
    return PhaseResult(len(epochs) * steps, planned * steps, len(epochs) * titles, loss), epochs


def _train_decoder(
    network: HistoryNetwork,
    data: NumberedTitles,
    titles: Sequence[Sequence[int]],
    options: TrainingOptions,
    work: Path,
    progress: Progress,
    ends: float | None,
) -> PhaseResult:
    writing = WritingOptions(
        epochs=options.epochs,
        lr=options.lr,
        weight_decay=options.weight_decay,
        warmup_steps=options.warmup_steps,
        states=options.batch_size,
        seed=options.seed,
        seconds=max(ends - time.monotonic(), 1.0) if ends else None,
        mixed=_is_mixed(options, networks.pick_device(options.device)),
    )
    learner = WriterLearner(network, data, TitleTargets(titles), writing)
    stages = [("decoder", math.ceil(options.epochs))]
    work.mkdir(exist_ok=True)
    loop = LoopOptions(stages, _PATIENCE, 1.0, advice=_ADVICE)
    with networks.silence_transformers():
        epochs = run_loop(learner, loop, work, progress)
    losses = [row.losses["loss"] for row in epochs if row.losses]
    return PhaseResult(
        learner.steps, learner.planned_steps, learner.tokens, losses[-1] if losses else None
    )


_ADVICE = "Lower --lr or --pretrain-lr."


def _begin_as_reader(network: HistoryNetwork) -> None:
    """Let a new decoder's tokens begin as the reader knows them, and its prefix as the state.

    So at the first step it expects the words of titles that the reader expects.
    """
    reader, decoder = network
    size = reader.shape.dim
    words = decoder.get_input_embeddings().weight
    scale = decoder.config.initializer_range
    with torch.no_grad():
        words[:, :size] = reader.tokens.weight / reader.tokens.weight.std() * scale
        reader.prefix.weight.mul_(0.1)
        reader.prefix.weight[:size] += 3 * scale * torch.eye(size, device=words.device)
        reader.prefix.bias.zero_()


def _is_mixed(options: TrainingOptions, device: str) -> bool:
    if options.precision != "auto":
        return options.precision != "fp32"
    return device != "cpu" or networks.trains_fast_in_bf16(device)


def _counted(progress: Progress, before: int, total: int) -> Progress:
    """Return the progress of a phase that begins after ``before`` of ``total`` epochs."""
    return lambda done, _: progress(before + done, total)
