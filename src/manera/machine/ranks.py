"""The processes that train together, as torchrun or accelerate starts them; one alone where they did not."""

import os
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from torch import Tensor, nn

Value = TypeVar("Value")


def count() -> int:
    """Return how many there are."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Return which this one is; the first, 0, is the one that writes."""
    return int(os.environ.get("RANK", "0")) if count() > 1 else 0


def share(total: int) -> range:
    """Return which of so many things are this process's."""
    return range(rank(), total, count())


def first_says(value: Value) -> Value:
    """Return what the first process has, where each may have found something else."""
    if count() == 1:
        return value
    from accelerate.utils import broadcast_object_list

    _joined()
    told: list[Value] = broadcast_object_list([value])
    return told[0]


def total(values: Sequence[float]) -> list[float]:
    """Add up what each process has."""
    if count() == 1:
        return list(values)
    import torch

    return _summed(torch.tensor(values, dtype=torch.float64)).tolist()


def sum_gradients(parameters: "Sequence[nn.Parameter]") -> None:
    """Let every process have the sum of the gradients of all."""
    if count() == 1:
        return
    import torch

    grads = [torch.zeros_like(one) if one.grad is None else one.grad for one in parameters]
    flat = _summed(torch.cat([grad.flatten() for grad in grads]))
    pieces = torch.split(flat, [grad.numel() for grad in grads])
    for parameter, piece in zip(parameters, pieces, strict=True):
        parameter.grad = piece.view_as(parameter)


def device_type() -> str:
    """Return on what kind of device they compute."""
    return str(_joined().device.type)


def _summed(tensor: "Tensor") -> "Tensor":
    from accelerate.utils import reduce

    device = _joined().device
    found: Tensor = reduce(tensor.to(device), reduction="sum")
    return found.to(tensor.device)


@cache
def _joined() -> Any:
    """Meet the other processes: over NCCL where each has a GPU, else over gloo."""
    import torch
    from accelerate import PartialState

    return PartialState(cpu=not torch.cuda.is_available())
