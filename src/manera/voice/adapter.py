"""An adapter on disk: PEFT's two files, a GGUF LoRA beside its base, or a base into which it is merged.

GGUF LoRA: https://github.com/ggml-org/llama.cpp/blob/master/convert_lora_to_gguf.py
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import gguf
import numpy as np
from numpy.typing import NDArray

from manera.bases import base_model, gguf_file, metadata
from manera.bases.families import family_of
from manera.errors import ModelError
from manera.files import replacing

if TYPE_CHECKING:
    from torch import Tensor

Matrices = Mapping[str, "Tensor"]
"""``<layer>.lora_A`` (rank, K) and ``<layer>.lora_B`` (N, rank), layers as transformers names them."""

_PEFT_PREFIX = "base_model.model."
WEIGHTS = "adapter_model.safetensors"
_MATRICES = {"lora_a": "lora_A", "lora_b": "lora_B"}


def write_peft(state: Matrices, folder: Path, rank: int, alpha: float, base: str, transposed: bool = False) -> None:
    """Write ``adapter_config.json`` and ``adapter_model.safetensors`` as PEFT does; transposed: as in ``Family``."""
    from peft import LoraConfig
    from safetensors.torch import save_file

    targets = sorted({name.split(".")[-2] for name in state})
    config = LoraConfig(
        fan_in_fan_out=transposed,
        r=rank,
        lora_alpha=alpha,
        target_modules=targets,
        task_type="CAUSAL_LM",
        base_model_name_or_path=base,
        inference_mode=True,
    )
    config.save_pretrained(str(folder))
    with replacing(folder / WEIGHTS) as unfinished:
        save_file(
            {f"{_PEFT_PREFIX}{name}.weight": tensor.contiguous() for name, tensor in state.items()},
            unfinished,
        )


def read_peft(folder: Path) -> dict[str, "Tensor"]:
    """Read an adapter's matrices back; raise ModelError when they are not there."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        stored = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{folder} holds no readable adapter: {error}", "train the voice again") from error
    return {name.removeprefix(_PEFT_PREFIX).removesuffix(".weight"): tensor for name, tensor in stored.items()}


def write_gguf(state: Matrices, path: Path, alpha: float, base: Path) -> None:
    """Write the adapter as a GGUF LoRA, in float16, that llama.cpp applies beside its base; base: the base's folder."""
    reader = base_model.open_weights(base)
    family = family_of(reader)
    config = family.config(reader)
    names = {ours: theirs for theirs, ours in family.transformers_names(metadata.layers(reader)).items()}
    writer = gguf.GGUFWriter(path=None, arch=family.architecture)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
    for name, tensor in sorted(state.items()):
        layer, _, which = name.rpartition(".")
        theirs, matrix = names[f"{layer}.weight"], tensor.half().numpy()
        ordered = family.rows_to_gguf(theirs, matrix, config) if which == "lora_B" else matrix
        writer.add_tensor(f"{theirs}.{which.lower()}", np.ascontiguousarray(ordered))
    gguf_file.write_whole(writer, path)


def read_gguf(path: Path, base: Path) -> tuple[dict[str, NDArray[np.float32]], float]:
    """Read such a file back under PEFT's names; return the matrices and alpha. KeyError where they fit no such base."""
    weights, reader = base_model.open_weights(base), metadata.open_gguf(path)
    family = family_of(weights)
    config, names = family.config(weights), family.transformers_names(metadata.layers(weights))
    found = {}
    for tensor in reader.tensors:
        theirs, _, which = tensor.name.rpartition(".")
        matrix = tensor.data.astype(np.float32)
        ours = family.rows_to_transformers(theirs, matrix, config) if which == "lora_b" else matrix
        found[f"{names[theirs].removesuffix('.weight')}.{_MATRICES[which]}"] = ours
    return found, float(metadata.value(reader, gguf.Keys.Adapter.LORA_ALPHA))


def write_merged(
    base: Path,
    state: Matrices,
    scale: float,
    path: Path,
    kind: gguf.GGMLQuantizationType = gguf.GGMLQuantizationType.Q8_0,
) -> None:
    """Write a base with the adapter folded in: adapted layers as ``kind``, everything else as it was.

    Eight bits keep the small differences that an adapter makes; with fewer, layers that have eight in the base keep
    them, and the others lose some of what was learned.
    """
    reader = metadata.open_gguf(base)
    family = family_of(reader)
    config, names = family.config(reader), family.transformers_names(metadata.layers(reader))
    writer = gguf.GGUFWriter(path=None, arch=family.architecture)
    gguf_file.copy_metadata(reader, writer)
    for tensor in reader.tensors:
        layer = names[tensor.name].removesuffix(".weight")
        if f"{layer}.lora_A" not in state:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
            continue
        low, high = (state[f"{layer}.{which}"].float().numpy() for which in ("lora_A", "lora_B"))
        learned = family.rows_to_gguf(tensor.name, scale * (high @ low), config)
        merged: NDArray[np.float32] = gguf.quants.dequantize(tensor.data, tensor.tensor_type) + learned
        stored = gguf.GGMLQuantizationType.Q8_0 if tensor.tensor_type == gguf.GGMLQuantizationType.Q8_0 else kind
        writer.add_tensor(tensor.name, gguf.quants.quantize(merged, stored), raw_dtype=stored)
    gguf_file.write_whole(writer, path)
