"""LoRA adapters (arXiv 2106.09685) by peft: added to a network, saved, opened, merged.

Only the adapters learn then; the weights of the network stay as they are. An encoder shares them.
"""

import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gpt4rec_es.encoders.text_encoder import TextEncoder
from gpt4rec_es.errors import UsageError

_WEIGHTS = "adapter_model.safetensors"
# As targets: all linear layers but the output layer, whatever their names.
ALL_LINEAR = ("all-linear",)


@dataclass(frozen=True, slots=True)
class LoraOptions:
    """Options of adapters.

    alpha / rank multiplies what an adapter adds. targets: names of the layers that get one; in a
    GPT-2 c_attn makes queries, keys and values, c_proj ends attention and feed-forward.
    """

    rank: int = 8
    alpha: int = 32
    dropout: float = 0.1
    targets: tuple[str, ...] = ("c_attn", "c_proj")

    def __post_init__(self) -> None:
        """Refuse adapters without weights."""
        if self.rank < 1 or not self.targets:
            raise UsageError(
                f"Adapters of rank {self.rank} for {len(self.targets)} layers hold no weight.",
                "Choose a rank of 1 or more, and layers such as c_attn.",
            )

    def as_dict(self) -> dict[str, Any]:
        """Return the options as plain values, for cards and checkpoints."""
        return asdict(self)


def with_adapters(network: Any, options: LoraOptions) -> Any:
    """Return peft's wrapper of ``network``, which gets adapters that change nothing yet.

    Of the wrapper, the adapters alone learn and are saved.

    Raises:
        UsageError: it has none of the layers.
    """
    from peft import LoraConfig, get_peft_model  # noqa: PLC0415 - takes seconds

    targets = options.targets
    config = LoraConfig(
        r=options.rank,
        lora_alpha=options.alpha,
        lora_dropout=options.dropout,
        target_modules=targets[0] if targets == ALL_LINEAR else list(targets),
        # GPT-2's Conv1D stores weights as (in, out).
        fan_in_fan_out=network.config.model_type == "gpt2",
    )
    try:
        with warnings.catch_warnings():
            # peft asks transformers by a name that is to be another one.
            warnings.filterwarnings("ignore", message=".*gradient_checkpointing")
            return get_peft_model(network, config)
    except ValueError as error:
        raise UsageError(
            f"There are no layers {', '.join(options.targets)} for adapters.",
            "A GPT-2 has c_attn, c_proj and c_fc.",
        ) from error


def merged(network: Any) -> Any:
    """Return the network in a wrapper, adapters added into its weights; others as they are."""
    if not hasattr(network, "merge_and_unload"):
        return network
    return network.merge_and_unload(safe_merge=True)


def add_adapters(encoder: TextEncoder, options: LoraOptions) -> None:
    """Add adapters that change nothing yet; the encoder stays frozen.

    Raises:
        UsageError: it has adapters, or none of the layers.
    """
    _require_none(encoder)
    encoder.adapters = (with_adapters(encoder.language_model, options),)
    encoder.freeze()


def save_adapters(encoder: TextEncoder, folder: Path) -> None:
    """Write the adapters, without the GPT-2, in the format of peft."""
    (wrapper,) = encoder.adapters
    for config in wrapper.peft_config.values():
        # The path of the GPT-2 on this machine means nothing on another.
        config.base_model_name_or_path = ""
        # A set otherwise, whose order differs between processes, and with it the folder's hash.
        config.target_modules = sorted(config.target_modules)
    # Otherwise peft looks the GPT-2 up on the hub.
    wrapper.save_pretrained(str(folder), save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # a form to be filled in


def open_adapters(encoder: TextEncoder, folder: Path) -> None:
    """Add the adapters in ``folder``; the encoder stays frozen.

    Raises:
        UsageError: the encoder has adapters; the folder has none, or those of another network.
    """
    from peft import PeftModel  # noqa: PLC0415 - takes seconds

    _require_none(encoder)
    if not (folder / _WEIGHTS).is_file():
        raise UsageError(f"{folder} holds no adapters ({_WEIGHTS}).", "Give the folder of a LoRA.")
    try:
        with warnings.catch_warnings():
            # Keys that are missing are only warned of.
            warnings.filterwarnings("error", message="Found missing adapter keys")
            wrapper = PeftModel.from_pretrained(encoder.language_model, str(folder))
    except (RuntimeError, ValueError, UserWarning, OSError) as error:
        raise UsageError(
            f"The adapters in {folder} do not fit the GPT-2 in {encoder.checkpoint.folder}.",
            "Open the GPT-2 that they were trained with.",
        ) from error
    encoder.adapters = (wrapper,)
    encoder.freeze()


def merge_adapters(encoder: TextEncoder) -> None:
    """Add the adapters into the weights of the GPT-2; vectors and logits stay equal.

    Cached vectors become stale all the same: equal means up to rounding.
    """
    (wrapper,) = encoder.adapters
    encoder.language_model = merged(wrapper)
    encoder.adapters = ()
    encoder.freeze()


def _require_none(encoder: TextEncoder) -> None:
    if encoder.adapters:
        raise UsageError("The encoder has adapters.", "Merge these first.")
