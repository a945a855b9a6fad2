"""What a voice learned, on disk: PEFT's two files and, where llama.cpp can add it to a base, a GGUF LoRA beside them;
of a voice that changed everything, its weights; and a base into which either is merged.

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
from manera.records import MethodName
from manera.voice.folder import ADAPTER_GGUF
from manera.voice.recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor

Matrices = Mapping[str, "Tensor"]
"""``<layer>.lora_A`` (rank, K) and ``<layer>.lora_B`` (N, rank), layers as transformers names them; in DoRA also
``<layer>.lora_magnitude_vector`` (N,). ``<embedding>.added_rows`` (R, D): of tokens that were added to the base, the
last of its vocabulary. Of a voice that changed everything, each parameter by its own name."""

_PEFT_PREFIX = "base_model.model."
WEIGHTS, ALL_WEIGHTS = "adapter_model.safetensors", "model.safetensors"
_MATRICES = {"lora_a": "lora_A", "lora_b": "lora_B"}
_MAGNITUDE = "lora_magnitude_vector"
ADDED_ROWS = "added_rows"
_PEFT_ROWS = "token_adapter.trainable_tokens_delta"


def write(state: Matrices, folder: Path, recipe: Recipe, base: Path) -> None:
    """Write what was learned on a base, as its method asks for; base: the base's folder."""
    if recipe.method == "full":
        _save(state, folder / ALL_WEIGHTS)
        return
    family, described = base_model.family(base), base_model.read(base)
    write_peft(
        state,
        folder,
        recipe.rank,
        recipe.alpha,
        described.id,
        family.transposed,
        recipe.method,
        family.has_encoder,
        described.vocabulary,
    )
    if family.form == "gguf" and not recipe.stands_alone:
        write_gguf(state, folder / ADAPTER_GGUF, recipe.scale * recipe.rank, base)


def read(folder: Path) -> dict[str, "Tensor"]:
    """Read back what ``write`` wrote; raise ModelError when it is not there."""
    if (folder / ALL_WEIGHTS).is_file():
        return load_weights(folder / ALL_WEIGHTS)
    return read_peft(folder)


def weights_file(folder: Path) -> Path:
    """Return the file that ``read`` takes the weights from."""
    whole = folder / ALL_WEIGHTS
    return whole if whole.is_file() else folder / WEIGHTS


def learned_file(folder: Path) -> Path:
    """Return the file that serving takes what was learned from: the GGUF LoRA, where there is one."""
    beside = folder / ADAPTER_GGUF
    return beside if beside.is_file() else weights_file(folder)


def write_peft(
    state: Matrices,
    folder: Path,
    rank: int,
    alpha: float,
    base: str,
    transposed: bool = False,
    method: MethodName = "lora",
    has_encoder: bool = False,
    vocabulary: int = 0,
) -> None:
    """Write ``adapter_config.json`` and ``adapter_model.safetensors`` as PEFT does.

    transposed, has_encoder: as in ``Family``. vocabulary: tokens of the base, of which the last may have rows of their
    own.
    """
    from peft import LoraConfig

    layers = {name: name.split(".")[-2] for name in state}
    targets = sorted({layer for name, layer in layers.items() if not name.endswith(ADDED_ROWS)})
    rows = {layers[name]: len(tensor) for name, tensor in state.items() if name.endswith(ADDED_ROWS)}
    config = LoraConfig(
        use_rslora=method == "rslora",
        use_dora=method == "dora",
        fan_in_fan_out=transposed,
        r=rank,
        lora_alpha=alpha,
        target_modules=targets,
        trainable_token_indices={layer: list(range(vocabulary))[-count:] for layer, count in rows.items()} or None,
        task_type="SEQ_2_SEQ_LM" if has_encoder else "CAUSAL_LM",
        base_model_name_or_path=base,
        inference_mode=True,
    )
    config.save_pretrained(str(folder))
    _save({_peft_name(name): tensor for name, tensor in state.items()}, folder / WEIGHTS)


def _peft_name(name: str) -> str:
    if name.endswith(ADDED_ROWS):
        return f"{_PEFT_PREFIX}{name.removesuffix(ADDED_ROWS)}{_PEFT_ROWS}"
    return f"{_PEFT_PREFIX}{name}" if name.endswith(_MAGNITUDE) else f"{_PEFT_PREFIX}{name}.weight"


