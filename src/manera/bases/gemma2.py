"""Gemma 2 (https://arxiv.org/abs/2408.00118): norms before and after, soft caps, and a window in every other layer."""

from manera.bases import llama
from manera.bases.family import Family

BLOCK_NAMES = {
    **llama.BLOCK_NAMES,
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}
SETTINGS = {
    **llama.SETTINGS,
    **llama.KEY_LENGTH,
    "attention.head_count_kv": "num_key_value_heads",
    "attention.sliding_window": "sliding_window",
}

FAMILY = Family(
    architecture="gemma2",
    model_class="Gemma2ForCausalLM",
    model_types=("gemma2",),
    block_names=BLOCK_NAMES,
    settings={
        **SETTINGS,
        "attn_logit_softcapping": "attn_logit_softcapping",
        "final_logit_softcapping": "final_logit_softcapping",
    },
    optional=llama.VALUE_LENGTH,
    completed=lambda given: given | {"query_pre_attn_scalar": given["head_dim"]},
    targets=llama.TARGETS,
    outliers=llama.OUTLIERS,
    norm_offset=1.0,
    older_settings=llama.older_settings,
)
