"""GPT-NeoX (https://arxiv.org/abs/2204.06745), as Pythia is built too: fused projections, partial rotation."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from manera.bases.family import Family, Layout

if TYPE_CHECKING:
    from transformers import PretrainedConfig

_ROTATED = "rotated"
"""How many of a head's numbers are rotated; transformers writes which share of them."""


def _completed(given: dict[str, Any]) -> dict[str, Any]:
    share = given.pop(_ROTATED) * given["num_attention_heads"] / given["hidden_size"]
    given.setdefault("rope_parameters", {})["partial_rotary_factor"] = share
    return given


def _implied(config: "PretrainedConfig") -> dict[str, Any]:
    head = config.hidden_size // config.num_attention_heads
    return {_ROTATED: int(head * config.rope_parameters["partial_rotary_factor"])}


def _row_order(name: str, config: "PretrainedConfig") -> NDArray[np.intp] | None:
    """llama.cpp has all queries first, then all keys, then all values; transformers has them head by head."""
    if name.split(".")[-2] != "attn_qkv":
        return None
    rows = np.arange(3 * config.hidden_size, dtype=np.intp)
    return rows.reshape(config.num_attention_heads, 3, -1).swapaxes(0, 1).reshape(-1)


FAMILY = Family(
    architecture="gptneox",
    model_class="GPTNeoXForCausalLM",
    model_types=("gpt_neox",),
    layout=Layout(
        decoder="gpt_neox",
        embedding="gpt_neox.embed_in",
        blocks="gpt_neox.layers",
        norm="gpt_neox.final_layer_norm",
    ),
    block_names={
        "attn_norm": "input_layernorm",
        "attn_qkv": "attention.query_key_value",
        "attn_output": "attention.dense",
        "ffn_norm": "post_attention_layernorm",
        "ffn_up": "mlp.dense_h_to_4h",
        "ffn_down": "mlp.dense_4h_to_h",
    },
    renamed={"embed_out": "lm_head"},
    settings={
        "context_length": "max_position_embeddings",
        "embedding_length": "hidden_size",
        "feed_forward_length": "intermediate_size",
        "block_count": "num_hidden_layers",
        "attention.head_count": "num_attention_heads",
        "attention.layer_norm_epsilon": "layer_norm_eps",
        "use_parallel_residual": "use_parallel_residual",
        "rope.dimension_count": _ROTATED,
    },
    optional={"rope.freq_base": "rope_parameters.rope_theta"},
    completed=_completed,
    implied=_implied,
    targets=("query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"),
    outliers=("dense_4h_to_h",),
    row_order=_row_order,
)
