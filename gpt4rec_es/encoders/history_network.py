"""A GPT-2 behind a reader of histories, as one checkpoint folder.

config.json is that of the GPT-2 with the model type ``HISTORY`` and the reader's shape in the entry
``READER``; model.safetensors has the weights of both, the reader's with the prefix "reader.".
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import GPT2Config, GPT2LMHeadModel

from gpt4rec_es.encoders.architectures import ARCHITECTURES, HISTORY
from gpt4rec_es.encoders.folder import read_config
from gpt4rec_es.encoders.history_reader import HistoryReader, PrefixEmbedding
from gpt4rec_es.encoders.network import torch_dtype
from gpt4rec_es.encoders.reader_shape import READER, reader_shape
from gpt4rec_es.errors import UsageError, misfit

_PREFIX = "reader."
_WEIGHTS = "model.safetensors"


class HistoryNetwork(NamedTuple):
    """A reader and the decoder behind it, whose token embeddings are a ``PrefixEmbedding``."""

    reader: HistoryReader
    decoder: Any


def new_history_network(reader: HistoryReader, decoder: Any) -> HistoryNetwork:
    """Return them joined; the ``decoder`` is a GPT-2 language model."""
    decoder.set_input_embeddings(PrefixEmbedding(decoder.get_input_embeddings()))
    return HistoryNetwork(reader, decoder)


def open_history_network(folder: Path, dtype: str, device: str) -> HistoryNetwork:
    """Return the network in ``folder``, in evaluation mode on ``device``; the reader in fp32.

    The folder must have passed folder.open_checkpoint.

    Raises:
        UsageError: fp16 on a CPU, or weights that do not fit config.json.
    """
    config = read_config(folder)
    shape = reader_shape(folder, config)
    plain = {key: value for key, value in config.items() if key not in {READER, "model_type"}}
    decoder = GPT2LMHeadModel._from_config(  # noqa: SLF001 - what from_pretrained calls
        GPT2Config(**plain), attn_implementation="sdpa", dtype=torch_dtype(dtype, device)
    )
    reader = HistoryReader(shape, config["vocab_size"], config["n_embd"], 0.0)
    try:
        weights = load_file(folder / _WEIGHTS)
        own = {
            key.removeprefix(_PREFIX): value
            for key, value in weights.items()
            if key.startswith(_PREFIX)
        }
        reader.load_state_dict(own)
        others = {key: value for key, value in weights.items() if not key.startswith(_PREFIX)}
        decoder.base_model.load_state_dict(
            {key.removeprefix("transformer."): value for key, value in others.items()}
        )
    except (OSError, SafetensorError, RuntimeError) as error:
        raise UsageError(
            f"The weights in {folder} do not fit its config.json: {misfit(error)}",
            "Copy the folder anew.",
        ) from error
    decoder.tie_weights()
    return new_history_network(reader.to(device).eval(), decoder.to(device).eval())


def save_history_network(network: HistoryNetwork, folder: Path) -> None:
    """Write config.json and model.safetensors into ``folder``."""
    config = network.decoder.config.to_diff_dict()
    config |= {
        "model_type": HISTORY,
        "architectures": [ARCHITECTURES[HISTORY].head],
        "n_positions": network.decoder.config.n_positions,
        "n_embd": network.decoder.config.n_embd,
        "vocab_size": network.decoder.config.vocab_size,
        READER: network.reader.shape.as_dict(),
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    weights = {
        f"transformer.{key}": value
        for key, value in network.decoder.base_model.state_dict().items()
    }
    weights |= {_PREFIX + key: value for key, value in network.reader.state_dict().items()}
    save_file(
        {key: value.contiguous() for key, value in weights.items()},
        folder / _WEIGHTS,
        metadata={"format": "pt"},
    )
