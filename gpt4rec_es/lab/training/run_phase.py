"""One phase of training with the Hugging Face Trainer: checkpoints, resume, clean stop.

It trains on token sequences with labels; phases.py defines the phases.
"""

import math
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback
from transformers.trainer_utils import get_last_checkpoint

from gpt4rec_es.encoders.network import silence_transformers
from gpt4rec_es.lab.training.dataset import IGNORED, Examples, epoch_order
from gpt4rec_es.lab.training.divergence import (
    require_finite_loss,
    require_finite_weights,
    require_learned,
)
from gpt4rec_es.lab.training.loss import linear_cross_entropy

# oneDNN caches primitives for 1,024 shapes, and batches of mixed lengths rarely have equal shapes,
# so the cache grows to gigabytes without hits. oneDNN reads this at its first operation.
_SHAPES = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")

# Marker file of a complete checkpoint; without it a kill interrupted its writing.
_COMPLETE = "complete"


@dataclass(frozen=True)
class Phase:
    """Settings of one phase. max_steps: limit; deadline: a time of the monotonic clock."""

    epochs: float
    lr: float
    warmup_steps: int
    weight_decay: float
    batch_size: int
    seed: int
    device: str
    precision: Literal["fp32", "fp16", "bf16"]
    max_steps: int | None = None
    deadline: float | None = None


@dataclass(frozen=True)
class PhaseResult:
    """Result of a phase: optimizer steps done and planned, tokens read, last mean loss."""

    steps: int
    planned_steps: int
    tokens: int
    loss: float | None


def count_steps(n_examples: int, epochs: float, batch_size: int) -> int:
    """Return the number of optimizer steps of ``epochs`` over ``n_examples``."""
    return math.ceil(math.ceil(n_examples * epochs) / batch_size)


