"""A folder of Hugging Face files becomes a GGUF file: ``config.json``, weights and a tokenizer."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import gguf
import numpy as np

from manera.bases.families import family_of_config
from manera.bases.family import Array, Family
from manera.bases.foreign_tokenizer import ForeignTokenizer, read_tokenizer
from manera.bases.gguf_file import value_type, write_whole
from manera.bases.rotary import FACTORS
from manera.bases.tokenizer import MERGES, PRE, VOCABULARY_KEYS
from manera.bases.weights import read_weights
from manera.errors import ModelError

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig

CONFIG = "config.json"
_NO_MATTER = re.compile(
    r"drop|initializer|_token_id|^(summary|task|pretraining|classifier|problem)|cache|_name_or_path|architectures"
    r"|dtype|version|model_type|max_window_layers|vocab_size|tie_word|^(is_|add_cross|id2label|label2id|output_|return_dict|chunk)"
)
"""Settings that change nothing that a text is given, or are told by the weights and the tokenizer."""

_BLOCK = 32
"""Weights that share a scale in Q8_0."""


def write_gguf(folder: Path, path: Path) -> None:
    """Write a folder's model as a GGUF file, with eight bits a weight; raise ModelError where that cannot be done."""
    given = read_config(folder)
    family = family_of_config(given)
    config = _told(given, family, folder)
    writer = gguf.GGUFWriter(path=None, arch=family.architecture)
    for key, content in family.metadata(config).items():
        writer.add_key_value(key, content, value_type(content))
    _add_tokenizer(writer, read_tokenizer(folder, config.vocab_size))
    if (factors := family.rope_factors(config)) is not None:
        writer.add_tensor(FACTORS, factors)
    for name, array in _tensors(folder, family, config):
        kind = _kind(name, array)
        writer.add_tensor(name, gguf.quants.quantize(np.ascontiguousarray(array), kind), raw_dtype=kind)
    write_whole(writer, path)


def read_config(folder: Path) -> "PretrainedConfig":
    """Read ``config.json``, without running code of its folder; raise ModelError where it is of no language model."""
    from transformers import AutoConfig

    try:
        whole = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{folder / CONFIG} cannot be used: {error}", "name the folder of a language model") from error
    config: PretrainedConfig = whole.get_text_config(decoder=True)
    return config


def _told(given: "PretrainedConfig", family: Family, folder: Path) -> "PretrainedConfig":
    """Return what llama.cpp's file will tell of a configuration; raise ModelError where that changes the model."""
    import transformers

    config: PretrainedConfig = getattr(transformers, family.model_class).config_class(
        vocab_size=given.vocab_size,
        tie_word_embeddings=given.tie_word_embeddings,
        bos_token_id=given.bos_token_id,
        eos_token_id=given.eos_token_id,
        pad_token_id=given.pad_token_id,
        **family.attributes(family.metadata(given), family.rope_factors(given)),
    )
    told = config.to_dict()
    for name, content in {**given.to_dict(), **family.implied(given)}.items():
        if name in told and told[name] != content and not _NO_MATTER.search(name):
            raise ModelError(
                f"{folder / CONFIG} says {name} = {content!r}; llama.cpp computes {family.architecture} models with "
                f"{told[name]!r} alone",
                "use another base: manera bases",
            )
    return config


def _add_tokenizer(writer: gguf.GGUFWriter, tokenizer: ForeignTokenizer) -> None:
    vocabulary = tokenizer.vocabulary
    writer.add_tokenizer_model("gpt2" if vocabulary.merges else "llama")
    writer.add_string(PRE, vocabulary.pre or "default")
    writer.add_array(VOCABULARY_KEYS[0], vocabulary.pieces)
    writer.add_array(VOCABULARY_KEYS[2], vocabulary.kinds)
    if vocabulary.merges:
        writer.add_array(MERGES, list(vocabulary.merges))
    else:
        writer.add_array(VOCABULARY_KEYS[1], vocabulary.scores)
    for name, key in (("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding")):
        if name in tokenizer.special:
            writer.add_uint32(f"tokenizer.ggml.{key}_token_id", vocabulary.pieces.index(tokenizer.special[name]))
    if tokenizer.chat_template is not None:
        writer.add_chat_template(tokenizer.chat_template)


def _tensors(folder: Path, family: Family, config: "PretrainedConfig") -> Iterator[tuple[str, Array]]:
    """Yield llama.cpp's tensors; raise ModelError where one of the model's is missing."""
    names = {ours: theirs for theirs, ours in family.transformers_names(config.num_hidden_layers).items()}
    missing = _shapes(family, config)
    for stored, tensor in read_weights(folder):
        name = _own_name(stored, family, names)
        if name not in missing:
            continue  # such as the pictures of a model that sees, or a head that is the embedding
        if missing.pop(name) != tensor.shape:
            raise ModelError(
                f"{stored} in {folder} is {tuple(tensor.shape)}, which its {CONFIG} does not say",
                "fetch the base again",
            )
        yield names[name], family.to_gguf(names[name], tensor.float().numpy(), config)
    if missing:
        raise ModelError(
            f"the weights in {folder} lack {min(missing)}, one of {len(missing)} tensors", "fetch the base again"
        )


def _shapes(family: Family, config: "PretrainedConfig") -> "dict[str, torch.Size]":
    """Return the shape of every tensor that a model has to have, by transformers' names."""
    import torch
    import transformers

    with torch.device("meta"):
        model = getattr(transformers, family.model_class)(config)
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    if config.tie_word_embeddings:
        del shapes[f"{family.layout.head}.weight"]
    return shapes


def _kind(name: str, array: Array) -> gguf.GGMLQuantizationType:
    kinds = gguf.GGMLQuantizationType
    if array.ndim == 1 or name.startswith("position"):
        return kinds.F32
    return kinds.F16 if array.shape[-1] % _BLOCK else kinds.Q8_0


def _own_name(stored: str, family: Family, names: Mapping[str, str]) -> str:
    """Return what a tensor is called in the class that is trained here: some were saved without the head, or beside
    a model of images."""
    module, _, kind = stored.replace("language_model.", "").rpartition(".")
    name = f"{family.renamed.get(module, module)}.{kind}"
    return name if name in names else f"{family.layout.decoder}.{name}"
