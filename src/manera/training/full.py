"""Full fine-tuning: every parameter of a base is trained, and the voice is a model of its own."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from manera.model import packed
from manera.records import Precision

STORED = torch.float16
"""What is kept is rounded to this, and measured so; eight bits, as it is served, lose ten times as much."""

_BASE = "weights_of_the_base"

RATE_SHARE = 0.1
"""Of the learning rate of an adapter ("LoRA Without Regret", 2025)."""


def make_trainable(model: nn.Module, precision: Precision) -> None:
    """Let everything be trained, in float32; bfloat16 rounds what is multiplied, and no weight."""
    model.requires_grad_(True)
    if precision == "bfloat16":
        packed.use_autocast(model, torch.bfloat16)


def state(model: nn.Module) -> dict[str, Tensor]:
    """Copy every parameter to the CPU, under its name; a head that is the embedding is there once."""
    return {name: tensor.detach().to("cpu", STORED, copy=True) for name, tensor in model.named_parameters()}


def load_state(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Put it back; KeyError when something is missing."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(state[name])


def keep_base(model: nn.Module) -> None:
    """Keep the weights as they are now for ``measuring`` without what is loaded over them."""
    vars(model)[_BASE] = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


@contextmanager
def measuring(model: nn.Module, with_adapter: bool = True) -> Iterator[None]:
    """Compute with what was learned or, where ``keep_base`` was called before, without it."""
    base: Mapping[str, Tensor] = {} if with_adapter else vars(model).get(_BASE, {})
    learned = {name: model.get_parameter(name).data for name in base}
    _point_at(model, base)
    try:
        yield
    finally:
        _point_at(model, learned)


def _point_at(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    for name, tensor in weights.items():
        model.get_parameter(name).data = tensor
