"""A family: how one architecture is laid out, in llama.cpp's files and in transformers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import gguf
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from transformers import PretrainedConfig

EMBEDDING = "token_embd.weight"
_OUTER_NAMES = {
    EMBEDDING: "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}

Array = NDArray[np.float32]


def _as_it_is(_: str, __: "PretrainedConfig") -> None:
    return None


@dataclass(frozen=True)
class Family:
    """One architecture.

    architecture: ``general.architecture`` of its GGUF files. model_class: transformers' class. block_names: of the
    tensors of one block, llama.cpp's and transformers'. config: transformers' configuration of an open file.
    norm_offset: what llama.cpp adds to stored weights of norms. row_order: of a tensor by llama.cpp's name, which row
    of transformers' matrix each row of llama.cpp's is; None where they are the same. older_settings: what
    transformers 4 wants to read in ``config.json`` beside what is there.
    """

    architecture: str
    model_class: str
    block_names: Mapping[str, str]
    config: Callable[[gguf.GGUFReader], "PretrainedConfig"]
    norm_offset: float = 0.0
    row_order: Callable[[str, "PretrainedConfig"], NDArray[np.intp] | None] = _as_it_is
    older_settings: Callable[["PretrainedConfig"], Mapping[str, object]] = lambda _: {}

    def transformers_names(self, layers: int) -> dict[str, str]:
        """Map every tensor name of a GGUF file to transformers' name for it."""
        names = dict(_OUTER_NAMES)
        for layer in range(layers):
            for theirs, ours in self.block_names.items():
                names[f"blk.{layer}.{theirs}.weight"] = f"model.layers.{layer}.{ours}.weight"
        return names

    def to_transformers(self, name: str, array: Array, config: "PretrainedConfig") -> Array:
        """Turn a dequantized tensor, or what is added to it, into transformers' form of it."""
        order = self.row_order(name, config)
        shifted = array - self.norm_offset if name.endswith("norm.weight") and self.norm_offset else array
        return shifted if order is None else shifted[np.argsort(order)]

    def to_gguf(self, name: str, array: Array, config: "PretrainedConfig") -> Array:
        """Turn one of transformers' tensors into llama.cpp's form of it."""
        if name.endswith("norm.weight"):
            array = array + np.float32(self.norm_offset)
        return self.rows_to_gguf(name, array, config)

    def rows_to_transformers(self, name: str, array: Array, config: "PretrainedConfig") -> Array:
        """Put the rows of one of llama.cpp's tensors, or of what is added to it, into transformers' order."""
        order = self.row_order(name, config)
        return array if order is None else array[np.argsort(order)]

    def rows_to_gguf(self, name: str, array: Array, config: "PretrainedConfig") -> Array:
        """Put the rows of one of transformers' matrices into llama.cpp's order."""
        order = self.row_order(name, config)
        return array if order is None else array[order]
