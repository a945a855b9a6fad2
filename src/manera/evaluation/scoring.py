"""The model that tells log-likelihoods: how likely text is, stretch by stretch, with the adapter, without it, or with
part of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from manera.bases import base_model
from manera.dataset.encoding import Encoded
from manera.dataset.packing import pack, place
from manera.model import packed
from manera.training import lora
from manera.voice import adapter
from manera.voice.folder import voice_folder
from manera.voice.manifest import Voice

SHAPE = 64
"""Lengths are rounded up to this: every new shape costs planning."""

ROW = 256
"""Short stretches lie side by side in rows of so many tokens; longer rows attend in vain across stretches."""

BITS = 1 / np.log(2)
"""Bits of a nat."""

Floats = NDArray[np.float64]


def load_model(base: Path, voice: Voice) -> nn.Module:
    """Load a base with a voice's adapter, to be scored in float32. Raises ModelError."""
    model: nn.Module = base_model.load(base)
    packed.use_matrix_attention(model)
    lora.add_adapter(model, voice.recipe.rank, voice.recipe.alpha, "float32", voice.recipe.seed)
    lora.load_adapter_state(model, adapter.read_peft(voice_folder(voice.name)))
    return model


def nats(model: nn.Module, stretches: Sequence[Encoded], voice_scale: float) -> Floats:
    """Return the summed nats of the supervised tokens of each stretch; voice_scale 0 is the base."""
    found = np.zeros(len(stretches))
    sizes = [len(one.input_ids) for one in stretches]
    with _scaled(model, voice_scale), lora.measuring(model, with_adapter=voice_scale != 0):
        for members in place(sizes, max([ROW, *sizes])):
            length = -(-sum(sizes[index] for index in members) // SHAPE) * SHAPE
            (found[members],) = packed.measure_each(model, pack([stretches[index] for index in members], length))
    return found


def bits(model: nn.Module, stretches: Sequence[Encoded], voice_scale: float) -> Floats:
    """Return the same in bits."""
    found: Floats = nats(model, stretches, voice_scale) * BITS
    return found


@contextmanager
def _scaled(model: nn.Module, factor: float) -> Iterator[None]:
    layers = lora.adapted_layers(model).values()
    before = [layer.scale for layer in layers]
    for layer in layers:
        layer.scale *= factor
    try:
        yield
    finally:
        for layer, scale in zip(layers, before, strict=True):
            layer.scale = scale
