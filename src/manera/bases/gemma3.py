"""Gemma 3, text only (https://arxiv.org/abs/2503.19786)."""

from typing import TYPE_CHECKING

from manera.bases import gemma2, llama
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
    block_names={**gemma2.BLOCK_NAMES, "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm"},
    settings={**gemma2.SETTINGS, "rope.freq_base": "rope_parameters.full_attention.rope_theta"},
    optional=llama.VALUE_LENGTH,
    completed=lambda given: given | {"query_pre_attn_scalar": given["head_dim"]},
    targets=llama.TARGETS,
    outliers=llama.OUTLIERS,
    rope="rope_parameters.full_attention",
    norm_offset=1.0,
    older_settings=_older_settings,
)
