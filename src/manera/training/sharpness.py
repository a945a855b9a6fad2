"""How sharply a voice draws its words: chosen on validation text, and cheaply.

Likelihood alone would always answer with a temperature near 1, at which a small model's many unlikely words soon lead
it astray; agreement alone would answer 0. So: as sharp as may be, for a bounded price in likelihood.
"""

from torch import nn

from manera.dataset.packing import Rows
from manera.model import packed
from manera.voice.manifest import Sharpness

TEMPERATURES = (0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)
MAX_NATS = 0.25
"""What sharper draws may cost a validation token on average: it keeps 78 % of its probability."""

MAX_ROWS = 16
"""Some five thousand tokens: more would not move the choice by a step."""


def choose(model: nn.Module, validation: Rows, rows_per_batch: int) -> Sharpness:
    """Choose the lowest temperature at which validation text costs at most MAX_NATS more than at 1."""
    some = validation.take(range(min(len(validation), MAX_ROWS)))
    measured = packed.measure_tempered(model, some, rows_per_batch, TEMPERATURES)
    nats = {temperature: nll.nats_per_token for temperature, nll in zip(TEMPERATURES, measured, strict=True)}
    chosen = min(temperature for temperature in TEMPERATURES if nats[temperature] <= nats[1.0] + MAX_NATS)
    return Sharpness(chosen, nats[chosen], nats[1.0], measured[0].tokens)
