"""GGUF files: trimmed to a smaller vocabulary, written whole, and turned into transformers' weights."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf
import numpy as np
from numpy.typing import NDArray

from manera.bases.families import family_of
from manera.bases.family import EMBEDDING
from manera.bases.metadata import architecture, layers
from manera.bases.rotary import FACTORS
from manera.bases.tokenizer import CONTROL, MERGES, SPECIAL_KEYS, VOCABULARY_KEYS, read_vocabulary, trimmed
from manera.files import replacing

if TYPE_CHECKING:
    from torch import Tensor

_UNUSED_SCORE = -1000.0  # no merge leads to a special token
_HEADS = (EMBEDDING, "output.weight")


def write_trimmed(
    reader: gguf.GGUFReader, kept: Sequence[int], path: Path, changed: Mapping[str, int] | None = None
) -> None:
    """Write the same model with only the kept tokens, and with some metadata changed or added.

    Quantized rows of the embedding are copied bit by bit; token ids are renumbered in order.
    """
    whole = read_vocabulary(reader)
    vocabulary = trimmed(whole, kept)
    renumbered = {old: new for new, old in enumerate(kept)}
    writer = gguf.GGUFWriter(path=None, arch=architecture(reader))
    columns = zip(VOCABULARY_KEYS, (vocabulary.pieces, vocabulary.scores, vocabulary.kinds), strict=True)
    values: dict[str, Any] = {key: column for key, column in columns if key in reader.fields}
    values |= {MERGES: list(vocabulary.merges)} if vocabulary.merges else {}
    values |= {key: renumbered[reader.fields[key].contents()] for key in SPECIAL_KEYS if key in reader.fields}
    sizes = {f"{architecture(reader)}.vocab_size": len(kept)}
    values |= {key: size for key, size in sizes.items() if key in reader.fields}
    copy_metadata(reader, writer, values | dict(changed or {}))
    for key, content in (changed or {}).items():
        if key not in reader.fields:
            writer.add_key_value(key, content, value_type(content))
    for tensor in reader.tensors:
        data = tensor.data[list(kept)] if tensor.name in _HEADS else tensor.data
        writer.add_tensor(tensor.name, np.ascontiguousarray(data), raw_dtype=tensor.tensor_type)
    write_whole(writer, path)


def write_extended(reader: gguf.GGUFReader, tokens: Sequence[str], path: Path) -> None:
    """Write the same model with special tokens added, whose rows are the mean of the others."""
    vocabulary = read_vocabulary(reader)
    columns = ((*vocabulary.pieces, *tokens), (*vocabulary.scores, *[_UNUSED_SCORE] * len(tokens)))
    kinds = (*vocabulary.kinds, *[CONTROL] * len(tokens))
    values: dict[str, Any] = dict(zip(VOCABULARY_KEYS, map(list, (*columns, kinds)), strict=True))
    values |= {f"{architecture(reader)}.vocab_size": len(kinds)}
    writer = gguf.GGUFWriter(path=None, arch=architecture(reader))
    copy_metadata(reader, writer, {key: content for key, content in values.items() if key in reader.fields})
    for tensor in reader.tensors:
        if tensor.name in _HEADS:
            mean = gguf.quants.dequantize(tensor.data, tensor.tensor_type).mean(axis=0)
            data, kind = with_rows(tensor, len(tensor.data), np.tile(mean, (len(tokens), 1)))
            writer.add_tensor(tensor.name, data, raw_dtype=kind)
        else:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    write_whole(writer, path)


def with_rows(
    tensor: gguf.ReaderTensor, kept: int, rows: NDArray[np.float32]
) -> tuple[NDArray[Any], gguf.GGMLQuantizationType]:
    """Return the first rows of a matrix as they are stored and others behind them, with their type.

    Where that type can only be read, all are written in eight bits.
    """
    kind = tensor.tensor_type
    try:
        return np.concatenate([tensor.data[:kept], gguf.quants.quantize(rows, kind)]), kind
    except NotImplementedError:
        whole = np.concatenate([gguf.quants.dequantize(tensor.data[:kept], kind), rows])
        return gguf.quants.quantize(whole, gguf.GGMLQuantizationType.Q8_0), gguf.GGMLQuantizationType.Q8_0


def copy_metadata(reader: gguf.GGUFReader, writer: gguf.GGUFWriter, changed: Mapping[str, Any] | None = None) -> None:
    """Give a new file the same metadata, but for the values in ``changed``."""
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key == "general.architecture":
            continue
        content = field.contents() if changed is None or key not in changed else changed[key]
        item_type = field.types[1] if field.types[0] is gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(key, content, field.types[0], sub_type=item_type)


def value_type(content: object) -> gguf.GGUFValueType:
    """Return as what a plain value is written."""
    kinds = {bool: "BOOL", int: "UINT32", float: "FLOAT32", str: "STRING"}
    return gguf.GGUFValueType[kinds[type(content)]]


def write_whole(writer: gguf.GGUFWriter, path: Path) -> None:
    """Let a GGUF writer write its file whole or not at all."""
    with replacing(path, mode=0o644) as unfinished:
        writer.write_header_to_file(path=unfinished)
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


def transformers_weights(reader: gguf.GGUFReader) -> "dict[str, Tensor]":
    """Return the dequantized weights (float32) under transformers' names; a tied head is there once."""
    import torch

    family = family_of(reader)
    config, names = family.config(reader), family.transformers_names(layers(reader))
    weights = {}
    for tensor in reader.tensors:
        if tensor.name == FACTORS:
            continue  # the configuration tells them
        array = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        ours = family.to_transformers(tensor.name, array, config)
        weights[names[tensor.name]] = torch.from_numpy(np.array(ours, dtype=np.float32, copy=True))
    return weights
