"""Adapters that learn direction and length of a layer's rows apart: DoRA (Liu et al., 2024), by peft's own layers.

https://arxiv.org/abs/2402.09353
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from manera.bases.families import family_of_model
from manera.records import Precision
from manera.training.settings import TrainingConfig, alpha_of
from manera.training.targets import layers_to_adapt

_NAME = "default"
_MATRICES = ("lora_A", "lora_B")
_MAGNITUDE = "lora_magnitude_vector"


def make_trainable(model: nn.Module, config: TrainingConfig, precision: Precision) -> None:
    """Freeze a model and lay peft's layers over its own; what is trained stays float32."""
    from peft import LoraConfig, inject_adapter_in_model

    model.requires_grad_(False)
    settings = LoraConfig(
        r=config.rank,
        lora_alpha=alpha_of(config),
        lora_dropout=config.dropout,
        target_modules=layers_to_adapt(model, config.targets, config.rank),
        use_dora=True,
        fan_in_fan_out=family_of_model(model).transposed,
    )
    if precision == "bfloat16":
        model.bfloat16()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        inject_adapter_in_model(settings, model)
    for layer in _layers(model).values():
        for part in (*_MATRICES, _MAGNITUDE):
            getattr(layer, part).float()


def state(model: nn.Module) -> dict[str, Tensor]:
    """Copy what is learned to the CPU, under ``<layer>.lora_A``, ``.lora_B`` and ``.lora_magnitude_vector``."""
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in _learned(model).items()}


def load_state(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Put it back; KeyError when something is missing."""
    with torch.no_grad():
        for name, tensor in _learned(model).items():
            tensor.copy_(state[name])


@contextmanager
def measuring(model: nn.Module, with_adapter: bool = True) -> Iterator[None]:
    """Compute with the adapter or without it, for the length of the block."""
    layers = _layers(model).values()
    for layer in layers:
        layer.enable_adapters(with_adapter)
    try:
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(True)


def _layers(model: nn.Module) -> dict[str, Any]:
    from peft.tuners.lora import LoraLayer

    return {name: module for name, module in model.named_modules() if isinstance(module, LoraLayer)}


def _learned(model: nn.Module) -> dict[str, Tensor]:
    return {
        f"{name}.{part}": getattr(layer, part)[_NAME].weight
        for name, layer in _layers(model).items()
        for part in (*_MATRICES, _MAGNITUDE)
    }
