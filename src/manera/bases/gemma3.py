"""Gemma 3, text only (https://arxiv.org/abs/2503.19786)."""

from typing import TYPE_CHECKING

from manera.bases.family import Family

if TYPE_CHECKING:
    from transformers import PretrainedConfig


def _older_settings(config: "PretrainedConfig") -> dict[str, object]:
    rope = config.rope_parameters
    return {
        "rope_theta": rope["full_attention"]["rope_theta"],
        "rope_local_base_freq": rope["sliding_attention"]["rope_theta"],
    }


FAMILY = Family(
    architecture="gemma3",
    model_class="Gemma3ForCausalLM",
    model_types=("gemma3_text",),
    block_names={
        "attn_norm": "input_layernorm",
        "attn_q": "self_attn.q_proj",
        "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj",
        "attn_output": "self_attn.o_proj",
        "attn_q_norm": "self_attn.q_norm",
        "attn_k_norm": "self_attn.k_norm",
        "post_attention_norm": "post_attention_layernorm",
        "ffn_norm": "pre_feedforward_layernorm",
        "ffn_gate": "mlp.gate_proj",
        "ffn_up": "mlp.up_proj",
        "ffn_down": "mlp.down_proj",
        "post_ffw_norm": "post_feedforward_layernorm",
    },
    settings={
        "context_length": "max_position_embeddings",
        "embedding_length": "hidden_size",
        "feed_forward_length": "intermediate_size",
        "block_count": "num_hidden_layers",
        "attention.head_count": "num_attention_heads",
        "attention.head_count_kv": "num_key_value_heads",
        "attention.key_length": "head_dim",
        "attention.value_length": "head_dim",
        "attention.layer_norm_rms_epsilon": "rms_norm_eps",
        "attention.sliding_window": "sliding_window",
        "rope.freq_base": "rope_parameters.full_attention.rope_theta",
    },
    derived=lambda given: {"query_pre_attn_scalar": given["head_dim"]},
    targets=("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
    outliers=("down_proj",),
    norm_offset=1.0,
    older_settings=_older_settings,
)
