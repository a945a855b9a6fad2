"""The families that are known: a new one is a module of its own, and a line here."""

from typing import TYPE_CHECKING

import gguf

from manera.bases import bart, gemma2, gemma3, gpt2, gptj, gptneox, llama, qwen2, qwen3, t5
from manera.bases.family import Family
from manera.bases.metadata import architecture
from manera.bases.small import family as small
from manera.errors import ModelError

if TYPE_CHECKING:
    from torch import nn
    from transformers import PretrainedConfig

FAMILIES: tuple[Family, ...] = (
    gemma2.FAMILY,
    gemma3.FAMILY,
    gpt2.FAMILY,
    gptneox.FAMILY,
    llama.FAMILY,
    qwen2.FAMILY,
    qwen3.FAMILY,
    *(gptj.FAMILY, t5.FAMILY, bart.FAMILY),
    small.FAMILY,
)


def family_of(reader: gguf.GGUFReader) -> Family:
    """Return the family of a file's model; raise ModelError for a foreign one."""
    return family_named(architecture(reader))


def family_named(found: str) -> Family:
    """Return the family of an architecture; raise ModelError for a foreign one."""
    for family in FAMILIES:
        if family.architecture == found:
            return family
    raise _unknown(found)


def family_of_model(model: "nn.Module") -> Family:
    """Return the family of a transformers model by its class; raise ModelError for a foreign one."""
    found = type(model).__name__
    for family in FAMILIES:
        if family.model_class == found:
            return family
    raise _unknown(found)


def family_of_config(config: "PretrainedConfig") -> Family:
    """Return the family of transformers' configuration; raise ModelError for a foreign one."""
    for family in FAMILIES:
        if config.model_type in family.model_types:
            return family
    raise _unknown(config.model_type)


def _unknown(found: str) -> ModelError:
    known = ", ".join(family.architecture for family in FAMILIES)
    return ModelError(f"a model of the architecture {found!r} cannot be trained here", f"architectures: {known}")
