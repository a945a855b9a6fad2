"""Llama's architecture (https://arxiv.org/abs/2302.13971), which Mistral, SmolLM2, TinyLlama and many others have."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from manera.bases.family import Family

if TYPE_CHECKING:
    from transformers import PretrainedConfig

BLOCK_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
SETTINGS = {
    "context_length": "max_position_embeddings",
    "embedding_length": "hidden_size",
    "feed_forward_length": "intermediate_size",
    "block_count": "num_hidden_layers",
    "attention.head_count": "num_attention_heads",
    "attention.layer_norm_rms_epsilon": "rms_norm_eps",
}
OPTIONAL = {"attention.head_count_kv": "num_key_value_heads", "rope.freq_base": "rope_parameters.rope_theta"}
KEY_LENGTH, VALUE_LENGTH = {"attention.key_length": "head_dim"}, {"attention.value_length": "head_dim"}
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
OUTLIERS = ("down_proj",)
"""What multiplies two activations spans a wide range."""


def _row_order(name: str, config: "PretrainedConfig") -> NDArray[np.intp] | None:
    """Rotary pairs lie side by side in llama.cpp, and half a head apart in transformers."""
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}.get(name.split(".")[-2])
    if heads is None:
        return None
    rows = np.arange(heads * config.head_dim, dtype=np.intp)
    return rows.reshape(heads, 2, config.head_dim // 2).swapaxes(1, 2).reshape(-1)


def older_settings(config: "PretrainedConfig") -> dict[str, object]:
    """Return what transformers 4 reads in ``config.json``."""
    return {"rope_theta": config.rope_parameters["rope_theta"]}


FAMILY = Family(
    architecture="llama",
    model_class="LlamaForCausalLM",
    model_types=("llama", "mistral"),
    block_names=BLOCK_NAMES,
    settings=SETTINGS,
    optional={**OPTIONAL, **KEY_LENGTH, **VALUE_LENGTH, "rope.dimension_count": "head_dim"},
    targets=TARGETS,
    outliers=OUTLIERS,
    rope="rope_parameters",
    row_order=_row_order,
    older_settings=older_settings,
)
