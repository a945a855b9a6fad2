"""BART (https://arxiv.org/abs/1910.13461): an encoder reads, a decoder writes. llama.cpp does not compute it."""

from manera.bases.family import Family, Layout

FAMILY = Family(
    architecture="bart",
    model_class="BartForConditionalGeneration",
    model_types=("bart",),
    form="transformers",
    has_encoder=True,
    block_names={},
    settings={},
    layout=Layout(
        decoder="model.decoder",
        embedding="model.shared",
        blocks="model.decoder.layers",
        norm="model.decoder.layernorm_embedding",
    ),
    targets=("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"),
    outliers=("fc2",),
)
