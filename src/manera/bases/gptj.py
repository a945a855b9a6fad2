"""GPT-J (https://github.com/kingoflolz/mesh-transformer-jax), which llama.cpp does not compute."""

from manera.bases.family import Family, Layout

FAMILY = Family(
    architecture="gptj",
    model_class="GPTJForCausalLM",
    model_types=("gptj",),
    form="transformers",
    block_names={},
    settings={},
    layout=Layout(decoder="transformer", embedding="transformer.wte", blocks="transformer.h", norm="transformer.ln_f"),
    targets=("q_proj", "k_proj", "v_proj", "out_proj", "fc_in", "fc_out"),
    outliers=("fc_out",),
)
