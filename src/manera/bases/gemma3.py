"""Gemma 3, text only (https://arxiv.org/abs/2503.19786), and its smallest base."""

from typing import TYPE_CHECKING

import gguf

from manera.bases.family import Family
from manera.bases.metadata import value

if TYPE_CHECKING:
    from transformers import PretrainedConfig

_GLOBAL_EVERY = 6
"""Every sixth layer sees everything, the others a window."""


def _config(reader: gguf.GGUFReader) -> "PretrainedConfig":
    from transformers import Gemma3TextConfig

    layers = value(reader, "gemma3.block_count")
    return Gemma3TextConfig(
        vocab_size=len(reader.fields["tokenizer.ggml.tokens"].data),
        hidden_size=value(reader, "gemma3.embedding_length"),
        intermediate_size=value(reader, "gemma3.feed_forward_length"),
        num_hidden_layers=layers,
        num_attention_heads=value(reader, "gemma3.attention.head_count"),
        num_key_value_heads=value(reader, "gemma3.attention.head_count_kv"),
        head_dim=value(reader, "gemma3.attention.key_length"),
        query_pre_attn_scalar=value(reader, "gemma3.attention.key_length"),
        max_position_embeddings=value(reader, "gemma3.context_length"),
        rms_norm_eps=value(reader, "gemma3.attention.layer_norm_rms_epsilon"),
        sliding_window=value(reader, "gemma3.attention.sliding_window"),
        layer_types=[
            "full_attention" if layer % _GLOBAL_EVERY == _GLOBAL_EVERY - 1 else "sliding_attention"
            for layer in range(layers)
        ],
        rope_parameters={
            "full_attention": {"rope_type": "default", "rope_theta": value(reader, "gemma3.rope.freq_base")},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
        },
        bos_token_id=value(reader, "tokenizer.ggml.bos_token_id"),
        eos_token_id=value(reader, "tokenizer.ggml.eos_token_id"),
        pad_token_id=value(reader, "tokenizer.ggml.padding_token_id"),
        tie_word_embeddings=True,
    )


def _older_settings(config: "PretrainedConfig") -> dict[str, object]:
    rope = config.rope_parameters
    return {
        "rope_theta": rope["full_attention"]["rope_theta"],
        "rope_local_base_freq": rope["sliding_attention"]["rope_theta"],
    }


FAMILY = Family(
    architecture="gemma3",
    model_class="Gemma3ForCausalLM",
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
    config=_config,
    norm_offset=1.0,
    older_settings=_older_settings,
)
