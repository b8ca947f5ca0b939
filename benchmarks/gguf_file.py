"""Write a GPT-2 or Llama that `gpt4rec train generator` made as a GGUF file, for llama.cpp.

    python -m benchmarks.gguf_file FOLDER FILE

llama.cpp's own converter knows published tokenizers alone, not those made from a catalog. Needs the
package gguf, which the project does not install; weights are fp32.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFWriter, TokenType
from safetensors.numpy import load_file

# Names of layers in the checkpoint and in the file, by architecture.
_LAYERS = {
    "gpt2": {
        "ln_1": "attn_norm",
        "attn.c_attn": "attn_qkv",
        "attn.c_proj": "attn_output",
        "ln_2": "ffn_norm",
        "mlp.c_fc": "ffn_up",
        "mlp.c_proj": "ffn_down",
    },
    "llama": {
        "input_layernorm": "attn_norm",
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "post_attention_layernorm": "ffn_norm",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
    },
}
_OUTER = {
    "wte": "token_embd",
    "wpe": "position_embd",
    "ln_f": "output_norm",
    "embed_tokens": "token_embd",
    "norm": "output_norm",
    "lm_head": "output",
}


def main(folder: Path, file: str) -> None:
    """Write ``file``."""
    config = json.loads((folder / "config.json").read_text())
    if (kind := config["model_type"]) not in _LAYERS:
        sys.exit(f"{folder} is a {kind}, none of {', '.join(_LAYERS)}.")
    writer = GGUFWriter(file, kind)
    (_describe_gpt2 if kind == "gpt2" else _describe_llama)(writer, config)
    _add_tokenizer(writer, json.loads((folder / "tokenizer.json").read_text()), config)
    for name, weights in load_file(folder / "model.safetensors").items():
        writer.add_tensor(*_tensor(name, weights.astype(np.float32), config))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _describe_gpt2(writer: GGUFWriter, config: dict[str, Any]) -> None:
    width = config["n_embd"]
    writer.add_context_length(config["n_positions"])
    writer.add_embedding_length(width)
    writer.add_block_count(config["n_layer"])
    writer.add_feed_forward_length(config["n_inner"] or 4 * width)
    writer.add_head_count(config["n_head"])
    writer.add_layer_norm_eps(config["layer_norm_epsilon"])


def _describe_llama(writer: GGUFWriter, config: dict[str, Any]) -> None:
    heads = config["num_attention_heads"]
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(config["hidden_size"] // heads)
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_vocab_size(config["vocab_size"])


def _add_tokenizer(writer: GGUFWriter, described: dict[str, Any], config: dict[str, Any]) -> None:
    """Add a tokenizer that splits words as that of GPT-2 does."""
    tokens = [f"[unused{number}]" for number in range(config["vocab_size"])]
    types = [TokenType.UNUSED] * len(tokens)
    for token, number in described["model"]["vocab"].items():
        tokens[number], types[number] = token, TokenType.NORMAL
    for added in described["added_tokens"]:
        tokens[added["id"]], types[added["id"]] = added["content"], TokenType.CONTROL
    merges = described["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([one if isinstance(one, str) else " ".join(one) for one in merges])
    writer.add_bos_token_id(config["eos_token_id"])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_add_bos_token(False)


def _tensor(name: str, weights: Any, config: dict[str, Any]) -> tuple[str, Any]:
    """Return the name and the weights of a tensor as llama.cpp has them."""
    path = name.removeprefix("transformer.").removeprefix("model.")
    layer, _, kind = path.rpartition(".")
    if layer in _OUTER:
        return f"{_OUTER[layer]}.{kind}", weights
    _, number, inner = layer.split(".", 2)
    part = _LAYERS[config["model_type"]][inner]
    if config["model_type"] == "gpt2" and weights.ndim == 2:  # stored as (in, out)
        weights = np.ascontiguousarray(weights.T)
    if part in {"attn_q", "attn_k"}:  # the halves that a rotary position turns alternate there
        heads = config["num_attention_heads" if part == "attn_q" else "num_key_value_heads"]
        halves = weights.reshape(heads, 2, -1, weights.shape[1])
        weights = np.ascontiguousarray(halves.swapaxes(1, 2).reshape(weights.shape))
    return f"blk.{number}.{part}.{kind}", weights


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
