"""Low-rank adapters (LoRA, Hu et al., 2021, https://arxiv.org/abs/2106.09685) in a transformers model."""

import math
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from manera.bases.families import family_of_model
from manera.records import Precision
from manera.training import nf4
from manera.training.int8 import Int8Linear, quantize_rows
from manera.training.targets import layers_to_adapt, weight_and_bias


class LoraLinear(nn.Module):
    """A frozen linear layer with a trained low-rank addition: x W^T + bias + scale * (x A^T) B^T.

    lora_A (rank, K) and lora_B (N, rank) stay float32 whatever the precision of the products, so that small
    updates are not lost. ``exact`` computes with the float weight even where training rounds it to int8.
    four_bits: keeps the weight in NF4 alone.
    """

    bias: Tensor | None
    weight: Tensor

    def __init__(
        self,
        layer: nn.Module,
        rank: int,
        scale: float,
        precision: Precision,
        fine: bool = False,
        dropout: float = 0.0,
        four_bits: bool = False,
    ) -> None:
        super().__init__()
        weight, bias = weight_and_bias(layer)
        columns, inner = weight.shape
        self.scale = scale
        self.fine = fine
        self.exact = precision != "int8"
        self.enabled = True
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.lora_A = nn.Parameter(torch.empty(rank, inner))
        self.lora_B = nn.Parameter(torch.zeros(columns, rank))
        nn.init.uniform_(self.lora_A, -1 / math.sqrt(inner), 1 / math.sqrt(inner))
        self.register_buffer("bias", bias, persistent=False)
        self.four_bits = nf4.Weight(weight) if four_bits else None
        if not four_bits:
            self.register_buffer("weight", weight.bfloat16() if precision == "bfloat16" else weight, persistent=False)
        if precision == "int8":
            rounded, scales = quantize_rows(weight)
            self.register_buffer("rounded", rounded, persistent=False)
            self.register_buffer("rounded_scale", scales.squeeze(1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., K) -> (..., N), in x's dtype."""
        frozen = self._frozen(x)
        if not self.enabled:
            return frozen
        low = F.linear(F.linear(self.dropout(x), self.lora_A.to(x.dtype)), self.lora_B.to(x.dtype))
        return frozen + low * self.scale

    def _frozen(self, x: Tensor) -> Tensor:
        if self.four_bits is not None:
            return self.four_bits.product(x, self.bias)
        if self.exact:
            return F.linear(x, self.weight, self.bias)
        rounded, scale = self.get_buffer("rounded"), self.get_buffer("rounded_scale")
        product: Tensor = Int8Linear.apply(x, rounded, scale, self.fine)  # type: ignore[no-untyped-call]
        return product if self.bias is None else product + self.bias


def add_adapter(
    model: nn.Module,
    rank: int,
    alpha: float,
    precision: Precision,
    seed: int,
    *,
    scale: float | None = None,
    targets: Collection[str] | None = None,
    dropout: float = 0.0,
    four_bits: bool = False,
) -> None:
    """Freeze a model and replace its target layers by adapted ones; lora_B starts at zero.

    In bfloat16 the rest of the model is cast too; in int8 it stays float32. scale: by default alpha / rank. targets: as
    in ``targets.layers_to_adapt``. Raises TrainingError for targets and ranks that the model has no place for.
    """
    family = family_of_model(model)
    model.requires_grad_(False)
    layers = layers_to_adapt(model, targets, rank)
    if precision == "bfloat16":
        model.bfloat16()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name in layers:
            parent, _, leaf = name.rpartition(".")
            layer = model.get_submodule(name)
            adapted = LoraLinear(
                layer,
                rank,
                alpha / rank if scale is None else scale,
                precision,
                fine=name.endswith(family.outliers),
                dropout=dropout,
                four_bits=four_bits,
            )
            setattr(model.get_submodule(parent), leaf, adapted.to(next(layer.parameters()).device))


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
