"""Qwen 2 and 2.5 (https://arxiv.org/abs/2412.15115): Llama's blocks, with biases of queries, keys and values."""

from manera.bases import llama
from manera.bases.family import Family

FAMILY = Family(
    architecture="qwen2",
    model_class="Qwen2ForCausalLM",
    model_types=("qwen2",),
    block_names=llama.BLOCK_NAMES,
    settings=llama.SETTINGS,
    optional=llama.OPTIONAL,
    targets=llama.TARGETS,
    outliers=llama.OUTLIERS,
    rope="rope_parameters",
    older_settings=llama.older_settings,
)
