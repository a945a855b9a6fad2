"""Qwen 3 (https://arxiv.org/abs/2505.09388): Llama's blocks, with norms of queries and keys."""

from manera.bases import llama
from manera.bases.family import Family

FAMILY = Family(
    architecture="qwen3",
    model_class="Qwen3ForCausalLM",
    model_types=("qwen3",),
    block_names={**llama.BLOCK_NAMES, "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm"},
    settings={**llama.SETTINGS, **llama.KEY_LENGTH},
    optional={**llama.OPTIONAL, **llama.VALUE_LENGTH},
    targets=llama.TARGETS,
    outliers=llama.OUTLIERS,
    rope="rope_parameters",
    older_settings=llama.older_settings,
)
