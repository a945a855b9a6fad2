"""Low-rank adapters (LoRA, Hu et al., 2021, https://arxiv.org/abs/2106.09685) in a transformers model."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from manera.bases.families import family_of_model
from manera.records import Precision
from manera.training.int8 import Int8Linear, quantize_rows


class LoraLinear(nn.Module):
    """A frozen linear layer with a trained low-rank addition: x W^T + bias + scale * (x A^T) B^T.

    lora_A (rank, K) and lora_B (N, rank) stay float32 whatever the precision of the products, so that small
    updates are not lost. ``exact`` computes with the float weight even where training rounds it to int8.
    """

    bias: Tensor | None

    def __init__(self, linear: nn.Linear | Conv1D, rank: int, alpha: float, precision: Precision, fine: bool) -> None:
        super().__init__()
        weight, bias = linear.weight.detach(), linear.bias
        if isinstance(linear, Conv1D):  # which keeps its weight as (K, N)
            weight = weight.t().contiguous()
        columns, inner = weight.shape
        self.scale = alpha / rank
        self.fine = fine
        self.exact = precision != "int8"
        self.enabled = True
        self.lora_A = nn.Parameter(torch.empty(rank, inner))
        self.lora_B = nn.Parameter(torch.zeros(columns, rank))
        nn.init.uniform_(self.lora_A, -1 / math.sqrt(inner), 1 / math.sqrt(inner))
        self.register_buffer("weight", weight.bfloat16() if precision == "bfloat16" else weight, persistent=False)
        self.register_buffer("bias", None if bias is None else bias.detach(), persistent=False)
        if precision == "int8":
            rounded, scales = quantize_rows(weight)
            self.register_buffer("rounded", rounded, persistent=False)
            self.register_buffer("rounded_scale", scales.squeeze(1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., K) -> (..., N), in x's dtype."""
        frozen = self._frozen(x)
        if not self.enabled:
            return frozen
        low = F.linear(F.linear(x, self.lora_A.to(x.dtype)), self.lora_B.to(x.dtype))
        return frozen + low * self.scale

    def _frozen(self, x: Tensor) -> Tensor:
        if self.exact:
            return F.linear(x, self.get_buffer("weight"), self.bias)
        rounded, scale = self.get_buffer("rounded"), self.get_buffer("rounded_scale")
        product: Tensor = Int8Linear.apply(x, rounded, scale, self.fine)  # type: ignore[no-untyped-call]
        return product if self.bias is None else product + self.bias


def add_adapter(model: nn.Module, rank: int, alpha: float, precision: Precision, seed: int) -> None:
    """Freeze a model and replace its family's target layers by adapted ones; lora_B starts at zero.

    In bfloat16 the rest of the model is cast too; in int8 it stays float32.
    """
    family = family_of_model(model)
    model.requires_grad_(False)
    if precision == "bfloat16":
        model.bfloat16()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name, module in list(model.named_modules()):
            parent, _, leaf = name.rpartition(".")
            if isinstance(module, nn.Linear | Conv1D) and leaf in family.targets:
                adapted = LoraLinear(module, rank, alpha, precision, fine=name.endswith(family.outliers))
                setattr(model.get_submodule(parent), leaf, adapted.to(module.weight.device))


def adapted_layers(model: nn.Module) -> dict[str, LoraLinear]:
    """Return the adapted layers under their names in the model."""
    return {name: module for name, module in model.named_modules() if isinstance(module, LoraLinear)}


def adapter_state(model: nn.Module) -> dict[str, Tensor]:
    """Copy the adapter's tensors to the CPU, under ``<layer>.lora_A`` and ``<layer>.lora_B``."""
    return {
        f"{name}.{which}": getattr(layer, which).detach().to("cpu", copy=True)
        for name, layer in adapted_layers(model).items()
        for which in ("lora_A", "lora_B")
    }


def load_adapter_state(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Put an adapter's tensors back; KeyError when one is missing."""
    with torch.no_grad():
        for name, layer in adapted_layers(model).items():
            layer.lora_A.copy_(state[f"{name}.lora_A"])
            layer.lora_B.copy_(state[f"{name}.lora_B"])


@contextmanager
def measuring(model: nn.Module, with_adapter: bool = True) -> Iterator[None]:
    """Compute without int8 rounding, and with or without the adapter, for the length of the block."""
    layers = adapted_layers(model).values()
    before = [(layer.exact, layer.enabled) for layer in layers]
    for layer in layers:
        layer.exact, layer.enabled = True, with_adapter
    try:
        yield
    finally:
        for layer, (exact, enabled) in zip(layers, before, strict=True):
            layer.exact, layer.enabled = exact, enabled
