"""The families that are known: a new one is a module of its own, and a line here."""

import gguf

from manera.bases import gemma3, llama
from manera.bases.family import Family
from manera.bases.metadata import architecture
from manera.errors import ModelError

FAMILIES: tuple[Family, ...] = (gemma3.FAMILY, llama.FAMILY)


def family_of(reader: gguf.GGUFReader) -> Family:
    """Return the family of a file's model; raise ModelError for a foreign one."""
    found = architecture(reader)
    for family in FAMILIES:
        if family.architecture == found:
            return family
    known = ", ".join(family.architecture for family in FAMILIES)
    raise ModelError(f"a model of the architecture {found!r} cannot be trained here", f"architectures: {known}")
