"""GGUF files: read, trimmed to a smaller vocabulary, and turned into a transformers model.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf
import numpy as np

from manera.bases.tokenizer import Vocabulary
from manera.errors import ModelError
from manera.files import replacing

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import Gemma3TextConfig

EMBEDDING = "token_embd.weight"
_VOCABULARY_KEYS = tuple(f"tokenizer.ggml.{name}" for name in ("tokens", "scores", "token_type"))
_SPECIAL_KEYS = tuple(f"tokenizer.ggml.{name}_token_id" for name in ("bos", "eos", "eot", "unknown", "padding"))


def open_gguf(path: Path) -> gguf.GGUFReader:
    """Map a GGUF file; raise ModelError when it is not one."""
    try:
        return gguf.GGUFReader(path)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path} is not a readable GGUF file: {error}", "build the base again: manera doctor"
        ) from error


def value(reader: gguf.GGUFReader, key: str) -> Any:
    """Return one metadata value; raise ModelError when the file lacks it."""
    field = reader.fields.get(key)
    if field is None:
        raise ModelError(f"the GGUF file has no {key}", "use a Gemma 3 text model")
    return field.contents()


def read_vocabulary(reader: gguf.GGUFReader) -> Vocabulary:
    """Return the file's token pieces, scores and kinds."""
    return Vocabulary(*(value(reader, key) for key in _VOCABULARY_KEYS))


def write_trimmed(reader: gguf.GGUFReader, kept: Sequence[int], path: Path) -> None:
    """Write the same model with only the kept tokens.

    Quantized rows of the embedding are copied bit by bit; token ids are renumbered in order.
    """
    columns: tuple[list[Any], ...] = read_vocabulary(reader)
    renumbered = {old: new for new, old in enumerate(kept)}
    writer = gguf.GGUFWriter(path=None, arch=value(reader, "general.architecture"))
    changed: dict[str, Any] = {
        key: [column[index] for index in kept] for key, column in zip(_VOCABULARY_KEYS, columns, strict=True)
    }
    changed |= {key: renumbered[value(reader, key)] for key in _SPECIAL_KEYS if key in reader.fields}
    copy_metadata(reader, writer, changed)
    for tensor in reader.tensors:
        data = tensor.data[list(kept)] if tensor.name == EMBEDDING else tensor.data
        writer.add_tensor(tensor.name, np.ascontiguousarray(data), raw_dtype=tensor.tensor_type)
    write_whole(writer, path)


def copy_metadata(reader: gguf.GGUFReader, writer: gguf.GGUFWriter, changed: Mapping[str, Any] | None = None) -> None:
    """Give a new file the same metadata, but for the values in ``changed``."""
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key == "general.architecture":
            continue
        content = field.contents() if changed is None or key not in changed else changed[key]
        item_type = field.types[1] if field.types[0] is gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(key, content, field.types[0], sub_type=item_type)


def write_whole(writer: gguf.GGUFWriter, path: Path) -> None:
    """Let a GGUF writer write its file whole or not at all."""
    with replacing(path, mode=0o644) as unfinished:
        writer.write_header_to_file(path=unfinished)
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


def transformers_config(reader: gguf.GGUFReader) -> "Gemma3TextConfig":
    """Return transformers' configuration of the file's model; raise ModelError for a foreign one."""
    from transformers import Gemma3TextConfig

    architecture = value(reader, "general.architecture")
    if architecture != "gemma3":
        raise ModelError(f"a {architecture!r} model cannot be trained here", "use a Gemma 3 text model")
    layers = value(reader, "gemma3.block_count")
    return Gemma3TextConfig(
        vocab_size=len(reader.fields["tokenizer.ggml.tokens"].data),
        hidden_size=value(reader, "gemma3.embedding_length"),
        intermediate_size=value(reader, "gemma3.feed_forward_length"),
        num_hidden_layers=layers,
        num_attention_heads=value(reader, "gemma3.attention.head_count"),
        num_key_value_heads=value(reader, "gemma3.attention.head_count_kv"),
        head_dim=value(reader, "gemma3.attention.key_length"),
        query_pre_attn_scalar=value(reader, "gemma3.attention.key_length"),
        max_position_embeddings=value(reader, "gemma3.context_length"),
        rms_norm_eps=value(reader, "gemma3.attention.layer_norm_rms_epsilon"),
        sliding_window=value(reader, "gemma3.attention.sliding_window"),
        layer_types=["full_attention" if layer % 6 == 5 else "sliding_attention" for layer in range(layers)],
        rope_parameters={
            "full_attention": {"rope_type": "default", "rope_theta": value(reader, "gemma3.rope.freq_base")},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
        },
        bos_token_id=value(reader, "tokenizer.ggml.bos_token_id"),
        eos_token_id=value(reader, "tokenizer.ggml.eos_token_id"),
        pad_token_id=value(reader, "tokenizer.ggml.padding_token_id"),
        tie_word_embeddings=True,
    )


def transformers_weights(reader: gguf.GGUFReader) -> "dict[str, Tensor]":
    """Return the dequantized weights (float32) under transformers' names."""
    import torch

    names = transformers_names(value(reader, "gemma3.block_count"))
    weights = {}
    for tensor in reader.tensors:
        array = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        # llama.cpp stores the norms of Gemma plus one
        shifted = array - 1 if tensor.name.endswith("norm.weight") else array
        weights[names[tensor.name]] = torch.from_numpy(np.array(shifted, dtype=np.float32, copy=True))
    return weights


def transformers_names(layers: int) -> dict[str, str]:
    """Map every tensor name of a Gemma 3 GGUF file to transformers' name for it."""
    names = {EMBEDDING: "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}
    for layer in range(layers):
        for theirs, ours in _LAYER_NAMES.items():
            names[f"blk.{layer}.{theirs}.weight"] = f"model.layers.{layer}.{ours}.weight"
    return names


_LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "post_ffw_norm": "post_feedforward_layernorm",
}
