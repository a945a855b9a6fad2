"""GPT-2 (https://openai.com/research/better-language-models), whose architecture ruGPT-3 and ruDialoGPT have too."""

from manera.bases.family import Family, Layout

FAMILY = Family(
    architecture="gpt2",
    model_class="GPT2LMHeadModel",
    model_types=("gpt2",),
    layout=Layout(
        decoder="transformer",
        embedding="transformer.wte",
        blocks="transformer.h",
        norm="transformer.ln_f",
    ),
    outer_names={"position_embd": "transformer.wpe"},
    block_names={
        "attn_norm": "ln_1",
        "attn_qkv": "attn.c_attn",
        "attn_output": "attn.c_proj",
        "ffn_norm": "ln_2",
        "ffn_up": "mlp.c_fc",
        "ffn_down": "mlp.c_proj",
    },
    settings={
        "context_length": "n_positions",
        "embedding_length": "n_embd",
        "feed_forward_length": "n_inner",
        "block_count": "n_layer",
        "attention.head_count": "n_head",
        "attention.layer_norm_epsilon": "layer_norm_epsilon",
    },
    implied=lambda config: {"n_inner": config.n_inner or 4 * config.n_embd},
    targets=("c_attn", "c_proj", "c_fc"),
    outliers=("mlp.c_proj",),
    transposed=True,
)
