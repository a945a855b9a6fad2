"""Llama's architecture (https://arxiv.org/abs/2302.13971), which SmolLM2 and many others have."""

from typing import TYPE_CHECKING

import gguf
import numpy as np
from numpy.typing import NDArray

from manera.bases.family import Family
from manera.bases.metadata import value

if TYPE_CHECKING:
    from transformers import PretrainedConfig


def _config(reader: gguf.GGUFReader) -> "PretrainedConfig":
    from transformers import LlamaConfig

    heads = value(reader, "llama.attention.head_count")
    width = value(reader, "llama.embedding_length")
    return LlamaConfig(
        vocab_size=len(reader.fields["tokenizer.ggml.tokens"].data),
        hidden_size=width,
        intermediate_size=value(reader, "llama.feed_forward_length"),
        num_hidden_layers=value(reader, "llama.block_count"),
        num_attention_heads=heads,
        num_key_value_heads=value(reader, "llama.attention.head_count_kv"),
        head_dim=width // heads,
        max_position_embeddings=value(reader, "llama.context_length"),
        rms_norm_eps=value(reader, "llama.attention.layer_norm_rms_epsilon"),
        rope_parameters={"rope_type": "default", "rope_theta": value(reader, "llama.rope.freq_base")},
        bos_token_id=value(reader, "tokenizer.ggml.bos_token_id"),
        eos_token_id=value(reader, "tokenizer.ggml.eos_token_id"),
        pad_token_id=value(reader, "tokenizer.ggml.padding_token_id"),
        tie_word_embeddings=all(tensor.name != "output.weight" for tensor in reader.tensors),
    )


def _row_order(name: str, config: "PretrainedConfig") -> NDArray[np.intp] | None:
    """Rotary pairs lie side by side in llama.cpp, and half a head apart in transformers."""
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}.get(name.split(".")[-2])
    if heads is None:
        return None
    rows = np.arange(heads * config.head_dim, dtype=np.intp)
    return rows.reshape(heads, 2, config.head_dim // 2).swapaxes(1, 2).reshape(-1)


FAMILY = Family(
    architecture="llama",
    model_class="LlamaForCausalLM",
    block_names={
        "attn_norm": "input_layernorm",
        "attn_q": "self_attn.q_proj",
        "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj",
        "attn_output": "self_attn.o_proj",
        "ffn_norm": "post_attention_layernorm",
        "ffn_gate": "mlp.gate_proj",
        "ffn_up": "mlp.up_proj",
        "ffn_down": "mlp.down_proj",
    },
    config=_config,
    row_order=_row_order,
    older_settings=lambda config: {"rope_theta": config.rope_parameters["rope_theta"]},
)
