"""Which layers of a model an adapter is laid on."""

from collections.abc import Collection

from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from manera.bases.families import family_of_model
from manera.errors import TrainingError

ALL_LINEAR = "all-linear"


def layers_to_adapt(model: nn.Module, targets: Collection[str] | None, rank: int) -> list[str]:
    """Return the full names of the linear layers that are called as ``targets`` say, in the model's order.

    targets: last parts of names, or ``all-linear``: every linear layer but the head; by default those of the family.
    Raises TrainingError when one matches nothing, or when a layer has no room for the rank.
    """
    layers = _linear_layers(model)
    known = sorted({leaf_name(name) for name in layers})
    asked = family_of_model(model).targets if targets is None else targets
    wanted = known if ALL_LINEAR in asked else asked
    missing = [target for target in wanted if target not in known]
    if missing or not wanted:
        raise TrainingError(
            f"no linear layer of this base is called {', '.join(missing) or 'so: none is named'}",
            f"--targets {','.join(known)}, or some of them",
        )
    chosen = [name for name in layers if leaf_name(name) in wanted]
    _require_room(layers, chosen, rank)
    return chosen


def leaf_name(name: str) -> str:
    """Return the last part of a layer's name."""
    return name.rpartition(".")[2]


def weight_and_bias(layer: nn.Module) -> tuple[Tensor, Tensor | None]:
    """Return what a linear layer computes with: (N, K), however it stores it, and (N,) or None."""
    assert isinstance(layer, nn.Linear | Conv1D)
    weight, bias = layer.weight.detach(), layer.bias
    return weight.t().contiguous() if isinstance(layer, Conv1D) else weight, None if bias is None else bias.detach()


def _linear_layers(model: nn.Module) -> dict[str, nn.Module]:
    head = model.get_output_embeddings()  # type: ignore[operator]
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | Conv1D) and module is not head
    }


def _require_room(layers: dict[str, nn.Module], chosen: list[str], rank: int) -> None:
    """Raise TrainingError unless two matrices of this rank are smaller than what they are laid on."""
    sizes = {name: tuple(weight_and_bias(layers[name])[0].shape) for name in chosen}
    smallest = min(chosen, key=lambda name: min(sizes[name]))
    rows, columns = sizes[smallest]
    if rank > min(rows, columns):
        raise TrainingError(
            f"rank {rank} is above the size of the layer {smallest}, which is {rows} x {columns}",
            f"--rank {min(rows, columns)} at most, or leave {leaf_name(smallest)} out of --targets",
        )
