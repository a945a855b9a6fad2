"""The model that tells log-likelihoods: how likely text is, stretch by stretch, with the adapter, without it, or with
part of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from manera.dataset.encoding import Encoded
from manera.dataset.packing import pack, place
from manera.evaluation.reasons import NotMeasuredError
from manera.model import packed
from manera.records import Precision
from manera.training import lora, methods
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


def load_model(base: Path, voice: Voice, precision: Precision = "float32") -> nn.Module:
    """Load a base with what a voice learned, to be scored. Raises ModelError."""
    model = methods.opened(base, voice.recipe, adapter.read(voice_folder(voice.name)), precision)
    packed.use_matrix_attention(model)
    return model


def nats(model: nn.Module, stretches: Sequence[Encoded], voice_scale: float) -> Floats:
    """Return the summed nats of the supervised tokens of each stretch; voice_scale 0 is the base."""
    found = np.zeros(len(stretches))
    sizes = [len(one.input_ids) for one in stretches]
    with _scaled(model, voice_scale), methods.measuring(model, voice_scale != 0):
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
    if not layers and factor not in (0, 1):
        raise NotMeasuredError("voice_cannot_be_weighed")
    before = [layer.scale for layer in layers]
    for layer in layers:
        layer.scale *= factor
    try:
        yield
    finally:
        for layer, scale in zip(layers, before, strict=True):
            layer.scale = scale
