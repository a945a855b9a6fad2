"""A family: how one architecture is laid out, in llama.cpp's files and in transformers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import gguf
import numpy as np
from numpy.typing import NDArray

from manera.bases import rotary
from manera.errors import ModelError

if TYPE_CHECKING:
    from transformers import PretrainedConfig

EMBEDDING = "token_embd.weight"

Array = NDArray[np.float32]
Form = Literal["gguf", "transformers"]


def _as_it_is(_: str, __: "PretrainedConfig") -> None:
    return None


def _unchanged(given: dict[str, Any]) -> dict[str, Any]:
    return given


def _nothing(_: object) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Layout:
    """Where the parts of a transformers model are: dotted names of modules."""

    decoder: str = "model"
    embedding: str = "model.embed_tokens"
    blocks: str = "model.layers"
    norm: str = "model.norm"
    head: str = "lm_head"


@dataclass(frozen=True)
class Family:
    """One architecture.

    architecture: ``general.architecture`` of its GGUF files. model_class: transformers' class, or that of another
    module, laid out as those are. model_types: those of
    ``config.json`` that are laid out like this. layout: where the parts of transformers' model are. outer_names,
    block_names: of tensors outside of the blocks and of one block, llama.cpp's and transformers'. settings: which
    attribute of transformers' configuration each key of a file's metadata is, dotted where it is nested; optional:
    those that a file may leave out, where both programs take the same value. completed: makes of the attributes that a
    file tells all that the configuration takes. implied: the other way round, what a file tells and a configuration may
    leave open. rope: where the configuration tells how positions are rotated.

    form: what its bases are kept and served as; "transformers" where llama.cpp does not compute them, and then there
    are no names and settings of its files. has_encoder: whether one half of it reads, and another writes. targets: the
    layers that an adapter changes. outliers: of these, the ones whose input spans a wide range. renamed: modules that
    stored weights call otherwise than the model does. transposed: whether transformers stores the matrices of blocks as
    (in, out). norm_offset: what llama.cpp adds to stored weights of norms. row_order: of a tensor by llama.cpp's name,
    which row of transformers' matrix each row of llama.cpp's is; None where they are the same. older_settings: what
    transformers 4 wants to read in ``config.json`` beside what is there.
    """

    architecture: str
    model_class: str
    model_types: tuple[str, ...]
    block_names: Mapping[str, str]
    settings: Mapping[str, str]
    targets: tuple[str, ...]
    outliers: tuple[str, ...] = ()
    optional: Mapping[str, str] = field(default_factory=dict)
    completed: Callable[[dict[str, Any]], dict[str, Any]] = _unchanged
    implied: Callable[["PretrainedConfig"], Mapping[str, Any]] = _nothing
    layout: Layout = Layout()
    form: Form = "gguf"
    has_encoder: bool = False
    outer_names: Mapping[str, str] = field(default_factory=dict)
    rope: str | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)
    transposed: bool = False
    norm_offset: float = 0.0
    row_order: Callable[[str, "PretrainedConfig"], NDArray[np.intp] | None] = _as_it_is
    older_settings: Callable[["PretrainedConfig"], Mapping[str, object]] = _nothing
    module: str = "transformers"

    def config(self, reader: gguf.GGUFReader) -> "PretrainedConfig":
        """Return transformers' configuration of a file's model; raise ModelError when the file does not say enough."""
        import transformers

        told = {key: field.contents() for key, field in reader.fields.items()}
        factors = next((tensor.data for tensor in reader.tensors if tensor.name == rotary.FACTORS), None)
        tokens = {
            f"{name}_token_id": told.get(f"tokenizer.ggml.{theirs}_token_id")
            for name, theirs in (("bos", "bos"), ("eos", "eos"), ("pad", "padding"))
        }
        config: PretrainedConfig = getattr(transformers, self.model_class).config_class(
            vocab_size=len(told["tokenizer.ggml.tokens"]),
            tie_word_embeddings=all(tensor.name != "output.weight" for tensor in reader.tensors),
            **tokens,
            **self.attributes(told, factors),
        )
        return config

    def attributes(self, metadata: Mapping[str, Any], rope_factors: rotary.Factors | None = None) -> dict[str, Any]:
        """Return the attributes of transformers' configuration that a file tells; raise ModelError."""
        given: dict[str, Any] = {}
        for key, attribute in self._attribute_of.items():
            if (full := f"{self.architecture}.{key}") in metadata:
                _set(given, attribute, metadata[full])
            elif key in self.settings:
                raise ModelError(f"the GGUF file has no {full}", "use a base that manera bases lists")
        if self.rope is not None:
            for name, content in rotary.parameters(self.architecture, metadata, rope_factors).items():
                _set(given, f"{self.rope}.{name}", content)
        return self.completed(given)

    def metadata(self, config: "PretrainedConfig") -> dict[str, Any]:
        """Return what a file's metadata says of a configuration, the other way round."""
        implied = self.implied(config)
        found = {key: implied.get(attribute, _get(config, attribute)) for key, attribute in self._attribute_of.items()}
        told = {f"{self.architecture}.{key}": content for key, content in found.items() if content is not None}
        return told | rotary.metadata(self.architecture, self._rope(config))

    def rope_factors(self, config: "PretrainedConfig") -> rotary.Factors | None:
        """Return the tensor that a file tells beside it, if this configuration needs one."""
        if self.rope is None:
            return None
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        return rotary.factors(self._rope(config), width)

    def _rope(self, config: "PretrainedConfig") -> Mapping[str, Any]:
        return {} if self.rope is None else _get(config, self.rope)

    @property
    def _attribute_of(self) -> dict[str, str]:
        return {**self.settings, **self.optional}

    def transformers_names(self, layers: int) -> dict[str, str]:
        """Map every tensor name of a GGUF file to transformers' name for it."""
        parts = {"token_embd": self.layout.embedding, "output_norm": self.layout.norm, "output": self.layout.head}
        parts |= self.outer_names
        for layer in range(layers):
            for theirs, ours in self.block_names.items():
                parts[f"blk.{layer}.{theirs}"] = f"{self.layout.blocks}.{layer}.{ours}"
        return {f"{theirs}.{one}": f"{ours}.{one}" for theirs, ours in parts.items() for one in ("weight", "bias")}

    def to_transformers(self, name: str, array: Array, config: "PretrainedConfig") -> Array:
        """Turn a dequantized tensor into transformers' form of it."""
        ordered = self.rows_to_transformers(name, array, config)
        if name.endswith("norm.weight"):
            return ordered - self.norm_offset
        return ordered.T if self._is_transposed(name, array) else ordered

    def to_gguf(self, name: str, array: Array, config: "PretrainedConfig") -> Array:
        """Turn one of transformers' tensors into llama.cpp's form of it."""
        if name.endswith("norm.weight"):
            array = array + np.float32(self.norm_offset)
        return self.rows_to_gguf(name, array.T if self._is_transposed(name, array) else array, config)

    def rows_to_transformers(self, name: str, array: Array, config: "PretrainedConfig") -> Array:
        """Put the rows of one of llama.cpp's tensors, or of what is added to it, into transformers' order."""
        order = self.row_order(name, config)
        return array if order is None else array[np.argsort(order)]

    def rows_to_gguf(self, name: str, array: Array, config: "PretrainedConfig") -> Array:
        """Put such rows into llama.cpp's order."""
        order = self.row_order(name, config)
        return array if order is None else array[order]

    def _is_transposed(self, name: str, array: Array) -> bool:
        return self.transposed and name.startswith("blk.") and array.ndim == 2


def _set(given: dict[str, Any], attribute: str, content: object) -> None:
    *outer, leaf = attribute.split(".")
    for name in outer:
        given = given.setdefault(name, {})
    given[leaf] = content


def _get(config: object, attribute: str) -> Any:
    for name in attribute.split("."):
        config = config.get(name) if isinstance(config, Mapping) else getattr(config, name, None)
    return config
