"""Llama's architecture (https://arxiv.org/abs/2302.13971), which Mistral, SmolLM2, TinyLlama and many others have."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from manera.bases.family import Family

if TYPE_CHECKING:
    from transformers import PretrainedConfig


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
    model_types=("llama", "mistral"),
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
    settings={
        "context_length": "max_position_embeddings",
        "embedding_length": "hidden_size",
        "feed_forward_length": "intermediate_size",
        "block_count": "num_hidden_layers",
        "attention.head_count": "num_attention_heads",
        "attention.layer_norm_rms_epsilon": "rms_norm_eps",
    },
    optional={
        "attention.head_count_kv": "num_key_value_heads",
        "attention.key_length": "head_dim",
        "attention.value_length": "head_dim",
        "rope.dimension_count": "head_dim",
        "rope.freq_base": "rope_parameters.rope_theta",
    },
    targets=("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
    outliers=("down_proj",),
    row_order=_row_order,
    older_settings=lambda config: {"rope_theta": config.rope_parameters["rope_theta"]},
)
