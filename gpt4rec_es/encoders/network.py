"""The network of a generator, opened from safetensors; device and threads.

Loading never executes code of a checkpoint: safetensors only, no remote code.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from transformers import AutoModelForCausalLM, GenerationConfig
from transformers.utils import logging as transformers_logging

from gpt4rec_es.encoders.architectures import ARCHITECTURES, HISTORY
from gpt4rec_es.encoders.folder import read_config
from gpt4rec_es.errors import DependencyError, UsageError

_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def pick_device(device: str) -> str:
    """Return the torch device for "auto", "cpu" or "cuda[:N]"; auto takes a GPU if there is one.

    Raises:
        UsageError: there is no such GPU.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError(f"There is no GPU for device {device!r}.", "Choose auto or cpu.")
    try:
        return str(torch.device(device))
    except RuntimeError as error:
        raise UsageError(f"{device!r} is no device.", "Choose auto, cpu or cuda.") from error


def describe_device(device: str) -> str:
    """Return a description of ``device``: a GPU with its memory, or the CPU.

    Raises:
        UsageError: there is no such GPU.
    """
    chosen = torch.device(pick_device(device))
    if chosen.type != "cuda":
        return f"CPU, {len(os.sched_getaffinity(0))} cores"
    free, total = torch.cuda.mem_get_info(chosen)
    gib = 2**30
    name = torch.cuda.get_device_name(chosen)
    return f"GPU {name}, {free / gib:.1f} of {total / gib:.1f} GiB free"


def set_threads(threads: int) -> int:
    """Set the number of CPU threads of this process (0: all available ones)."""
    chosen = threads or len(os.sched_getaffinity(0))
    torch.set_num_threads(chosen)
    return chosen


def trains_fast_in_bf16(device: str) -> bool:
    """Return whether mixed bf16 is faster: on a CPU only with bf16 instructions.

    With them a step took half as long (4 layers of width 256, AVX-512 BF16), without them longer.
    """
    return device == "cpu" and (
        # torch has no public API for either.
        torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()  # noqa: SLF001
    )


def open_network(folder: Path, dtype: str, device: str) -> Any:
    """Return the language model in ``folder``, in evaluation mode on ``device``.

    The folder must have passed folder.open_checkpoint.

    Raises:
        UsageError: fp16 on a CPU, weights that do not fit config.json, or that fp16 cannot hold.
    """
    network = _open(folder, torch_dtype(dtype, device)).to(device).eval()
    if dtype == "fp16" and (name := non_finite_weight(network)):
        raise UsageError(
            f"Weights of {folder} are too large for fp16: {name}.",
            "Set decoding.dtype of the recipe to bf16 or fp32.",
        )
    return network


def torch_dtype(dtype: str, device: str) -> Any:
    """Return the type of torch for "fp32", "fp16" or "bf16".

    Raises:
        UsageError: fp16 on a CPU.
    """
    if dtype == "fp16" and device == "cpu":
        raise UsageError("fp16 needs a GPU.", "Use fp32 or bf16 on a CPU.")
    return _DTYPES[dtype]


def open_to_train(folder: Path, dropout: float | None = None) -> Any:
    """Return the language model in ``folder`` in fp32, for further training.

    dropout: replaces the saved rate, where its architecture has one. The folder must have passed
    folder.open_checkpoint.
    """
    names = ARCHITECTURES[read_config(folder)["model_type"]].dropout
    rates = {} if dropout is None else dict.fromkeys(names, dropout)
    return _open(folder, torch.float32, **rates)


def fetch(source: str) -> Path:
    """Return the folder of a checkpoint: ``source`` if it is one, else a download from the hub.

    Only configuration, tokenizer and safetensors weights are downloaded.

    Raises:
        DependencyError: the hub cannot be reached, or has no such model.
        UsageError: it is a path that does not exist.
    """
    if Path(source).exists():
        return Path(source)
    if source.startswith((".", "/", "~")) or source.count("/") > 1:
        raise UsageError(f"There is no checkpoint folder {source}.", "Give a folder or a hub id.")
    wanted = ["config.json", "*.safetensors", "tokenizer.json", "vocab.json", "merges.txt"]
    with silence_transformers():
        try:
            return Path(snapshot_download(source, allow_patterns=wanted))
        except Exception as error:  # the hub's errors have no common base below Exception
            raise DependencyError(
                f"{source!r} is no folder here, and could not be fetched from the Hugging Face "
                f"hub ({type(error).__name__}).",
                "Give a folder with a checkpoint, or fetch it once where the hub is reached.",
            ) from error


def non_finite_weight(network: Any) -> str | None:
    """Return the name of the first parameter with NaN or infinite values; None: all are finite."""
    return next(
        (name for name, weights in network.named_parameters() if not torch.isfinite(weights).all()),
        None,
    )


def require_finite(network: Any, folder: Path) -> None:
    """Check that all weights of ``network`` are finite.

    Raises:
        UsageError: one is not.
    """
    if name := non_finite_weight(network):
        raise UsageError(
            f"The weights in {folder} are not all finite: {name}.",
            "The training diverged, or a file is damaged: copy it anew, or train again.",
        )


def _open(folder: Path, dtype: Any, **config: float) -> Any:
    if read_config(folder)["model_type"] == HISTORY:
        raise UsageError(
            f"{folder} is a generator that reads histories as vectors, no plain language model.",
            "Use it as a generator, or give the folder of one that reads words.",
        )
    with silence_transformers():
        try:
            network, info = AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=dtype,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                attn_implementation="sdpa",
                output_loading_info=True,
                **config,
            )
        except (OSError, ValueError, RuntimeError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UsageError(
                f"{folder} cannot be opened as a language model: {reason}",
                "Save the model again with save_pretrained.",
            ) from error
    missing = sorted(info["missing_keys"])
    if missing:
        raise UsageError(
            f"The weights in {folder} are incomplete: {missing[0]} is missing.",
            "Save the model again with save_pretrained.",
        )
    # The checkpoint's generation_config must not supply settings that a caller leaves out.
    network.generation_config = GenerationConfig()
    return network


@contextmanager
def silence_transformers() -> Iterator[None]:
    """Suppress progress bars and messages of transformers."""
    verbosity = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()
