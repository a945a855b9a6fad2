"""T5 (https://arxiv.org/abs/1910.10683): an encoder reads, a decoder writes. llama.cpp's server does not run it."""

from manera.bases.family import Family, Layout

FAMILY = Family(
    architecture="t5",
    model_class="T5ForConditionalGeneration",
    model_types=("t5",),
    form="transformers",
    has_encoder=True,
    block_names={},
    settings={},
    layout=Layout(decoder="decoder", embedding="shared", blocks="decoder.block", norm="decoder.final_layer_norm"),
    targets=("all-linear",),  # version 1.1 has wi_0 and wi_1 where the first has wi
    outliers=("wo",),
)
