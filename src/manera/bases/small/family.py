"""The family of the small models, which are kept and run as transformers models are."""

from manera.bases.family import Family, Layout

FAMILY = Family(
    architecture="manera_small",
    model_class="SmallForCausalLM",
    model_types=("manera_small",),
    module="manera.bases.small.causal",
    form="transformers",
    block_names={},
    settings={},
    layout=Layout(embedding="model.body.embed_tokens", blocks="model.body"),
    targets=(),
)