def run_phase(
    network: Any, examples: Examples, phase: Phase, folder: Path, report: Callable[[int], None]
) -> PhaseResult:
    """Train ``network`` in place; resumes from the last checkpoint in ``folder``, if any.

    report(steps): called with the number of finished steps. Equal arguments give equal weights on
    the same machine, also after interruptions.

    Raises:
        DivergedError: the loss or a weight is NaN or infinite, or the loss is far above a guess.
    """
    planned = count_steps(len(examples), phase.epochs, phase.batch_size)
    wanted = planned if phase.max_steps is None else min(planned, phase.max_steps)
    # Only a phase that is not cut by max_steps may have a short last batch.
    total = min(math.ceil(len(examples) * phase.epochs), wanted * phase.batch_size)
    if wanted == 0:
        return PhaseResult(0, planned, 0, None)
    os.environ.setdefault(*_SHAPES)
    with silence_transformers():
        trainer = _TokenTrainer(
            model=network,
            args=_arguments(phase, folder, planned, wanted),
            train_dataset=_Schedule(examples, phase, total),
            data_collator=_collate,
            callbacks=[_StopCallback(phase.deadline, report)],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train(resume_from_checkpoint=_last_checkpoint(folder))
    steps = int(trainer.state.global_step)
    require_finite_weights(network, folder.name, steps)
    loss = mean_loss(network, examples, phase.batch_size, most=64)
    require_learned(loss, math.log(network.config.vocab_size), folder.name, steps)
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    read = min(1.0, steps / planned) * phase.epochs * float(examples.lengths.sum())
    return PhaseResult(steps, planned, round(read), losses[-1] if losses else None)


def mean_loss(network: Any, examples: Examples, batch_size: int, most: int | None = None) -> float:
    """Return the mean negative log-likelihood per target token over ``most`` examples, or all."""
    network.eval()
    total, n_tokens = 0.0, 0
    order = np.argsort(examples.lengths, kind="stable")
    if most is not None:
        order = order[:: -(-len(order) // most)]
    with torch.inference_mode():
        for start in range(0, len(order), batch_size):
            numbers = order[start : start + batch_size]
            batch = _collate([examples.sequence(int(number)) for number in numbers])
            ids, labels = (batch[name].to(network.device) for name in ("input_ids", "labels"))
            in_batch = int((labels[:, 1:] != IGNORED).sum())
            total += float(_token_loss(network, ids, labels)) * in_batch
            n_tokens += in_batch
    return total / max(n_tokens, 1)


class _Schedule:
    """All epochs as one sequence of examples, so that a resumed training skips examples."""

    def __init__(self, examples: Examples, phase: Phase, total: int) -> None:
        self._examples = examples
        self._phase = phase
        self._total = total
        self._epoch = -1
        self._order: Any = None

    def __len__(self) -> int:
        return self._total

    def __getitem__(self, place: int) -> tuple[Any, Any]:
        epoch, within = divmod(place, len(self._examples))
        if epoch != self._epoch:
            phase = self._phase
            self._order = epoch_order(self._examples.lengths, phase.batch_size, phase.seed, epoch)
            self._epoch = epoch
        return self._examples.sequence(int(self._order[within]))


def _collate(sequences: list[tuple[Any, Any]]) -> dict[str, Any]:
    """Return ids and labels, both (sequences, longest), right-padded.

    Causal attention ignores right padding, so no attention mask is needed; padding has no label.
    """
    width = max(len(ids) for ids, _ in sequences)
    ids = np.zeros((len(sequences), width), np.int64)
    labels = np.full((len(sequences), width), IGNORED, np.int64)
    for row, (tokens, wanted) in enumerate(sequences):
        ids[row, : len(tokens)] = tokens
        labels[row, : len(tokens)] = wanted
    return {"input_ids": torch.from_numpy(ids), "labels": torch.from_numpy(labels)}


def _token_loss(network: Any, ids: Any, labels: Any) -> Any:
    """Return the mean negative log-likelihood per labelled token.

    The output layer, a third of a tiny network's work, is computed for labelled tokens only.
    """
    plain = getattr(network, "get_base_model", lambda: network)()  # not peft's wrapper of it
    hidden = plain.base_model(ids, use_cache=False).last_hidden_state
    wanted = labels[:, 1:] != IGNORED
    weights = network.get_output_embeddings().weight
    return linear_cross_entropy(hidden[:, :-1][wanted], weights, labels[:, 1:][wanted])


class _TokenTrainer(Trainer):  # type: ignore[misc]  # transformers is not typed
    """A Trainer with the loss above."""

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,  # noqa: ARG002 - one batch is one step here
    ) -> Any:
        """Return the loss of one batch."""
        # The Trainer applies mixed precision in model.forward, which _token_loss does not call.
        with self.accelerator.autocast():
            loss = _token_loss(model, inputs["input_ids"], inputs["labels"])
        # The Trainer's log leaves out a loss that is not finite, and shows 0.
        phase = Path(self.args.output_dir).name
        require_finite_loss(loss.item(), phase, self.state.global_step + 1)
        return (loss, None) if return_outputs else loss


def _last_checkpoint(folder: Path) -> str | None:
    """Return the newest complete checkpoint, after deleting all others."""
    for checkpoint in folder.glob("checkpoint-*"):
        if not (checkpoint / _COMPLETE).exists():
            shutil.rmtree(checkpoint)
    return get_last_checkpoint(str(folder)) if folder.is_dir() else None


class _StopCallback(TrainerCallback):  # type: ignore[misc]  # transformers is not typed
    """Reports steps, marks checkpoints as complete, and stops at the deadline after saving one."""

    def __init__(self, deadline: float | None, report: Callable[[int], None]) -> None:
        self._deadline = deadline
        self._report = report

    # The Trainer passes these arguments by name.
    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Report the step and check the deadline."""
        self._report(state.global_step)
        if self._deadline is not None and time.monotonic() >= self._deadline:
            control.should_training_stop = True
            control.should_save = True

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Mark the checkpoint of this step, whose files are all written now."""
        (Path(args.output_dir) / f"checkpoint-{state.global_step}" / _COMPLETE).touch()


def _arguments(phase: Phase, folder: Path, planned: int, wanted: int) -> Any:
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=wanted,
        per_device_train_batch_size=phase.batch_size,
        train_sampling_strategy="sequential",
        learning_rate=phase.lr,
        warmup_steps=phase.warmup_steps,
        lr_scheduler_type="linear",
        weight_decay=phase.weight_decay,
        optim="adamw_torch_fused",
        max_grad_norm=1.0,
        seed=phase.seed,
        data_seed=phase.seed,
        use_cpu=phase.device == "cpu",
        fp16=phase.precision == "fp16",
        bf16=phase.precision == "bf16",
        save_strategy="steps",
        save_steps=max(25, planned // 20),
        save_total_limit=2,
        logging_strategy="steps",
        logging_steps=max(1, planned // 20),
        disable_tqdm=True,
        report_to="none",
        remove_unused_columns=False,
        dataloader_num_workers=0,
        dataloader_pin_memory=phase.device != "cpu",
    )
    # On a machine with several GPUs the Trainer would split each batch over all of them.
    arguments._n_gpu = min(arguments.n_gpu, 1)  # noqa: SLF001
    return arguments