def read_peft(folder: Path) -> dict[str, "Tensor"]:
    """Read an adapter's matrices back; raise ModelError when they are not there."""
    stored = load_weights(folder / WEIGHTS)
    return {
        name.removeprefix(_PEFT_PREFIX).removesuffix(".weight").replace(_PEFT_ROWS, ADDED_ROWS): tensor
        for name, tensor in stored.items()
    }


def require_whole(path: Path) -> None:
    """Raise ModelError unless a file of weights can be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np"):
            pass
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} is damaged: {error}", "train the voice again") from error


def _save(tensors: Matrices, path: Path) -> None:
    from safetensors.torch import save_file

    with replacing(path) as unfinished:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, unfinished)


def load_weights(path: Path) -> dict[str, "Tensor"]:
    """Read a file of weights; raise ModelError when it is not there or is damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path.parent} holds no readable adapter: {error}", "train the voice again") from error


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
    """Write a base with what was learned folded in: its matrices as ``kind``, everything else as it was.

    Eight bits keep the small differences that an adapter makes; with fewer, layers that have eight in the base keep
    them, and the others lose some of what was learned.
    """
    import torch

    reader = metadata.open_gguf(base)
    family = family_of(reader)
    config, names = family.config(reader), family.transformers_names(metadata.layers(reader))
    writer = gguf.GGUFWriter(path=None, arch=family.architecture)
    gguf_file.copy_metadata(reader, writer)
    for tensor in reader.tensors:
        ours = names.get(tensor.name, tensor.name)  # what positions are divided by has no other name
        if (rows := state.get(added_rows_of(ours))) is not None:
            data, stored = gguf_file.with_rows(tensor, len(tensor.data) - len(rows), rows.float().numpy())
            writer.add_tensor(tensor.name, data, raw_dtype=stored)
            continue
        if ours in state:
            merged = family.to_gguf(tensor.name, state[ours].float().numpy(), config)
        elif is_adapted(state, ours):
            weight = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
            ordered = torch.tensor(family.rows_to_transformers(tensor.name, weight, config))
            merged = family.rows_to_gguf(tensor.name, folded(ordered, state, ours, scale).numpy(), config)
        else:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
            continue
        stored = _stored_as(tensor, kind)
        writer.add_tensor(tensor.name, gguf.quants.quantize(np.ascontiguousarray(merged), stored), raw_dtype=stored)
    gguf_file.write_whole(writer, path)


def added_rows_of(weight: str) -> str:
    """Return under what name the trained last rows of a weight are kept."""
    return f"{weight.removesuffix('weight')}{ADDED_ROWS}"


def is_adapted(state: Matrices, weight: str) -> bool:
    """Tell whether an adapter changes the weight of this name."""
    return f"{weight.removesuffix('.weight')}.lora_A" in state


def folded(rows: "Tensor", state: Matrices, weight: str, scale: float) -> "Tensor":
    """Return a layer's weight (N, K) with the adapter in it, in float32; weight: the name of it."""
    layer = weight.removesuffix(".weight")
    learned: Tensor = rows + scale * (state[f"{layer}.lora_B"].float() @ state[f"{layer}.lora_A"].float())
    magnitude = state.get(f"{layer}.{_MAGNITUDE}")
    if magnitude is None:
        return learned
    turned: Tensor = learned * (magnitude.float() / learned.norm(dim=1))[:, None]
    return turned


def _stored_as(tensor: gguf.ReaderTensor, kind: gguf.GGMLQuantizationType) -> gguf.GGMLQuantizationType:
    """Choose the type of a changed tensor: norms and biases whole, and no matrix rounder than in the base."""
    kinds = gguf.GGMLQuantizationType
    if len(tensor.shape) == 1:
        return kinds.F32
    block, _ = gguf.GGML_QUANT_SIZES[kind]
    if tensor.shape[0] % block:  # llama.cpp tells the length of a row first
        return kinds.F16
    return kinds.Q8_0 if tensor.tensor_type == kinds.Q8_0 else kind
