"""The methods of training: each makes some of a model trainable, and knows what of it is to be kept."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from torch import Tensor, nn

from manera.records import Precision
from manera.training import lora
from manera.training.settings import TrainingConfig

State = Mapping[str, Tensor]


@dataclass(frozen=True)
class Method:
    """One way to learn from examples.

    make_trainable: changes a loaded model in place, so that what is to be learned requires gradients, with products of
    the given precision. state: copies what is to be kept. load_state: puts it back. measuring: for the length of a
    block computes as exactly as serving does, with what was learned or without it.
    """

    name: str
    make_trainable: Callable[[nn.Module, TrainingConfig, Precision], None]
    state: Callable[[nn.Module], dict[str, Tensor]]
    load_state: Callable[[nn.Module, State], None]
    measuring: Callable[[nn.Module, bool], AbstractContextManager[None]]


LORA = Method(
    "lora",
    lambda model, config, precision: lora.add_adapter(model, config.rank, config.alpha, precision, config.seed),
    lora.adapter_state,
    lora.load_adapter_state,
    lora.measuring,
)
